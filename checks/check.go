// Package checks holds tfguard's verdicts: pure functions over what probe read. One file is one way to go wrong.
// Nothing here does I/O (imports_test.go asserts it), so a recorded snapshot replays as a test.
package checks

import (
	"fmt"
	"sort"
	"strings"

	"tfguard/probe"
	"tfguard/probe/source"
)

// Severity is how bad it is when a check fails.
type Severity string

const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Status is the outcome of one check on one thing.
type Status string

const (
	Pass    Status = "pass"
	Warn    Status = "warn"
	Fail    Status = "fail"
	Skip    Status = "skip"    // does not apply here
	Unknown Status = "unknown" // could not be told
)

// Certainty is how sure a finding is. Proven admits no other reading of the evidence.
type Certainty string

const (
	Proven Certainty = "proven"
	Likely Certainty = "likely"
	Unsure Certainty = "unknown"
)

// Basis says how it is known that a rule's pattern really hangs.
type Basis string

const (
	Documented Basis = "documented" // by the project concerned, or a public report
	Reproduced Basis = "reproduced" // in testdata/zoo
	Inferred   Basis = "inferred"
)

// A Check is one way to go wrong. It registers itself in init; explain, the docs, SARIF and JUnit print from it.
type Check struct {
	ID        string   // TFG401
	Slug      string   // fork-after-tf
	Title     string   // one line
	Why       string   // what goes wrong, and why: for explain
	Proof     string   // how it is seen and when it is called proven
	Fix       string   // what to do
	Links     []string // sources: issue numbers as owner/repo#N, kernel paths
	Severity  Severity
	Basis     Basis
	Bad, Good string // Python; a test runs Source on both

	// Live judges what doctor, audit, canary and check saw.
	Live func(*probe.Snapshot) []Finding
	// Hang judges one process for inspect.
	Hang func(*Scene) []Finding
	// Source judges one Python file for scan.
	Source func(*source.File) []Finding
}

// A Where is a place in a file.
type Where struct {
	File      string `json:"file"`
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"` // 1-based, in characters
	EndLine   int    `json:"end_line,omitempty"`
	EndColumn int    `json:"end_column,omitempty"`
	Cell      int    `json:"cell,omitempty"` // of a notebook, 1-based
}

// A Finding is one check's outcome on one thing.
type Finding struct {
	Check     *Check
	Status    Status
	Certainty Certainty
	Where     *Where
	// Subject names what was judged when one check judges several things: a variable, a stage, a PID.
	Subject  string
	Value    any // number or string; nil when there is none
	Limit    any
	Unit     string
	Summary  string // one sentence a tired person understands
	Evidence []string
	Remedy   []string
	// Hang is set by a Check's Hang function.
	Hang *Hang
}

var registry = map[string]*Check{}
var slugs = map[string]*Check{}

// Register adds a check; a double ID or slug is a programming error.
func Register(c *Check) *Check {
	if registry[c.ID] != nil || slugs[c.Slug] != nil {
		panic(fmt.Sprintf("checks: %s (%s) registered twice", c.ID, c.Slug))
	}
	registry[c.ID], slugs[c.Slug] = c, c
	return c
}

// Lookup finds a check by ID or slug, without regard to case; nil when there is none.
func Lookup(name string) *Check {
	if c := registry[strings.ToUpper(name)]; c != nil {
		return c
	}
	return slugs[strings.ToLower(name)]
}

// All returns every check, by ID.
func All() []*Check {
	all := make([]*Check, 0, len(registry))
	for _, c := range registry {
		all = append(all, c)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	return all
}

// RunLive runs every live check whose ID one of the selectors accepts (nil: all), in the order of their IDs.
func RunLive(s *probe.Snapshot, accept func(*Check) bool) []Finding {
	var out []Finding
	for _, c := range All() {
		if c.Live == nil || (accept != nil && !accept(c)) {
			continue
		}
		for _, f := range c.Live(s) {
			if f.Check == nil {
				f.Check = c
			}
			out = append(out, f)
		}
	}
	return out
}
