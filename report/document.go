// Package report writes what checks found, as text for people and as files for machines. It judges nothing.
package report

import (
	"fmt"
	"io"
	"sort"
	"strings"

	"tfguard/checks"
	"tfguard/probe"
)

// A Document is one command's report.
type Document struct {
	Version    string // of tfguard
	Command    string // doctor, audit, canary, scan, check
	Seconds    float64
	Host       probe.Host
	Python     string
	TensorFlow string
	Findings   []checks.Finding
	// Canary runs are drawn as sparklines in text and kept in json.
	Canary []probe.CanaryRun
	// Notes are sentences about the run as a whole, printed after the findings ("12 files skipped: …").
	Notes []string
	// FailOn is the level that fails the run: warning, error (also "") or none.
	FailOn string
	Exit   int
}

// Options say how a document is written.
type Options struct {
	Color   bool
	Plain   bool // ASCII alone: a dumb terminal
	Verbose int
	Quiet   bool
	Width   int // columns; 0: 80
	// Root is the folder that paths in files for machines are relative to: the repository's, as CI services want it.
	Root string
	// Source returns the text that a place's line and column count in, for code frames: the file's, or a notebook cell's.
	// Nil: no frames.
	Source func(*checks.Where) ([]byte, error)
}

// A Format writes a Document.
type Format func(io.Writer, *Document, Options) error

// Formats are the names that -f takes. Each format's file adds itself in init.
var Formats = map[string]Format{}

// FormatNames lists the formats, text first.
func FormatNames() []string {
	var names []string
	for name := range Formats {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool { return formatOrder(names[i]) < formatOrder(names[j]) })
	return names
}

func formatOrder(name string) string {
	if name == "text" {
		return ""
	}
	return name
}

// Write writes the document in the format of that name. What looks like a secret is masked in all of them.
func Write(w io.Writer, format string, d *Document, o Options) error {
	f := Formats[format]
	if f == nil {
		return fmt.Errorf("unknown format %q: it is one of %s", format, strings.Join(FormatNames(), ", "))
	}
	return f(w, masked(d), o)
}

// ExitCode is the exit code that the findings ask for: 1 when one fails at the level of failOn (warning, error, none), else 0.
func ExitCode(findings []checks.Finding, failOn string) int {
	for i := range findings {
		if fails(&findings[i], failOn) {
			return 1
		}
	}
	return 0
}

func fails(f *checks.Finding, failOn string) bool {
	if failOn == "none" {
		return false
	}
	return f.Status == checks.Fail || f.Status == checks.Warn && failOn == "warning"
}

// Counts says how many findings have each status.
func Counts(findings []checks.Finding) map[checks.Status]int {
	n := map[checks.Status]int{}
	for _, f := range findings {
		n[f.Status]++
	}
	return n
}

// statuses, worst first.
var statuses = []checks.Status{checks.Fail, checks.Warn, checks.Unknown, checks.Skip, checks.Pass}

func badness(s checks.Status) int {
	for i, other := range statuses {
		if s == other {
			return i
		}
	}
	return len(statuses)
}

// worstFirst returns the findings by status, then by place, then by ID; equal ones keep their order.
func worstFirst(findings []checks.Finding) []checks.Finding {
	out := append([]checks.Finding(nil), findings...)
	sort.SliceStable(out, func(i, j int) bool {
		a, b := &out[i], &out[j]
		if x, y := badness(a.Status), badness(b.Status); x != y {
			return x < y
		}
		if x, y := place(a), place(b); x != y {
			return x.less(y)
		}
		return a.Check.ID < b.Check.ID
	})
	return out
}

func place(f *checks.Finding) placeKey {
	if f.Where == nil {
		return placeKey{}
	}
	return placeKey{f.Where.File, f.Where.Cell, f.Where.Line, f.Where.Column}
}

type placeKey struct {
	file               string
	cell, line, column int
}

func (a placeKey) less(b placeKey) bool {
	switch {
	case a.file != b.file:
		return a.file < b.file
	case a.cell != b.cell:
		return a.cell < b.cell
	case a.line != b.line:
		return a.line < b.line
	}
	return a.column < b.column
}

// Group names the family of an ID (the contract's hundreds).
func Group(id string) string {
	if len(id) < 4 {
		return "other"
	}
	switch id[3] {
	case '0':
		return "tfguard itself"
	case '1':
		return "environment"
	case '2':
		return "canary"
	case '3':
		return "thresholds"
	case '4':
		return "ways to hang"
	case '6':
		return "deployment"
	}
	return "other"
}
