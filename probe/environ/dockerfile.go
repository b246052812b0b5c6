package environ

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"

	"tfguard/probe"
)

// An instruction is one logical line of a Dockerfile, with continuations joined.
type instruction struct {
	name   string // upper case
	rest   string
	pieces []piece // where each part of rest stands
	line   int
}

type piece struct{ offset, line, column int }

// at says where the byte at an offset of rest stands in the file.
func (in *instruction) at(offset int) (line, column int) {
	i := sort.Search(len(in.pieces), func(i int) bool { return in.pieces[i].offset > offset }) - 1
	if i < 0 {
		return in.line, 1
	}
	p := in.pieces[i]
	return p.line, p.column + utf8.RuneCountInString(in.rest[p.offset:offset])
}

var (
	directive   = regexp.MustCompile(`^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$`)
	heredocMark = regexp.MustCompile(`(?:^|[\s\d])<<(-?)\s*(?:"([^"\s]+)"|'([^'\s]+)'|([A-Za-z0-9_.]+))`)
)

var dockerInstructions = map[string]bool{"FROM": true, "RUN": true, "CMD": true, "LABEL": true, "EXPOSE": true, "ENV": true, "ADD": true, "COPY": true,
	"ENTRYPOINT": true, "VOLUME": true, "USER": true, "WORKDIR": true, "ARG": true, "ONBUILD": true, "STOPSIGNAL": true, "HEALTHCHECK": true, "SHELL": true, "MAINTAINER": true}

// dockerInstructionsOf splits a Dockerfile (docs.docker.com/reference/dockerfile): parser directives, comments, continuations by the escape
// character, and heredocs of RUN, COPY and ADD.
func dockerInstructionsOf(path, text string) (out []instruction, escape byte, err error) {
	escape = '\\'
	lines := strings.Split(text, "\n")
	directives := true
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		trimmed := strings.TrimSpace(line)
		if directives {
			if m := directive.FindStringSubmatch(trimmed); m != nil && strings.HasPrefix(trimmed, "#") {
				if strings.EqualFold(m[1], "escape") {
					if m[2] != "\\" && m[2] != "`" {
						return nil, 0, fmt.Errorf("%s:%d: escape=%s: only \\ and ` are possible", path, i+1, m[2])
					}
					escape = m[2][0]
				}
				continue
			}
			directives = false
		}
		if trimmed == "" || trimmed[0] == '#' {
			continue
		}
		in := instruction{line: i + 1}
		var logical strings.Builder
		for {
			indent := len(line) - len(strings.TrimLeft(line, " \t"))
			part, continued := strings.CutSuffix(strings.TrimRight(line, " \t"), string(escape))
			if len(part) < indent {
				indent = len(part)
			}
			if logical.Len() == 0 {
				part = part[indent:]
				in.pieces = append(in.pieces, piece{0, i + 1, utf8.RuneCountInString(line[:indent]) + 1})
			} else {
				in.pieces = append(in.pieces, piece{logical.Len(), i + 1, 1})
			}
			logical.WriteString(part)
			if !continued {
				break
			}
			// Comments and empty lines inside a continuation are dropped.
			for i++; i < len(lines); i++ {
				if t := strings.TrimSpace(lines[i]); t != "" && t[0] != '#' {
					break
				}
			}
			if i >= len(lines) {
				break
			}
			line = lines[i]
		}
		whole := logical.String()
		word := whole
		if j := strings.IndexAny(whole, " \t"); j >= 0 {
			word = whole[:j]
		}
		in.name = strings.ToUpper(word)
		if !dockerInstructions[in.name] {
			return nil, 0, fmt.Errorf("%s:%d: %q is no Dockerfile instruction", path, in.line, clip(word, 40))
		}
		skip := len(whole) - len(strings.TrimLeft(whole[len(word):], " \t"))
		in.rest = whole[skip:]
		for k := range in.pieces {
			in.pieces[k].offset -= skip
		}
		// The piece that holds the new beginning starts there.
		first := 0
		for k := range in.pieces {
			if in.pieces[k].offset <= 0 {
				first = k
			}
		}
		p := in.pieces[first]
		p.column += utf8.RuneCountInString(whole[skip+p.offset : skip])
		p.offset = 0
		in.pieces = append([]piece{p}, in.pieces[first+1:]...)

		if in.name == "RUN" || in.name == "COPY" || in.name == "ADD" {
			for _, m := range heredocMark.FindAllStringSubmatch(in.rest, -1) {
				end := m[2] + m[3] + m[4]
				closed := false
				for i++; i < len(lines); i++ {
					body := lines[i]
					if m[1] == "-" {
						body = strings.TrimLeft(body, "\t")
					}
					if body == end {
						closed = true
						break
					}
				}
				if !closed {
					return nil, 0, fmt.Errorf("%s:%d: the heredoc <<%s is not closed", path, in.line, end)
				}
			}
		}
		out = append(out, in)
	}
	return out, escape, nil
}

