package checks

import (
	"fmt"

	"tfguard/probe"
)

// What the checks TFG6xx share: services that deployment files start.

// longRunning reports whether a service is meant to stay: no job, no init container.
func longRunning(v *probe.Service) bool {
	switch v.Workload {
	case "Job", "CronJob", "Pod", "TFJob", "PyTorchJob", "MPIJob":
		return false
	}
	return !v.Init
}

// serviceFinding is a finding about a service; line and column 0 mean where the service itself stands.
func serviceFinding(v *probe.Service, line, column int, certainty Certainty, summary string) Finding {
	if line == 0 {
		line, column = v.Origin.Line, v.Origin.Column
	}
	return Finding{Status: Warn, Certainty: certainty, Subject: v.Origin.Scope, Where: &Where{File: v.Origin.File, Line: line, Column: column}, Summary: v.Origin.Scope + ": " + summary}
}

// eachService judges every service that a setting applies to; a pass or a skip stands for none found.
func eachService(s *probe.Snapshot, applies func(*probe.Service) bool, good string, judge func(*probe.Service) *Finding) []Finding {
	if s.Services == nil {
		return nil
	}
	var out []Finding
	n := 0
	for i := range s.Services {
		v := &s.Services[i]
		if !applies(v) {
			continue
		}
		n++
		if f := judge(v); f != nil {
			out = append(out, *f)
		}
	}
	switch {
	case len(out) > 0:
		return out
	case n == 0:
		return []Finding{{Status: Skip, Certainty: Proven, Summary: "no file given can set this"}}
	}
	return noneSet(fmt.Sprintf("%s: %s", plural(n, "service"), good))
}
