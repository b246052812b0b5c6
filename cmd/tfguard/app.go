package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"
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
func (a *app) emit(d *report.Document) error {
	d.Version = version
	if d.Exit == 0 {
		d.Exit = report.ExitCode(d.Findings, a.failOn)
	}
	formats := a.formats
	if len(formats) == 0 {
		formats = []string{"text"}
	}
	for _, f := range formats {
		name, path, toFile := strings.Cut(f, "=")
		w, o := a.stdout, report.Options{Verbose: a.verbose, Quiet: a.quiet}
		if toFile {
			file, err := os.Create(path)
			if err != nil {
				return usageError("-f %s: %w", f, err)
			}
			defer file.Close()
			w = file
		}
		if err := report.Write(w, name, d, o); err != nil {
			return usageError("-f %s: %w", f, err)
		}
	}
	if d.Exit != 0 {
		return &exitError{code: d.Exit}
	}
	return nil
}
