// Package zoo runs programs that hang, and healthy ones that look hung, and compares what tfguard says of them with what their first
// lines state. README.md here defines those lines. It is a test tool: nothing of tfguard imports it but tests.
package zoo

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// A Program is one Python file of the zoo and what its first lines state.
type Program struct {
	Path     string // of the file
	Name     string // base name without .py
	Expected []Expected
	Says     []string      // words that the summary, the cycle, the evidence or the remedy must hold, lower case
	Process  string        // self: the process itself is at fault; child: one of its descendants
	Needs    []string      // tensorflow, keras, grpc, cc, c++, openmp, root, fuse
	Settle   time.Duration // after ready() until it is in its final state
	Stdin    string        // null, pipe (open, never written), pty (controlling terminal, never typed into)
	Endless  bool          // healthy or busy, but does not end by itself even under ZOO_BRIEF
	Core     bool          // in the fast subset that make test runs
	Exec     string        // hung: exec ends it with reason "hung"; left: exec leaves it alone; any: not stated
	Scan     []string      // IDs that scan must flag in the source; nil: not stated
	Clean    bool          // scan must find no error in it
	Proof    string        // why it is in that state, for a reader who doubts
}

// Expected is what inspect must say on the versions that When names. Each list holds the admissible values; "-" is the empty cause.
type Expected struct {
	ID         []string
	State      []string
	Confidence []string
	When       []condition
}

// A condition compares a version: "python>=3.13", "tensorflow<2.17".
type condition struct {
	what, op string
	version  []int
}

// Versions are those of the interpreter that runs a program.
type Versions struct{ Python, TensorFlow string }

// Expect returns what holds for those versions, the first of the program's lines that applies, or nil when none does (the program is skipped).
func (p *Program) Expect(v Versions) *Expected {
	for i := range p.Expected {
		if holds(p.Expected[i].When, v) {
			return &p.Expected[i]
		}
	}
	return nil
}

// Healthy says that the process has nothing wrong with it, in every version.
func (p *Program) Healthy() bool {
	for _, e := range p.Expected {
		if e.ID[0] != "-" || slices.Contains(e.State, "hung") {
			return false
		}
	}
	return true
}

func holds(cs []condition, v Versions) bool {
	for _, c := range cs {
		have := v.Python
		if c.what == "tensorflow" {
			have = v.TensorFlow
		}
		n, err := parseVersion(have)
		if err != nil {
			return false
		}
		// Compare only as many parts as the condition has: 3.12.1 satisfies ==3.12.
		if len(n) > len(c.version) {
			n = n[:len(c.version)]
		}
		d := slices.Compare(n, c.version)
		switch c.op {
		case "<":
			if d >= 0 {
				return false
			}
		case ">=":
			if d < 0 {
				return false
			}
		case "==":
			if d != 0 {
				return false
			}
		}
	}
	return true
}

func parseVersion(s string) ([]int, error) {
	var out []int
	for part := range strings.SplitSeq(s, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, fmt.Errorf("version %q: %w", s, err)
		}
		out = append(out, n)
	}
	return out, nil
}

// Load reads the headers of all programs in a folder, in the order of their names.
func Load(folder string) ([]*Program, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.py"))
	if err != nil {
		return nil, err
	}
	sort.Strings(files)
	var out []*Program
	for _, path := range files {
		if filepath.Base(path) == "zoolib.py" {
			continue
		}
		p, err := parseFile(path)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no programs in %s", folder)
	}
	return out, nil
}

