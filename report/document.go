// Package report writes what checks found, as text for people and as files for machines. It judges nothing.
package report

import (
	"fmt"
	"io"

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
	Exit  int
}

// Options say how text is drawn.
type Options struct {
	Color   bool
	Verbose int
	Quiet   bool
	Width   int // columns; 0: 80
}

// A Format writes a Document.
type Format func(io.Writer, *Document, Options) error

// Formats are the names that -f takes. Each format's file adds itself in init.
var Formats = map[string]Format{}

// Write writes the document in the format of that name.
func Write(w io.Writer, format string, d *Document, o Options) error {
	f := Formats[format]
	if f == nil {
		return fmt.Errorf("unknown format %q", format)
	}
	return f(w, d, o)
}

// ExitCode is the exit code that the findings ask for: 1 when one fails at the level of failOn (warning, error, none), else 0.
func ExitCode(findings []checks.Finding, failOn string) int {
	for _, f := range findings {
		switch {
		case failOn == "none":
		case f.Status == checks.Fail, f.Status == checks.Warn && failOn == "warning":
			return 1
		}
	}
	return 0
}
