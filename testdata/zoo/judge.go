package zoo

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// An Inspection is the part of inspect's JSON that the zoo compares.
type Inspection struct {
	PID        int     `json:"pid"`
	Python     string  `json:"python"`
	TensorFlow string  `json:"tensorflow"`
	Seconds    float64 `json:"seconds"`
	StoppedUS  float64 `json:"stopped_us"`
	Verdict    Verdict `json:"verdict"`
	Threads    []struct {
		TID      int    `json:"tid"`
		State    string `json:"state"`
		OnCPU    bool   `json:"on_cpu"`
		Complete bool   `json:"complete"`
	} `json:"threads"`
	Children []struct {
		PID     int     `json:"pid"`
		Verdict Verdict `json:"verdict"`
	} `json:"children"`
}

// A Verdict is inspect's.
type Verdict struct {
	State      string          `json:"state"`
	Cause      string          `json:"cause"`
	ID         string          `json:"id"`
	Confidence string          `json:"confidence"`
	Summary    string          `json:"summary"`
	Cycle      json.RawMessage `json:"cycle"`
	Evidence   []string        `json:"evidence"`
	Remedy     []string        `json:"remedy"`
	Process    int             `json:"process"`
}

// Blocked counts the threads that are off CPU, and those of them whose native stack is complete.
func (i *Inspection) Blocked() (blocked, complete int) {
	for _, t := range i.Threads {
		if t.OnCPU || t.State == "R" {
			continue
		}
		blocked++
		if t.Complete {
			complete++
		}
	}
	return blocked, complete
}

// Compare returns what is wrong with the inspection of a run, a line each.
func Compare(p *Program, want *Expected, inspected int, got *Inspection) []string {
	var wrong []string
	bad := func(format string, a ...any) { wrong = append(wrong, fmt.Sprintf(format, a...)) }
	v := got.Verdict
	id := v.ID
	if id == "" {
		id = "-"
	}
	if !slices.Contains(want.State, v.State) {
		bad("state %s, want %s", v.State, strings.Join(want.State, " or "))
	}
	if !slices.Contains(want.ID, id) {
		bad("cause %s %s, want %s", id, v.Cause, strings.Join(want.ID, " or "))
	}
	if want.Confidence != nil && !slices.Contains(want.Confidence, v.Confidence) {
		bad("confidence %s, want %s", v.Confidence, strings.Join(want.Confidence, " or "))
	}
	if got.StoppedUS != 0 {
		bad("the target was stopped for %v µs", got.StoppedUS)
	}
	if got.PID != inspected {
		bad("the inspection is of process %d, not %d", got.PID, inspected)
	}
	if id == "-" || !slices.Contains(want.ID, id) {
		return wrong
	}
	switch {
	case p.Process == "self" && v.Process != 0 && v.Process != inspected:
		bad("process at fault %d, want the process itself, %d", v.Process, inspected)
	case p.Process == "child" && (v.Process == 0 || v.Process == inspected):
		bad("process at fault %d, want a child of %d", v.Process, inspected)
	}
	said := strings.ToLower(v.Summary + "\n" + string(v.Cycle) + "\n" + strings.Join(v.Evidence, "\n") + "\n" + strings.Join(v.Remedy, "\n"))
	for _, word := range p.Says {
		if !strings.Contains(said, word) {
			bad("does not say %q", word)
		}
	}
	return wrong
}
