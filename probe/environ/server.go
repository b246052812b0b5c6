package environ

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"tfguard/probe"
)

// serverFlags reads what gunicorn, uwsgi and uvicorn are told on a command line.
func serverFlags(s *probe.Service, args []string) {
	server := ""
	for i, a := range args {
		base := filepath.Base(a)
		if base == "gunicorn" || base == "uwsgi" || base == "uvicorn" {
			server, args = base, args[i+1:]
			break
		}
	}
	if server == "" {
		return
	}
	where := s.Command
	number := func(text string) probe.Setting[int] {
		n, err := strconv.Atoi(text)
		return probe.Setting[int]{Value: n, Set: err == nil, Applies: true, Line: where.Line, Column: where.Column}
	}
	flag := func(on bool) probe.Setting[bool] {
		return probe.Setting[bool]{Value: on, Set: true, Applies: true, Line: where.Line, Column: where.Column}
	}
	if server == "uwsgi" {
		s.Preload = flag(true) // its default: the application is loaded once and forked
	}
	for i := 0; i < len(args); i++ {
		name, value, has := strings.Cut(args[i], "=")
		if !has && i+1 < len(args) {
			value = args[i+1]
		}
		switch server + " " + name {
		case "gunicorn --preload", "gunicorn --preload-app":
			s.Preload = flag(true)
		case "gunicorn -w", "gunicorn --workers", "uvicorn --workers", "uwsgi -p", "uwsgi --processes", "uwsgi --workers":
			s.Workers = number(value)
		case "gunicorn --threads", "uwsgi --threads":
			s.WorkerThreads = number(value)
		case "gunicorn -k", "gunicorn --worker-class":
			s.WorkerClass = probe.Setting[string]{Value: value, Set: true, Applies: true, Line: where.Line, Column: where.Column}
		case "gunicorn -t", "gunicorn --timeout", "uwsgi --harakiri":
			if n := number(value); n.Set {
				s.WorkerTimeout = probe.Setting[float64]{Value: float64(n.Value), Set: true, Applies: true, Line: where.Line, Column: where.Column}
			}
		case "uwsgi --lazy-apps", "uwsgi --lazy":
			s.Preload = flag(false)
		}
	}
}

// A pyAssign is one top-level assignment of a literal in a Python file.
type pyAssign struct {
	name         string
	value        any // string, int, float64, bool, []string; nil: something else
	line, column int
}

// parseGunicorn reads the literals that a gunicorn.conf.py assigns at its top level. Values that are computed stay unknown.
func parseGunicorn(f *File, text []byte) error {
	assigns, err := pyAssigns(f.Path, string(text))
	if err != nil {
		return err
	}
	scope := filepath.Base(f.Path)
	s := probe.Service{Workload: "gunicorn", Origin: probe.Origin{Line: 1, Column: 1, Scope: scope}}
	s.Preload.Applies, s.Workers.Applies, s.WorkerThreads.Applies, s.WorkerTimeout.Applies = true, true, true, true
	for _, a := range assigns {
		switch a.name {
		case "preload_app", "preload":
			if b, ok := a.value.(bool); ok {
				s.Preload = probe.Setting[bool]{Value: b, Set: true, Applies: true, Line: a.line, Column: a.column}
			}
		case "workers", "threads":
			out := probe.Setting[int]{Set: true, Applies: true, Line: a.line, Column: a.column}
			if n, ok := a.value.(int); ok {
				out.Value = n
			}
			if a.name == "workers" {
				s.Workers = out
			} else {
				s.WorkerThreads = out
			}
		case "worker_class":
			if c, ok := a.value.(string); ok {
				s.WorkerClass = probe.Setting[string]{Value: c, Set: true, Applies: true, Line: a.line, Column: a.column}
			}
		case "timeout", "graceful_timeout":
			var n float64
			switch v := a.value.(type) {
			case int:
				n = float64(v)
			case float64:
				n = v
			default:
				continue
			}
			out := probe.Setting[float64]{Value: n, Set: true, Applies: true, Line: a.line, Column: a.column}
			if a.name == "timeout" {
				s.WorkerTimeout = out
			} else {
				s.StopSecs = out
			}
		case "raw_env":
			list, ok := a.value.([]string)
			if one, isString := a.value.(string); isString {
				list, ok = []string{one}, true
			}
			for _, e := range list {
				if name, value, has := strings.Cut(e, "="); ok && has && Relevant(name) {
					f.Variables = append(f.Variables, probe.Variable{Name: name, Value: value, Origin: probe.Origin{Line: a.line, Column: a.column, Scope: scope}})
				}
			}
		default:
			name, ok := strings.CutPrefix(a.name, "os.environ:")
			if !ok || !Relevant(name) {
				continue
			}
			value, known := a.value.(string)
			f.Variables = append(f.Variables, probe.Variable{Name: name, Value: value, Unresolved: !known, Origin: probe.Origin{Line: a.line, Column: a.column, Scope: scope}})
		}
	}
	f.Services = append(f.Services, s)
	return nil
}

