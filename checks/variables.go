package checks

import (
	"fmt"
	"path/filepath"
	"sort"
	"strings"

	"tfguard/probe"
)

// What the checks TFG1xx share: which variables are set, where, and who reads them.

// setVariables are the variables that reach a program, in their order.
func setVariables(s *probe.Snapshot) []*probe.Variable {
	var out []*probe.Variable
	for i := range s.Environ {
		if v := &s.Environ[i]; v.Set && !v.BuildOnly {
			out = append(out, v)
		}
	}
	return out
}

// place groups variables that one program sees together.
func place(v *probe.Variable) string {
	return fmt.Sprintf("%s\x00%d\x00%s\x00%s", v.Origin.Kind, v.Origin.PID, placeFile(v), v.Origin.Scope)
}

// placeFile is the file that starts the program: an env_file or a ConfigMap feeds a place of another file.
func placeFile(v *probe.Variable) string {
	if v.Origin.Root != "" {
		return v.Origin.Root
	}
	return v.Origin.File
}

// effective is what each place's program sees: of several assignments of one name the last counts.
func effective(s *probe.Snapshot) (places []string, vars map[string]map[string]*probe.Variable) {
	vars = map[string]map[string]*probe.Variable{}
	for _, v := range setVariables(s) {
		p := place(v)
		if vars[p] == nil {
			vars[p] = map[string]*probe.Variable{}
			places = append(places, p)
		}
		vars[p][v.Name] = v
	}
	return places, vars
}

// judged are the effective variables that something could read and whose value is known, by place and name.
func judged(s *probe.Snapshot) []*probe.Variable {
	places, vars := effective(s)
	var out []*probe.Variable
	for _, p := range places {
		names := make([]string, 0, len(vars[p]))
		for n := range vars[p] {
			names = append(names, n)
		}
		sort.Strings(names)
		for _, n := range names {
			if v := vars[p][n]; !v.Unresolved && !inert(v) {
				out = append(out, v)
			}
		}
	}
	return out
}

// inert reports whether nothing reads the variable, as far as the installed files say.
func inert(v *probe.Variable) bool {
	return v.Owned && v.Readers.Known() && !read(v)
}

// read reports whether something has the name as a literal, composes it, or is documented to read it.
func read(v *probe.Variable) bool {
	for _, r := range v.Readers.Value {
		switch r.How {
		case "", "composed", "documented":
			return true
		}
	}
	return false
}

// finding is a finding about a variable at its place.
func finding(v *probe.Variable, status Status, certainty Certainty, summary string) Finding {
	f := Finding{Status: status, Certainty: certainty, Subject: v.Name, Value: v.Value, Summary: summary}
	if v.Origin.File != "" {
		f.Where = &Where{File: v.Origin.File, Line: v.Origin.Line, Column: v.Origin.Column}
	}
	if at := origin(v); at != "" {
		f.Evidence = append(f.Evidence, at)
	}
	return f
}

// origin says in words where a variable is set.
func origin(v *probe.Variable) string {
	shown := v.Name + "=" + v.Value
	switch o := v.Origin; {
	case o.File != "" && o.Scope != "" && o.Scope != filepath.Base(o.File):
		return fmt.Sprintf("%s is set in %s:%d (%s)", shown, o.File, o.Line, o.Scope)
	case o.File != "":
		return fmt.Sprintf("%s is set in %s:%d", shown, o.File, o.Line)
	case o.PID != 0 && v.Changed && v.Before == "":
		return fmt.Sprintf("%s was set by process %d itself; it was not set when the process was started", shown, o.PID)
	case o.PID != 0 && v.Changed:
		return fmt.Sprintf("%s was set by process %d itself; it was started with %q", shown, o.PID, v.Before)
	case o.PID != 0:
		return fmt.Sprintf("%s is in the environment of process %d", shown, o.PID)
	}
	return shown + " is set in this shell"
}

// readers says who reads a variable, at most two.
func readers(v *probe.Variable) string {
	var out []string
	for _, r := range v.Readers.Value {
		switch r.How {
		case "documented":
			out = append(out, fmt.Sprintf("the %s (%s)", r.Package, r.File))
		default:
			out = append(out, fmt.Sprintf("%s (%s)", r.Package, filepath.Base(r.File)))
		}
		if len(out) == 2 {
			break
		}
	}
	return strings.Join(out, " and ")
}

// tensorflowName names the TensorFlow that is judged.
func tensorflowName(s *probe.Snapshot) string {
	if s.Interpreter == nil || !s.Interpreter.TensorFlow.Known() {
		return "TensorFlow"
	}
	return strings.TrimSpace("TensorFlow " + s.Interpreter.TensorFlow.Value.Version)
}

// noneSet is the outcome of a check on variables when there is none to judge.
func noneSet(summary string) []Finding {
	return []Finding{{Status: Pass, Certainty: Proven, Summary: summary}}
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
