package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"tfguard/checks"
	"tfguard/probe"
	"tfguard/probe/environ"
	"tfguard/report"
)

func init() { register(newAudit) }

func newAudit(a *app) *cobra.Command {
	var pid int
	c := &cobra.Command{
		Use:   "audit [--pid PID] [FILE…]",
		Short: "Judge environment variables: this shell's, a process's, or a deployment file's",
		Long: "Says of each variable that matters to TensorFlow whether the installed TensorFlow reads it (asked in its own files), whether its value\n" +
			"is valid, what it does, and what contradicts it.\n\n" +
			"FILE is a .env file, a Dockerfile, a compose or Kubernetes file, a systemd unit, a gunicorn.conf.py or a uwsgi.ini.",
		RunE: func(c *cobra.Command, files []string) error {
			ctx := c.Context()
			if ctx == nil {
				ctx = context.Background()
			}
			switch {
			case pid != 0 && len(files) > 0:
				return usageError("--pid and files contradict each other")
			case c.Flags().Changed("pid") && pid <= 0:
				return usageError("--pid %d: want a process ID", pid)
			case pid != 0:
				return a.auditProcess(ctx, pid)
			case len(files) > 0:
				return a.auditFiles(ctx, files)
			}
			return a.auditShell(ctx)
		},
	}
	c.Flags().IntVar(&pid, "pid", 0, "judge the environment of a live `PID`, and what it set after its start")
	return c
}

// auditIDs are the checks that audit runs.
func auditIDs(c *checks.Check) bool {
	return strings.HasPrefix(c.ID, "TFG1") || strings.HasPrefix(c.ID, "TFG6")
}

func (a *app) auditShell(ctx context.Context) error {
	began := time.Now()
	in, readers, err := a.tensorflow(ctx)
	if err != nil {
		return err
	}
	origin := probe.Origin{Kind: "shell"}
	s := &probe.Snapshot{Interpreter: &in, Environ: environ.WithGuide(environ.FromEnviron(os.Environ(), origin), origin)}
	environ.Annotate(s.Environ, readers, "")
	d := a.auditDocument(s, began)
	if os.Getenv("PYTHONFAULTHANDLER") == "" {
		d.Notes = append(d.Notes, "PYTHONFAULTHANDLER=1 would print every thread's Python stack at a crash; tfguard env sets it")
	}
	return a.emit(d)
}

func (a *app) auditProcess(ctx context.Context, pid int) error {
	began := time.Now()
	p, err := environ.FromProcess(pid)
	switch {
	case errors.Is(err, environ.ErrNoProcess):
		return unableError("tfguard ps lists the TensorFlow processes of this host", "%w", err)
	case errors.Is(err, fs.ErrPermission):
		return unableError("run it as the process's user, or with CAP_SYS_PTRACE", "%w", err)
	case err != nil:
		return unableError("", "%w", err)
	}
	var notes []string
	if p.Missing != "" {
		notes = append(notes, "what the process set after its start could not be read: "+p.Missing)
	}
	var in probe.Interpreter
	var readers *environ.Readers
	if p.Package != "" && a.python == "" {
		in = environ.InterpreterOf(p.Package)
		if readers, err = environ.FindReaders(ctx, in); err != nil {
			return unableError("", "read %s: %w", p.Package, err)
		}
	} else {
		if in, readers, err = a.tensorflow(ctx); err != nil {
			return err
		}
		if p.Package == "" {
			notes = append(notes, fmt.Sprintf("process %d has no TensorFlow mapped (yet); its variables are judged for the one of %s", pid, in.Path))
		}
	}
	s := &probe.Snapshot{Interpreter: &in, Environ: environ.WithGuide(p.Variables, probe.Origin{Kind: "process", PID: pid}), Targets: []int{pid}}
	environ.Annotate(s.Environ, readers, "")
	d := a.auditDocument(s, began)
	d.Notes = append(d.Notes, notes...)
	return a.emit(d)
}

func (a *app) auditFiles(ctx context.Context, paths []string) error {
	began := time.Now()
	files, failed := environ.ReadFiles(paths)
	s := &probe.Snapshot{Environ: []probe.Variable{}, Services: []probe.Service{}}
	for _, f := range files {
		s.Environ = append(s.Environ, f.Variables...)
		s.Services = append(s.Services, f.Services...)
	}
	// The files can be judged without a TensorFlow here: then who reads the variables stays unknown.
	in, readers, unable := a.tensorflow(ctx)
	missing := ""
	if unable != nil {
		missing = unable.Error()
	} else {
		s.Interpreter = &in
	}
	environ.Annotate(s.Environ, readers, missing)
	d := a.auditDocument(s, began)
	for _, f := range files {
		d.Notes = append(d.Notes, fmt.Sprintf("%s: %s, %s", f.Path, kindNames[f.Kind], countOf(len(f.Variables), "relevant variable")))
	}
	for _, err := range failed {
		fmt.Fprintf(a.stderr, "tfguard: %v\n", err)
		d.Notes = append(d.Notes, "not judged: "+err.Error())
	}
	if unable != nil && len(s.Environ) > 0 {
		var e *exitError
		if errors.As(unable, &e) && e.hint != "" {
			d.Notes = append(d.Notes, "to have it told who reads the variables: "+e.hint)
		}
		d.Exit = 3
	}
	err := a.emit(d)
	if len(failed) > 0 { // what could be judged is out; that not all could be is bad input
		return &exitError{code: 2}
	}
	return err
}

var kindNames = map[string]string{"dotenv": ".env file", "dockerfile": "Dockerfile", "compose": "compose file", "kubernetes": "Kubernetes manifest",
	"systemd": "systemd unit", "gunicorn": "gunicorn configuration", "uwsgi": "uwsgi configuration"}

func (a *app) auditDocument(s *probe.Snapshot, began time.Time) *report.Document {
	s.Schema, s.Version, s.At = probe.SnapshotSchema, version, began
	s.Host = probe.Host{OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: usableCores()}
	d := &report.Document{Command: "audit", Host: s.Host, Findings: checks.RunLive(s, auditIDs)}
	if s.Interpreter != nil {
		d.Python, d.TensorFlow = s.Interpreter.Version, s.Interpreter.TensorFlow.Value.Version
	}
	for i := range d.Findings {
		relative(d.Findings[i].Where)
	}
	d.Seconds = time.Since(began).Seconds()
	return d
}

// relative shortens an absolute path below the current folder.
func relative(w *checks.Where) {
	if w == nil || !filepath.IsAbs(w.File) {
		return
	}
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, w.File); err == nil && !strings.HasPrefix(rel, "..") {
			w.File = rel
		}
	}
}

func countOf(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