// pyAssigns finds NAME = literal and os.environ["NAME"] = literal at the top level. It tracks strings, brackets and comments, so that
// nothing inside a function, a docstring or a list is taken for an assignment.
func pyAssigns(path, text string) ([]pyAssign, error) {
	var out []pyAssign
	s := &cursor{text: text, line: 1}
	for !s.done() {
		start := *s
		logical, err := s.pyStatement()
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, start.line, err)
		}
		if logical == "" || logical[0] == ' ' || logical[0] == '\t' {
			continue // empty, or inside a block
		}
		// The first = that is no comparison, outside brackets and strings.
		left, right, ok := strings.Cut(logical, "=")
		if !ok || strings.HasPrefix(right, "=") || left == "" || strings.ContainsAny(left[len(left)-1:], "!<>+-*/%&|^:") || strings.ContainsAny(left, "()#") {
			continue
		}
		name := strings.TrimSpace(left)
		if before, _, annotated := strings.Cut(name, ":"); annotated && !strings.Contains(before, "[") {
			name = strings.TrimSpace(before)
		}
		if rest, isEnv := strings.CutPrefix(name, "os.environ["); isEnv {
			key, ok := pyLiteral(strings.TrimSuffix(rest, "]")).(string)
			if !ok {
				continue
			}
			name = "os.environ:" + key
		}
		out = append(out, pyAssign{name, pyLiteral(right), start.line, 1})
	}
	return out, nil
}

// pyStatement returns the next logical line without comments, joined over open brackets, triple-quoted strings and backslashes.
func (s *cursor) pyStatement() (string, error) {
	var b strings.Builder
	depth := 0
	for !s.done() {
		c := s.peek()
		switch {
		case c == '#':
			s.advance(len(s.restOfLine()))
		case c == '\n':
			s.advance(1)
			if depth == 0 {
				return strings.TrimRight(b.String(), " \t\r"), nil
			}
			b.WriteByte(' ')
		case c == '\\' && s.pos+1 < len(s.text) && s.text[s.pos+1] == '\n':
			s.advance(2)
			b.WriteByte(' ')
		case c == '\'' || c == '"':
			end := pyStringEnd(s.text[s.pos:])
			if end < 0 {
				return "", fmt.Errorf("the string is not closed")
			}
			b.WriteString(s.text[s.pos : s.pos+end])
			s.advance(end)
		default:
			switch c {
			case '(', '[', '{':
				depth++
			case ')', ']', '}':
				if depth--; depth < 0 {
					return "", fmt.Errorf("%c closes nothing", c)
				}
			}
			b.WriteByte(c)
			s.advance(1)
		}
	}
	if depth > 0 {
		return "", fmt.Errorf("a bracket is not closed")
	}
	return strings.TrimRight(b.String(), " \t\r"), nil
}

// pyStringEnd is the length of the string literal at the start of s (quotes included), −1 when it is not closed.
func pyStringEnd(s string) int {
	quote := s[:1]
	if strings.HasPrefix(s, strings.Repeat(quote, 3)) {
		quote = s[:3]
	}
	for i := len(quote); i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case strings.HasPrefix(s[i:], quote):
			return i + len(quote)
		case s[i] == '\n' && len(quote) == 1:
			return -1
		}
	}
	return -1
}

