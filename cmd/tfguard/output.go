package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/term"
	"tfguard/report"
)

// An output is one -f FORMAT[=PATH].
type output struct {
	format string
	path   string // "": standard output
}

// outputs are the -f flags, checked: each format is one that report knows, and standard output gets only one of them,
// since two in one stream are no use to a person or a parser.
func (a *app) outputs() ([]output, error) {
	formats := a.formats
	if len(formats) == 0 {
		formats = []string{"text"}
	}
	var out []output
	seen := map[string]string{}
	for _, f := range formats {
		name, path, toFile := strings.Cut(f, "=")
		if report.Formats[name] == nil {
			names := report.FormatNames()
			return nil, &exitError{code: 2, err: fmt.Errorf("-f %s: no such format; it is one of %s", f, list(names)), hint: suggest(name, names)}
		}
		if toFile && path == "" {
			return nil, usageError("-f %s: the path after = is empty", f)
		}
		if path == "-" {
			path = ""
		}
		if other, double := seen[path]; double {
			where := path
			if path == "" {
				where = "standard output"
			}
			return nil, &exitError{
				code: 2, err: fmt.Errorf("-f %s and -f %s both go to %s", other, f, where),
				hint: fmt.Sprintf("give one of them a file: -f %s -f %s=FILE", other, name),
			}
		}
		seen[path] = f
		out = append(out, output{name, path})
	}
	return out, nil
}

// write calls write once for each output. Nothing is written before all of them are rendered, and a file appears whole or not at all.
func (a *app) write(write func(w io.Writer, format string, o report.Options) error) error {
	outputs, err := a.outputs()
	if err != nil {
		return err
	}
	rendered := make([]bytes.Buffer, len(outputs))
	for i, out := range outputs {
		o := report.Options{Verbose: a.verbose, Quiet: a.quiet, Root: root(), Source: a.source}
		if o.Source == nil {
			o.Source = readSource
		}
		if out.path == "" {
			o.Color, o.Plain, o.Width = a.useColor(a.stdout), dumb(), width(a.stdout)
		} else {
			o.Color = a.color == "always"
		}
		if err := write(&rendered[i], out.format, o); err != nil {
			return usageError("-f %s: %w", out.format, err)
		}
	}
	for i, out := range outputs {
		if out.path == "" {
			if _, err := a.stdout.Write(rendered[i].Bytes()); err != nil {
				return unableError("", "write to standard output: %w", err)
			}
		} else if err := writeFile(out.path, rendered[i].Bytes()); err != nil {
			return &exitError{code: 2, err: fmt.Errorf("-f %s=%s: %w", out.format, out.path, err), hint: writeHint(out.path, err)}
		}
	}
	return nil
}

// writeFile replaces a file in one step: readers see the old or the new one, whole. A symbolic link is replaced, not followed,
// so that a link planted in a shared folder leads nowhere; a pipe or a device is written to.
func writeFile(path string, data []byte) (err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		if info.IsDir() {
			return errors.New("is a folder")
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.Write(data)
		return errors.Join(err, f.Close())
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o666 &^ umask()) // as any file that a program writes for others to read
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func writeHint(path string, err error) string {
	dir := filepath.Dir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "the folder does not exist: mkdir -p " + dir
	case errors.Is(err, fs.ErrPermission):
		return "this user may not write in " + dir + "; choose another folder"
	}
	return ""
}

// root is the folder that paths in files for CI services are relative to.
func root() string {
	if dir := os.Getenv("GITHUB_WORKSPACE"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	return dir
}

// useColor: --color, then NO_COLOR (no-color.org: set and not empty), then CLICOLOR_FORCE, then whether w is a terminal that knows colour.
func (a *app) useColor(w io.Writer) bool {
	switch a.color {
	case "always":
		return true
	case "never":
		return false
	}
	if os.Getenv("NO_COLOR") != "" {
		return false
	}
	if force := os.Getenv("CLICOLOR_FORCE"); force != "" && force != "0" {
		return true
	}
	return isTerminal(w) && !dumb()
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func dumb() bool { return os.Getenv("TERM") == "dumb" }

// width is the columns of the terminal, at most 100, since longer lines are hard to read; $COLUMNS or 80 where there is no terminal.
func width(w io.Writer) int {
	columns := 0
	if f, ok := w.(*os.File); ok {
		columns, _, _ = term.GetSize(int(f.Fd())) // 0 when it is no terminal
	}
	if columns <= 0 {
		columns, _ = strconv.Atoi(os.Getenv("COLUMNS"))
	}
	if columns <= 0 {
		return 80
	}
	return max(min(columns, 100), 30)
}

// list joins names for a sentence: "text, json or sarif".
func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// suggest is a hint that names the nearest of the known words, "" when none is near.
func suggest(word string, known []string) string {
	if best := nearest(word, known); best != "" {
		return "did you mean " + best + "?"
	}
	return ""
}
