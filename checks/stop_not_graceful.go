package checks

import (
	"strings"

	"tfguard/probe"
)

// TFG606: a stop that kills at once, or never.
func init() {
	Register(&Check{
		ID: "TFG606", Slug: "stop-not-graceful",
		Title: "A service is stopped without grace, or never killed",
		Why: "Killed at once, a training run loses what it did since its last checkpoint. Never killed, a hung process blocks every restart: a thread that waits for a lock in native code " +
			"does not run Python's SIGTERM handler. KillMode=none or process leaves pool workers behind, which keep GPU memory and ports.",
		Proof:    "terminationGracePeriodSeconds 0, STOPSIGNAL SIGKILL, TimeoutStopSec=infinity, SendSIGKILL=no, KillMode=none or process.",
		Fix:      "Give it the time that a checkpoint takes (30 to 120 s), then let it be killed.",
		Links:    []string{"https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination", "systemd.kill(5)", "systemd.service(5)"},
		Severity: Warning, Basis: Documented,
		Live: func(s *probe.Snapshot) []Finding {
			applies := func(v *probe.Service) bool {
				return v.StopSecs.Applies || v.StopSignal.Set || v.KillMode.Applies
			}
			return eachService(s, applies, "each is stopped with grace, then killed", func(v *probe.Service) *Finding {
				finding := func(at probe.Setting[string], summary, remedy string) *Finding {
					f := serviceFinding(v, at.Line, at.Column, Proven, summary)
					f.Remedy = []string{remedy}
					return &f
				}
				span := probe.Setting[string]{Line: v.StopSecs.Line, Column: v.StopSecs.Column}
				switch signal := strings.TrimPrefix(strings.ToUpper(v.StopSignal.Value), "SIG"); {
				case v.KillMode.Set && (v.KillMode.Value == "none" || v.KillMode.Value == "process"):
					return finding(v.KillMode, "KillMode="+v.KillMode.Value+" leaves worker processes behind", "set KillMode=mixed")
				case v.StopSignal.Set && (signal == "KILL" || signal == "9"):
					return finding(v.StopSignal, "it is stopped by SIGKILL: no checkpoint, no clean end", "stop it by SIGTERM")
				case v.StopSecs.Set && v.StopSecs.Value < 0:
					return finding(span, "a hung process is never killed: the stop has no limit", "set TimeoutStopSec=120")
				case v.StopSecs.Set && v.StopSecs.Value == 0 && !v.StopSecs.Unresolved:
					return finding(span, "it is killed at once: the grace period is 0", "give it the time that a checkpoint takes")
				}
				return nil
			})
		},
	})
}