func parseFile(path string) (*Program, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p := &Program{Path: path, Name: strings.TrimSuffix(filepath.Base(path), ".py"),
		Process: "self", Needs: []string{"tensorflow"}, Settle: time.Second, Stdin: "null"}
	scan := ""
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		text, ok := strings.CutPrefix(lines.Text(), "# ")
		if !ok {
			break
		}
		key, value, ok := strings.Cut(text, ":")
		if !ok {
			break
		}
		value = strings.TrimSpace(value)
		if err := p.set(key, value, &scan); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := p.finish(scan); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

func (p *Program) set(key, value string, scan *string) error {
	oneOf := func(allowed ...string) error {
		if !slices.Contains(allowed, value) {
			return fmt.Errorf("%s is %q, want one of %s", key, value, strings.Join(allowed, ", "))
		}
		return nil
	}
	switch key {
	case "zoo":
		e, err := parseExpected(value)
		if err != nil {
			return err
		}
		p.Expected = append(p.Expected, e)
		return nil
	case "says":
		p.Says = list(strings.ToLower(value))
	case "process":
		p.Process = value
		return oneOf("self", "child")
	case "needs":
		p.Needs = nil
		for _, n := range list(value) {
			if !slices.Contains([]string{"none", "tensorflow", "keras", "grpc", "cc", "c++", "openmp", "root", "fuse"}, n) {
				return fmt.Errorf("unknown need %q", n)
			}
			if n != "none" {
				p.Needs = append(p.Needs, n)
			}
		}
	case "settle":
		d, err := time.ParseDuration(value)
		if err != nil {
			return err
		}
		p.Settle = d
	case "stdin":
		p.Stdin = value
		return oneOf("null", "pipe", "pty")
	case "core":
		p.Core = value == "yes"
		return oneOf("yes")
	case "ends":
		p.Endless = value == "no"
		return oneOf("no")
	case "exec":
		p.Exec = value
		return oneOf("hung", "left", "any")
	case "scan":
		*scan = value
	case "proof":
		if p.Proof != "" {
			p.Proof += " "
		}
		p.Proof += value
	default:
		return fmt.Errorf("unknown key %q", key)
	}
	return nil
}

// sourceSide are the causes that scan sees before they happen.
var sourceSide = []string{"TFG401", "TFG402", "TFG403", "TFG406", "TFG407", "TFG408", "TFG411", "TFG413", "TFG416", "TFG418"}

func (p *Program) finish(scan string) error {
	switch {
	case len(p.Expected) == 0:
		return fmt.Errorf("no line starts with %q", "# zoo:")
	case p.Proof == "":
		return fmt.Errorf("no line starts with %q", "# proof:")
	}
	first := p.Expected[0]
	if p.Exec == "" {
		switch {
		case p.Healthy():
			p.Exec = "left"
		case slices.Equal(first.State, []string{"hung"}):
			p.Exec = "hung"
		default:
			p.Exec = "any"
		}
	}
	switch {
	case scan == "none":
	case scan != "":
		p.Scan = list(scan)
	case slices.Contains(sourceSide, first.ID[0]):
		p.Scan = first.ID[:1]
	}
	p.Clean = p.Healthy() && p.Scan == nil
	return nil
}

func parseExpected(s string) (Expected, error) {
	var e Expected
	for field := range strings.FieldsSeq(s) {
		key, value, _ := strings.Cut(field, "=")
		values := strings.Split(value, ",")
		switch key {
		case "id":
			e.ID = values
		case "state":
			e.State = values
		case "confidence":
			e.Confidence = values
		case "when":
			for _, v := range values {
				c, err := parseCondition(v)
				if err != nil {
					return e, err
				}
				e.When = append(e.When, c)
			}
		default:
			return e, fmt.Errorf("unknown field %q", field)
		}
	}
	if e.ID == nil || e.State == nil {
		return e, fmt.Errorf("%q must state id= and state=", s)
	}
	for _, st := range e.State {
		if !slices.Contains([]string{"hung", "waiting", "busy", "idle", "stopped", "unknown"}, st) {
			return e, fmt.Errorf("unknown state %q", st)
		}
	}
	for _, c := range e.Confidence {
		if !slices.Contains([]string{"proven", "likely", "unknown"}, c) {
			return e, fmt.Errorf("unknown confidence %q", c)
		}
	}
	return e, nil
}

func parseCondition(s string) (condition, error) {
	for _, op := range []string{">=", "<", "=="} {
		if what, version, ok := strings.Cut(s, op); ok {
			if what != "python" && what != "tensorflow" {
				return condition{}, fmt.Errorf("condition %q: want python or tensorflow", s)
			}
			n, err := parseVersion(version)
			return condition{what, op, n}, err
		}
	}
	return condition{}, fmt.Errorf("condition %q: want >=, < or ==", s)
}

func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}