// A stage is one FROM with what it sets.
type stage struct {
	name, base string
	index      int
	line       int
	vars       []probe.Variable
	args       []probe.Variable
	env        map[string]string // for expansion
	unknown    map[string]bool   // build arguments without a value
	entrypoint *dockerCommand
	cmd        *dockerCommand
	health     probe.Setting[string]
	stopSignal probe.Setting[string]
	used       bool // by another stage
}

type dockerCommand struct {
	argv         []string // exec form; nil: shell form
	text         string
	almostJSON   bool
	line, column int
}

func parseDockerfile(f *File, text []byte) error {
	instructions, escape, err := dockerInstructionsOf(f.Path, string(text))
	if err != nil {
		return err
	}
	global := map[string]string{}
	globalUnknown := map[string]bool{}
	var stages []*stage
	byName := map[string]*stage{}
	for k := range instructions {
		in := &instructions[k]
		fail := func(format string, args ...any) error {
			return fmt.Errorf("%s:%d: %s: %s", f.Path, in.line, in.name, fmt.Sprintf(format, args...))
		}
		if in.name == "FROM" {
			s := &stage{index: len(stages), line: in.line, env: map[string]string{}, unknown: map[string]bool{}}
			words := strings.Fields(in.rest)
			for len(words) > 0 && strings.HasPrefix(words[0], "--") {
				words = words[1:]
			}
			if len(words) != 1 && (len(words) != 3 || !strings.EqualFold(words[1], "as")) {
				return fail("want IMAGE [AS NAME]")
			}
			s.base, _ = expand(words[0], escape, global, globalUnknown)
			if len(words) == 3 {
				s.name = words[2]
			}
			if base := byName[strings.ToLower(s.base)]; base != nil {
				base.used = true
				s.vars = append(s.vars, base.vars...)
				s.args = append(s.args, base.args...)
				s.entrypoint, s.cmd, s.health, s.stopSignal = base.entrypoint, base.cmd, base.health, base.stopSignal
				for k, v := range base.env {
					s.env[k] = v
				}
				for k := range base.unknown {
					s.unknown[k] = true
				}
			}
			stages = append(stages, s)
			if s.name != "" {
				byName[strings.ToLower(s.name)] = s
			}
			continue
		}
		if len(stages) == 0 {
			if in.name != "ARG" {
				return fail("comes before the first FROM")
			}
			for _, w := range words(in.rest, escape) {
				name, value, has := strings.Cut(w.text, "=")
				if has {
					v, ok := expand(value, escape, global, globalUnknown)
					global[name] = v
					globalUnknown[name] = !ok
				} else {
					globalUnknown[name] = true
				}
			}
			continue
		}
		s := stages[len(stages)-1]
		scope := s.title()
		switch in.name {
		case "ARG":
			for _, w := range words(in.rest, escape) {
				name, value, has := strings.Cut(w.text, "=")
				line, column := in.at(w.offset)
				v := probe.Variable{Name: name, BuildOnly: true, Origin: probe.Origin{File: f.Path, Line: line, Column: column, Scope: scope}}
				resolved := true
				switch g, ok := global[name]; {
				case has:
					v.Value, resolved = expand(value, escape, s.env, s.unknown)
				case ok:
					v.Value, resolved = g, !globalUnknown[name]
				default:
					resolved = false
				}
				v.Unresolved = !resolved
				s.env[name], s.unknown[name] = v.Value, !resolved
				if Relevant(name) {
					s.args = append(s.args, v)
				}
			}
		case "ENV":
			list := words(in.rest, escape)
			if len(list) == 0 {
				return fail("want NAME=value")
			}
			if !strings.Contains(list[0].text, "=") { // the old form: NAME the rest is the value
				name := list[0].text
				rest := in.rest[list[0].offset+len(name):]
				if strings.TrimSpace(rest) == "" {
					return fail("%s has no value", name)
				}
				list = []word{{name + "=" + strings.TrimSpace(rest), list[0].offset}}
			}
			before := map[string]string{}
			for k, v := range s.env {
				before[k] = v
			}
			for _, w := range list {
				name, value, has := strings.Cut(w.text, "=")
				if !has || name == "" {
					return fail("%q: want NAME=value", clip(w.text, 40))
				}
				line, column := in.at(w.offset)
				v := probe.Variable{Name: name, Origin: probe.Origin{File: f.Path, Line: line, Column: column, Scope: scope}}
				// Values of one instruction see the environment before it.
				text, ok := expand(value, escape, before, s.unknown)
				v.Value, v.Unresolved = text, !ok
				s.env[name], s.unknown[name] = text, !ok
				if Relevant(name) {
					s.vars = append(s.vars, v)
				}
			}
		case "ENTRYPOINT", "CMD":
			c := dockerCommandOf(in)
			if in.name == "CMD" {
				s.cmd = c
			} else {
				s.entrypoint = c
				s.cmd = nil // a new ENTRYPOINT resets an inherited CMD
			}
		case "HEALTHCHECK":
			line, column := in.at(0)
			s.health = probe.Setting[string]{Value: in.rest, Set: !strings.EqualFold(strings.TrimSpace(in.rest), "NONE"), Line: line, Column: column}
		case "STOPSIGNAL":
			line, column := in.at(0)
			s.stopSignal = probe.Setting[string]{Value: strings.TrimSpace(in.rest), Set: true, Line: line, Column: column}
		case "COPY":
			for _, w := range strings.Fields(in.rest) {
				if from, ok := strings.CutPrefix(w, "--from="); ok {
					if other := byName[strings.ToLower(from)]; other != nil {
						other.used = true
					} else if i := index(from); i >= 0 && i < len(stages)-1 {
						stages[i].used = true
					}
				}
			}
		}
	}
	if len(stages) == 0 {
		return fmt.Errorf("%s: a Dockerfile without FROM", f.Path)
	}
	for i, s := range stages {
		if s.used && i != len(stages)-1 {
			continue // what it sets reaches the program only through the stages that build on it
		}
		for _, v := range s.vars {
			v.Origin.Scope = s.title()
			f.Variables = append(f.Variables, v)
		}
		inImage := map[string]bool{}
		for _, v := range s.vars {
			inImage[v.Name] = true
		}
		for _, v := range s.args {
			if !inImage[v.Name] {
				f.Variables = append(f.Variables, v)
			}
		}
		f.Services = append(f.Services, s.service())
	}
	return nil
}

