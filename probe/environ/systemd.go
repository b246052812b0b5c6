package environ

import (
	"fmt"
	"math"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tfguard/probe"
)

// A unitLine is one assignment of a unit file, continuations joined: name is the key, rest the value.
type unitLine struct {
	instruction
	section, path string
}

// unitLines splits a unit file (systemd.syntax(7)): # and ; comments, a backslash at the end of a line continues it.
func unitLines(path, text string) ([]unitLine, error) {
	var out []unitLine
	section := ""
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';' {
			continue
		}
		if trimmed[0] == '[' {
			if !strings.HasSuffix(trimmed, "]") {
				return nil, fmt.Errorf("%s:%d: a section header without ]", path, i+1)
			}
			section = trimmed[1 : len(trimmed)-1]
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, fmt.Errorf("%s:%d: want Key=value", path, i+1)
		}
		if section == "" {
			return nil, fmt.Errorf("%s:%d: an assignment before the first [Section]", path, i+1)
		}
		l := unitLine{instruction{name: strings.TrimSpace(key), line: i + 1}, section, path}
		blank := len(value) - len(strings.TrimLeft(value, " \t"))
		column := utf8.RuneCountInString(key) + 2 + blank
		value = value[blank:]
		for {
			l.pieces = append(l.pieces, piece{len(l.rest), i + 1, column})
			part, continued := strings.CutSuffix(value, `\`)
			l.rest += part
			if !continued {
				break
			}
			// A comment inside a continuation is skipped.
			for i++; i < len(lines); i++ {
				if t := strings.TrimSpace(lines[i]); t == "" || t[0] != '#' && t[0] != ';' {
					break
				}
			}
			if i >= len(lines) {
				break
			}
			l.rest += " "
			value, column = lines[i], 1
		}
		l.rest = strings.TrimRight(l.rest, " \t")
		out = append(out, l)
	}
	return out, nil
}

// parseSystemd reads a unit with its drop-ins (NAME.d/*.conf beside it): Environment=, EnvironmentFile=, limits and how it is stopped.
func parseSystemd(f *File, text []byte) error {
	lines, err := unitLines(f.Path, string(text))
	if err != nil {
		return err
	}
	dropins, _ := filepath.Glob(filepath.Join(escapeGlob(f.Path)+".d", "*.conf"))
	sort.Strings(dropins)
	for _, d := range dropins {
		text, err := readText(d)
		if err != nil {
			return err
		}
		more, err := unitLines(d, string(text))
		if err != nil {
			return err
		}
		lines = append(lines, more...)
	}
	scope := filepath.Base(f.Path)
	s := probe.Service{Workload: "systemd", Origin: probe.Origin{Line: 1, Column: 1, Scope: scope}}
	for _, set := range []*bool{&s.Memory.Applies, &s.CPU.Applies, &s.Command.Applies, &s.StopSecs.Applies, &s.StopSignal.Applies, &s.KillMode.Applies, &s.Restart.Applies} {
		*set = true
	}
	isService := strings.HasSuffix(f.Path, ".service") || strings.HasSuffix(filepath.Dir(f.Path), ".service.d")
	var vars []probe.Variable
	unset := map[string]bool{}
	for _, l := range lines {
		if l.section != "Service" {
			continue
		}
		isService = true
		line, column := l.at(0)
		fail := func(why string) error { return fmt.Errorf("%s:%d:%d: %s: %s", l.path, line, column, l.name, why) }
		text := func() probe.Setting[string] {
			return probe.Setting[string]{Value: l.rest, Set: l.rest != "", Applies: true, Line: line, Column: column}
		}
		switch l.name {
		case "Environment":
			if l.rest == "" {
				vars = nil
				continue
			}
			assigned, err := unitWords(l.rest)
			if err != nil {
				return fail(err.Error())
			}
			for _, w := range assigned {
				name, value, ok := strings.Cut(w.text, "=")
				if !ok {
					return fail(fmt.Sprintf("%q: want NAME=value", clip(w.text, 40)))
				}
				if wordLine, wordColumn := l.at(w.offset); Relevant(name) {
					vars = append(vars, probe.Variable{Name: name, Value: strings.ReplaceAll(value, "%%", "%"), Unresolved: specifier(value),
						Origin: probe.Origin{File: l.path, Line: wordLine, Column: wordColumn, Scope: scope}})
				}
			}
		case "EnvironmentFile":
			path, optional := strings.CutPrefix(l.rest, "-")
			if path == "" {
				continue
			}
			if specifier(path) || strings.ContainsAny(path, "*?[") {
				s.MissingSources = append(s.MissingSources, probe.MissingSource{Name: path, Line: line, Column: column, Why: "the name is only known to systemd", Outside: true})
				continue
			}
			body, err := readText(path)
			if err != nil {
				if !optional {
					// The unit may be written here and installed elsewhere: its absence proves nothing.
					s.MissingSources = append(s.MissingSources, probe.MissingSource{Name: path, Line: line, Column: column, Why: "no such file here", Outside: true})
				}
				continue
			}
			more, err := dotenv(path, string(body), false)
			if err != nil {
				return err
			}
			for _, v := range more {
				if Relevant(v.Name) {
					v.Origin.Scope = scope
					vars = append(vars, v)
				}
			}
		case "UnsetEnvironment":
			for _, n := range strings.Fields(l.rest) {
				unset[n] = true
			}
		case "MemoryMax", "MemoryLimit":
			v, ok := unitBytes(l.rest)
			if !ok {
				return fail(fmt.Sprintf("%q is not an amount", clip(l.rest, 40)))
			}
			s.Memory = probe.Setting[uint64]{Value: v, Set: v != math.MaxUint64, Applies: true, Line: line, Column: column}
		case "CPUQuota":
			v, err := strconv.ParseFloat(strings.TrimSuffix(l.rest, "%"), 64)
			if l.rest != "" && (err != nil || !strings.HasSuffix(l.rest, "%")) {
				return fail(fmt.Sprintf("%q: want a percentage", clip(l.rest, 40)))
			}
			s.CPU = probe.Setting[float64]{Value: v / 100, Set: l.rest != "", Applies: true, Line: line, Column: column}
		case "TimeoutStopSec", "TimeoutSec":
			v, ok := unitSpan(l.rest)
			if !ok {
				return fail(fmt.Sprintf("%q is no time span", clip(l.rest, 40)))
			}
			s.StopSecs = probe.Setting[float64]{Value: v, Set: true, Applies: true, Line: line, Column: column}
		case "KillMode":
			s.KillMode = text()
		case "KillSignal":
			s.StopSignal = text()
		case "SendSIGKILL":
			if v := strings.ToLower(l.rest); v == "no" || v == "false" || v == "0" || v == "off" {
				s.StopSecs = probe.Setting[float64]{Value: -1, Set: true, Applies: true, Line: line, Column: column}
			}
		case "Restart":
			s.Restart = text()
		case "WatchdogSec":
			s.Health = text()
		case "ExecStart":
			if l.rest == "" {
				s.Command = probe.Setting[string]{Applies: true}
				continue
			}
			assigned, err := unitWords(strings.TrimLeft(l.rest, "@-:+!|"))
			if err != nil {
				return fail(err.Error())
			}
			var args []string
			for _, w := range assigned {
				args = append(args, w.text)
			}
			s.Command = probe.Setting[string]{Value: strings.Join(args, " "), Set: true, Applies: true, Line: line, Column: column}
			serverFlags(&s, args)
		}
	}
	for _, v := range vars {
		if !unset[v.Name] {
			f.Variables = append(f.Variables, v)
		}
	}
	if isService {
		f.Services = append(f.Services, s)
	}
	return nil
}

// specifier reports whether a value has a % specifier of systemd (%% is a plain percent sign).
func specifier(s string) bool { return strings.Contains(strings.ReplaceAll(s, "%%", ""), "%") }

// unitWords splits a value as systemd.service(5) does for Environment= and ExecStart=: quotes around words or their parts, C escapes.
func unitWords(s string) ([]word, error) {
	var out []word
	for i := 0; i < len(s); {
		if s[i] == ' ' || s[i] == '\t' {
			i++
			continue
		}
		start := i
		var b strings.Builder
		var quote byte
	text:
		for ; i < len(s); i++ {
			c := s[i]
			switch {
			case c == '\\' && i+1 < len(s):
				i++
				switch s[i] {
				case 'n':
					b.WriteByte('\n')
				case 't':
					b.WriteByte('\t')
				case 's':
					b.WriteByte(' ')
				default:
					b.WriteByte(s[i])
				}
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			case quote != 0 && c == quote:
				quote = 0
			case quote == 0 && (c == ' ' || c == '\t'):
				break text
			default:
				b.WriteByte(c)
			}
		}
		if quote != 0 {
			return nil, fmt.Errorf("the quote %c is not closed", quote)
		}
		offset := start
		if s[start] == '"' || s[start] == '\'' {
			offset++
		}
		out = append(out, word{b.String(), offset})
	}
	return out, nil
}

// unitBytes reads MemoryMax=: bytes with K, M, G, T to the base of 1024, a percentage (taken as set, of an unknown whole), or infinity.
func unitBytes(s string) (uint64, bool) {
	if s == "infinity" || s == "" {
		return math.MaxUint64, true
	}
	if p, ok := strings.CutSuffix(s, "%"); ok {
		_, err := strconv.ParseFloat(p, 64)
		return 0, err == nil
	}
	v, ok := composeBytes(s)
	return v, ok
}

var spanUnits = map[string]float64{"": 1, "s": 1, "sec": 1, "second": 1, "seconds": 1, "ms": 1e-3, "msec": 1e-3, "us": 1e-6, "usec": 1e-6, "m": 60, "min": 60, "minute": 60,
	"minutes": 60, "h": 3600, "hr": 3600, "hour": 3600, "hours": 3600, "d": 86400, "day": 86400, "days": 86400, "w": 604800, "week": 604800, "weeks": 604800}

// unitSpan reads a time span of systemd.time(7), "5min 20s" or "90", in seconds; infinity and 0 (no limit, for stop timeouts) are −1.
func unitSpan(s string) (float64, bool) {
	if s == "infinity" {
		return -1, true
	}
	total := 0.0
	rest := strings.ReplaceAll(s, " ", "")
	if rest == "" {
		return 0, false
	}
	for rest != "" {
		n := 0
		for n < len(rest) && (rest[n] >= '0' && rest[n] <= '9' || rest[n] == '.') {
			n++
		}
		v, err := strconv.ParseFloat(rest[:n], 64)
		if err != nil {
			return 0, false
		}
		rest = rest[n:]
		n = 0
		for n < len(rest) && rest[n] >= 'a' && rest[n] <= 'z' {
			n++
		}
		unit, ok := spanUnits[rest[:n]]
		if !ok {
			return 0, false
		}
		total += v * unit
		rest = rest[n:]
	}
	if total == 0 {
		return -1, true
	}
	return total, total < float64(math.MaxInt64)/float64(time.Second)
}