// pyLiteral evaluates a literal: a string, an integer, a float, True, False, None, a list or tuple of strings; nil for anything else.
func pyLiteral(s string) any {
	s = strings.TrimSpace(s)
	switch {
	case s == "True":
		return true
	case s == "False":
		return false
	case s == "":
		return nil
	case s[0] == '"' || s[0] == '\'':
		if end := pyStringEnd(s); end != len(s) {
			return nil
		}
		return pyUnquote(s)
	case s[0] == '[' || s[0] == '(':
		if s[len(s)-1] != ']' && s[len(s)-1] != ')' {
			return nil
		}
		list := []string{}
		for rest := strings.TrimSpace(s[1 : len(s)-1]); rest != ""; {
			if rest[0] != '"' && rest[0] != '\'' {
				return nil
			}
			end := pyStringEnd(rest)
			if end < 0 {
				return nil
			}
			list = append(list, pyUnquote(rest[:end]))
			rest = strings.TrimSpace(rest[end:])
			if rest != "" && rest[0] != ',' {
				return nil
			}
			rest = strings.TrimSpace(strings.TrimPrefix(rest, ","))
		}
		return list
	}
	if n, err := strconv.Atoi(strings.ReplaceAll(s, "_", "")); err == nil {
		return n
	}
	if x, err := strconv.ParseFloat(s, 64); err == nil {
		return x
	}
	return nil
}

func pyUnquote(s string) string {
	q := 1
	if len(s) >= 6 && s[0] == s[1] && s[1] == s[2] {
		q = 3
	}
	s = s[q : len(s)-q]
	return strings.NewReplacer(`\\`, `\`, `\'`, `'`, `\"`, `"`, `\n`, "\n", `\t`, "\t").Replace(s)
}

// parseUwsgi reads a uwsgi.ini: key = value below [uwsgi], ; and # comments, env = NAME=value.
func parseUwsgi(f *File, text []byte) error {
	scope := filepath.Base(f.Path)
	s := probe.Service{Workload: "uwsgi", Origin: probe.Origin{Line: 1, Column: 1, Scope: scope}}
	s.Workers.Applies, s.WorkerThreads.Applies, s.WorkerTimeout.Applies = true, true, true
	// uwsgi loads the application once in the master and forks, unless lazy-apps is set (uwsgi docs, "Preforking VS lazy-apps VS lazy").
	s.Preload = probe.Setting[bool]{Value: true, Set: true, Applies: true, Line: 1, Column: 1}
	section, found := "", false
	for i, line := range strings.Split(string(text), "\n") {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';' {
			continue
		}
		if trimmed[0] == '[' {
			if !strings.HasSuffix(trimmed, "]") {
				return fmt.Errorf("%s:%d: a section header without ]", f.Path, i+1)
			}
			section = trimmed[1 : len(trimmed)-1]
			found = found || section == "uwsgi"
			continue
		}
		if section != "uwsgi" {
			continue
		}
		key, value, has := strings.Cut(trimmed, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !has {
			value = "true" // a bare key switches it on
		}
		indent := len(line) - len(strings.TrimLeft(line, " \t"))
		column := utf8.RuneCountInString(line[:indent]) + 1
		number := func() probe.Setting[int] {
			n, err := strconv.Atoi(value)
			if err != nil {
				n = 0 // %(name), @(file), …: set, to what is not known here
			}
			return probe.Setting[int]{Value: n, Set: true, Applies: true, Line: i + 1, Column: column}
		}
		on := value == "true" || value == "1" || value == "yes" || value == "on"
		switch key {
		case "env":
			name, v, ok := strings.Cut(value, "=")
			name, v = strings.TrimSpace(name), strings.TrimSpace(v)
			if !ok {
				return fmt.Errorf("%s:%d: env: want NAME=value", f.Path, i+1)
			}
			if Relevant(name) {
				f.Variables = append(f.Variables, probe.Variable{Name: name, Value: v, Unresolved: strings.Contains(v, "%(") || strings.Contains(v, "$("),
					Origin: probe.Origin{Line: i + 1, Column: column, Scope: scope}})
			}
		case "processes", "workers":
			s.Workers = number()
		case "threads":
			s.WorkerThreads = number()
		case "harakiri":
			n := number()
			s.WorkerTimeout = probe.Setting[float64]{Value: float64(n.Value), Set: true, Applies: true, Line: i + 1, Column: column}
		case "lazy-apps", "lazy":
			s.Preload = probe.Setting[bool]{Value: !on, Set: true, Applies: true, Line: i + 1, Column: column}
		}
	}
	if !found {
		return fmt.Errorf("%s: a uwsgi file without a [uwsgi] section", f.Path)
	}
	f.Services = append(f.Services, s)
	return nil
}
