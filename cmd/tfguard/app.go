package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/pflag"
	"tfguard/checks"
	"tfguard/report"
)

// app is what every subcommand shares: the streams and the flags of the contract.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	formats []string
	failOn  string
	color   string
	verbose int
	quiet   bool
	config  string
	python  string

	// source returns the text behind a finding's place, for code frames; a command that reads notebooks sets its own.
	source func(*checks.Where) ([]byte, error)
}

func (a *app) addFlags(f *pflag.FlagSet) {
	f.StringArrayVarP(&a.formats, "format", "f", nil, "output `FORMAT[=PATH]`: text, json, junit, sarif, github, markdown; repeatable")
	f.StringVar(&a.failOn, "fail-on", "error", "lowest severity that exits 1: warning, error or none")
	f.StringVar(&a.color, "color", "auto", "auto, always or never")
	f.CountVarP(&a.verbose, "verbose", "v", "say more")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "say only what failed")
	f.StringVar(&a.config, "config", "", "settings `FILE` (default: .tfguard.yaml, searched upward)")
	f.StringVar(&a.python, "python", "", "Python interpreter to judge (default: $VIRTUAL_ENV, a .venv here, python3)")
}

// checkFlags refuses what no command could do, before anything is started.
func (a *app) checkFlags() error {
	if a.quiet && a.verbose > 0 {
		return usageError("-q and -v contradict each other")
	}
	if err := oneOf("--fail-on", a.failOn, "warning", "error", "none"); err != nil {
		return err
	}
	if err := oneOf("--color", a.color, "auto", "always", "never"); err != nil {
		return err
	}
	_, err := a.outputs()
	return err
}

func oneOf(flag, value string, allowed ...string) error {
	for _, v := range allowed {
		if v == value {
			return nil
		}
	}
	return &exitError{code: 2, err: fmt.Errorf("%s %q is none of %s", flag, value, list(allowed)), hint: suggest(value, allowed)}
}

// exitError carries an exit code of the contract through cobra.
type exitError struct {
	code int
	err  error
	hint string
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}
func (e *exitError) Unwrap() error { return e.err }

// usageError is bad usage, input or configuration: exit 2.
func usageError(format string, args ...any) error {
	return &exitError{code: 2, err: fmt.Errorf(format, args...)}
}

// unableError is "could not tell": exit 3, with what to do next.
func unableError(hint, format string, args ...any) error {
	return &exitError{code: 3, err: fmt.Errorf(format, args...), hint: hint}
}

// emit writes the document in each format asked for and returns the exit code as an error (nil for 0).
// A command that could not tell sets d.Exit to 3 beforehand; a failed check (1) goes before that.
func (a *app) emit(d *report.Document) error {
	d.Version = version
	d.FailOn = a.failOn
	if code := report.ExitCode(d.Findings, a.failOn); code != 0 {
		d.Exit = code
	}
	err := a.write(func(w io.Writer, format string, o report.Options) error {
		return report.Write(w, format, d, o)
	})
	if err != nil {
		return err
	}
	if d.Exit != 0 {
		return &exitError{code: d.Exit}
	}
	return nil
}

// readSource reads the file of a place for its code frame; places in notebooks need a command that knows cells.
func readSource(w *checks.Where) ([]byte, error) {
	const most = 16 << 20 // a frame is a courtesy: not worth more memory
	info, err := os.Stat(w.File)
	if err != nil {
		return nil, err
	}
	if w.Cell > 0 || !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("%s: no frame", w.File)
	}
	return os.ReadFile(w.File)
}
