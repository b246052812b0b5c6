package environ

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"tfguard/probe"
)

var dotenvLine = regexp.MustCompile(`^(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*(=|$)`)

func parseDotenv(f *File, text []byte) error {
	vars, err := dotenv(f.Path, string(text), true)
	for _, v := range vars {
		if Relevant(v.Name) {
			f.Variables = append(f.Variables, v)
		}
	}
	return err
}

// dotenv reads NAME=value lines as docker compose and python-dotenv do: export is skipped, # begins a comment (after white space in an
// unquoted value), '…' is taken as it is, "…" knows \n \t \" \\ \$, and both may hold line breaks. A name without = is inherited, so it sets nothing.
func dotenv(path, text string, comments bool) ([]probe.Variable, error) {
	var out []probe.Variable
	s := &cursor{text: text, line: 1}
	for !s.done() {
		s.blank()
		if s.done() {
			break
		}
		if c := s.peek(); c == '\n' || c == '#' {
			s.skipLine()
			continue
		}
		line, column := s.line, s.column()
		m := dotenvLine.FindStringSubmatch(s.restOfLine())
		if m == nil {
			return nil, fmt.Errorf("%s:%d:%d: want NAME=value", path, line, column)
		}
		s.advance(strings.Index(m[0], m[1]))
		nameColumn := s.column()
		s.advance(len(m[0]) - strings.Index(m[0], m[1]))
		if m[2] == "" {
			s.skipLine()
			continue
		}
		s.blank()
		value, err := s.dotenvValue(comments)
		if err != nil {
			return nil, fmt.Errorf("%s:%d:%d: %w", path, line, column, err)
		}
		out = append(out, probe.Variable{Name: m[1], Value: value, Origin: probe.Origin{File: path, Line: line, Column: nameColumn, Scope: filepath.Base(path)}})
	}
	return out, nil
}

// A cursor walks over text and knows its line and column.
type cursor struct {
	text      string
	pos       int
	line      int
	lineStart int
}

func (s *cursor) done() bool { return s.pos >= len(s.text) }
func (s *cursor) peek() byte { return s.text[s.pos] }

// column is 1-based, in characters.
func (s *cursor) column() int { return utf8.RuneCountInString(s.text[s.lineStart:s.pos]) + 1 }

func (s *cursor) advance(n int) {
	for ; n > 0 && !s.done(); n-- {
		if s.text[s.pos] == '\n' {
			s.line++
			s.lineStart = s.pos + 1
		}
		s.pos++
	}
}

func (s *cursor) blank() {
	for !s.done() && (s.peek() == ' ' || s.peek() == '\t' || s.peek() == '\r') {
		s.pos++
	}
}

func (s *cursor) restOfLine() string {
	if i := strings.IndexByte(s.text[s.pos:], '\n'); i >= 0 {
		return s.text[s.pos : s.pos+i]
	}
	return s.text[s.pos:]
}

func (s *cursor) skipLine() { s.advance(len(s.restOfLine()) + 1) }

func (s *cursor) dotenvValue(comments bool) (string, error) {
	if s.done() || s.peek() == '\n' {
		s.advance(1)
		return "", nil
	}
	quote := s.peek()
	if quote != '\'' && quote != '"' {
		value := s.restOfLine()
		s.advance(len(value) + 1)
		for i := 1; comments && i < len(value); i++ {
			if value[i] == '#' && (value[i-1] == ' ' || value[i-1] == '\t') {
				value = value[:i]
				break
			}
		}
		if comments && strings.HasPrefix(value, "#") {
			value = ""
		}
		return strings.TrimSpace(value), nil
	}
	s.advance(1)
	var b strings.Builder
	for {
		if s.done() {
			return "", fmt.Errorf("the quote %c is not closed", quote)
		}
		c := s.peek()
		switch {
		case c == quote:
			s.advance(1)
			if rest := strings.TrimSpace(s.restOfLine()); rest != "" && !strings.HasPrefix(rest, "#") {
				return "", fmt.Errorf("unexpected text after the closing quote")
			}
			s.skipLine()
			return b.String(), nil
		case c == '\\' && quote == '"' && s.pos+1 < len(s.text):
			s.advance(1)
			switch e := s.peek(); e {
			case 'n':
				b.WriteByte('\n')
			case 'r':
				b.WriteByte('\r')
			case 't':
				b.WriteByte('\t')
			case '"', '\\', '$', '\'':
				b.WriteByte(e)
			default:
				b.WriteByte('\\')
				b.WriteByte(e)
			}
			s.advance(1)
		default:
			b.WriteByte(c)
			s.advance(1)
		}
	}
}