func index(s string) int {
	n := 0
	for _, c := range s {
		if c < '0' || c > '9' || n > 1<<20 {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	if s == "" {
		return -1
	}
	return n
}

func (s *stage) title() string {
	if s.name != "" {
		return "stage " + s.name
	}
	return fmt.Sprintf("stage %d", s.index)
}

func (s *stage) service() probe.Service {
	out := probe.Service{Origin: probe.Origin{Line: s.line, Column: 1, Scope: s.title()}, Workload: "image", StopSignal: s.stopSignal}
	out.StopSignal.Applies = true
	out.Health = s.health
	c := s.entrypoint
	if c == nil {
		c = s.cmd
	}
	out.Command.Applies = true
	if c == nil {
		return out
	}
	out.Command = probe.Setting[string]{Value: c.text, Set: true, Applies: true, Line: c.line, Column: c.column}
	out.Shell = c.shell()
	return out
}

// shell says why the program is not the process that gets the signals.
func (c *dockerCommand) shell() string {
	if c.argv != nil {
		return shellOf(c.argv)
	}
	text := strings.TrimSpace(c.text)
	if text == "" || strings.HasPrefix(text, "exec ") {
		return ""
	}
	if c.almostJSON {
		return "it looks like a JSON array but is none (JSON wants double quotes), so that it runs below /bin/sh -c"
	}
	return "shell form: it runs below /bin/sh -c"
}

// shellOf says whether an argument list starts a shell that starts the program: ["sh", "-c", "python train.py"].
func shellOf(argv []string) string {
	if len(argv) < 3 {
		return ""
	}
	switch filepath.Base(argv[0]) {
	case "sh", "bash", "dash", "ash", "zsh":
	default:
		return ""
	}
	for i, a := range argv[1 : len(argv)-1] {
		if strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && strings.HasSuffix(a, "c") {
			script := strings.TrimSpace(argv[i+2])
			last := script[strings.LastIndexAny(script, ";&\n")+1:]
			if strings.HasPrefix(strings.TrimSpace(last), "exec ") || script == "" {
				return ""
			}
			return "it runs below " + filepath.Base(argv[0]) + " -c"
		}
	}
	return ""
}

func dockerCommandOf(in *instruction) *dockerCommand {
	c := &dockerCommand{text: strings.TrimSpace(in.rest)}
	c.line, c.column = in.at(0)
	if strings.HasPrefix(c.text, "[") {
		var argv []string
		if json.Unmarshal([]byte(c.text), &argv) == nil {
			if argv == nil {
				argv = []string{}
			}
			c.argv = argv
			c.text = strings.Join(argv, " ")
		} else {
			c.almostJSON = strings.HasSuffix(c.text, "]")
		}
	}
	return c
}

// A word is a part of an instruction between white space, quotes kept.
type word struct {
	text   string
	offset int
}

// words splits at white space outside quotes; the escape character keeps the next one (not inside '…').
func words(s string, escape byte) []word {
	var out []word
	for i := 0; i < len(s); {
		if s[i] == ' ' || s[i] == '\t' {
			i++
			continue
		}
		start := i
		var quote byte
		for ; i < len(s); i++ {
			c := s[i]
			switch {
			case c == escape && quote != '\'' && i+1 < len(s):
				i++
			case quote == 0 && (c == '\'' || c == '"'):
				quote = c
			case c == quote:
				quote = 0
			}
			if quote == 0 && (c == ' ' || c == '\t') {
				break
			}
		}
		out = append(out, word{s[start:i], start})
	}
	return out
}

// expand removes quotes and escapes and replaces $NAME, ${NAME}, ${NAME:-default} and ${NAME:+other}. ok is false when it needs a
// build argument that has no value in the file: then the expression itself is returned.
func expand(s string, escape byte, env map[string]string, unknown map[string]bool) (string, bool) {
	var b strings.Builder
	var quote byte
	ok := true
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == escape && quote != '\'' && i+1 < len(s):
			i++
			if quote == '"' && s[i] != '"' && s[i] != '$' && s[i] != escape {
				b.WriteByte(c)
			}
			b.WriteByte(s[i])
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case c == quote && quote != 0:
			quote = 0
		case c == '$' && quote != '\'' && i+1 < len(s):
			expr, n := s[i+1:], 0
			var name, op, other string
			if expr[0] == '{' {
				end := strings.IndexByte(expr, '}')
				if end < 0 {
					b.WriteByte(c)
					continue
				}
				n = end + 1
				name = expr[1:end]
				if j := strings.IndexAny(name, ":-+"); j >= 0 {
					op = strings.TrimPrefix(name[j:], ":")
					name = name[:j]
					if op != "" {
						other, op = op[1:], op[:1]
					}
				}
			} else {
				for n < len(expr) && (expr[n] == '_' || expr[n] >= 'a' && expr[n] <= 'z' || expr[n] >= 'A' && expr[n] <= 'Z' || n > 0 && expr[n] >= '0' && expr[n] <= '9') {
					n++
				}
				name = expr[:n]
			}
			if name == "" {
				b.WriteByte(c)
				continue
			}
			value, set := env[name]
			switch {
			case unknown[name]:
				if op == "-" {
					b.WriteString(other)
				}
				ok = false
			case op == "-" && (!set || value == ""):
				b.WriteString(other)
			case op == "+":
				if set && value != "" {
					b.WriteString(other)
				}
			default:
				b.WriteString(value)
			}
			i += n
		default:
			b.WriteByte(c)
		}
	}
	if !ok {
		return s, false
	}
	return b.String(), true
}
