package report

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"tfguard/checks"
)

// Clean makes a string from another process or a file safe to show on one line of a terminal: control characters, escape
// sequences, bidirectional overrides and invisible characters become visible escapes (\x1b, \u202e), and so do line breaks.
func Clean(s string) string {
	if isClean(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\t':
			b.WriteByte(' ')
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x100 && hidden(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		case r > 0xffff && hidden(r):
			fmt.Fprintf(&b, `\U%08x`, r)
		case hidden(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

func isClean(s string) bool {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return false
			}
		}
		if hidden(r) {
			return false
		}
	}
	return true
}

// hidden: what a terminal obeys or does not show. unicode.Cc are the C0 and C1 controls; unicode.Cf the format characters,
// among them the bidirectional overrides (Trojan Source, CVE-2021-42574) and the tag characters; Zl and Zp break lines.
func hidden(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)
}

// cleanLines is Clean for text that may have several lines; trailing blank lines go.
func cleanLines(s string) []string {
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(s, "\r\n", "\n"), "\n"), "\n")
	for i := range lines {
		lines[i] = Clean(lines[i])
	}
	return lines
}

var (
	urlPassword = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://[^\s/:@'"]*):[^\s/@'"]+@`)
	authHeader  = regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9+/_.=-]{12,}`)
	// A name that says secret, then = or : and the value. Plural and longer words (max_tokens, tokenizer) are not secrets.
	namedSecret = regexp.MustCompile(`(?i)([A-Za-z0-9_.-]*(?:password|passwd|secret|credential)[A-Za-z0-9_.-]*|` +
		`(?:[A-Za-z0-9]+[_.-])*(?:token|api[_-]?key|access[_-]?key|private[_-]?key)(?:[_.-](?:id|key|value))?)` +
		`(["']?\s*(?:=|:\s*["'])\s*["']?)([^\s"',;)}\]]+)`)
	knownToken = regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|hf_[A-Za-z0-9]{20,}|AKIA[0-9A-Z]{16}|xox[abprs]-[A-Za-z0-9-]{10,}|glpat-[A-Za-z0-9_-]{16,})`)
)

// Mask hides what looks like a secret: a URL's password, the value of a name that says secret, a bearer token. The readers mask what
// they read; this is the last door, since a report is copied into tickets and logs.
func Mask(s string) string {
	if strings.Contains(s, "://") {
		s = urlPassword.ReplaceAllString(s, "$1:***@")
	}
	s = authHeader.ReplaceAllString(s, "$1 ***")
	s = namedSecret.ReplaceAllString(s, "$1$2***")
	return knownToken.ReplaceAllString(s, "***")
}

func maskAll(list []string) []string {
	if list == nil {
		return nil
	}
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = Mask(s)
	}
	return out
}

// masked returns a copy of the document in which every text that came from outside went through Mask.
func masked(d *Document) *Document {
	c := *d
	c.Notes = maskAll(d.Notes)
	c.Findings = make([]checks.Finding, len(d.Findings))
	for i, f := range d.Findings {
		f.Summary, f.Subject = Mask(f.Summary), Mask(f.Subject)
		f.Evidence, f.Remedy = maskAll(f.Evidence), maskAll(f.Remedy)
		if s, ok := f.Value.(string); ok {
			f.Value = Mask(s)
		}
		c.Findings[i] = f
	}
	c.Canary = append(c.Canary[:0:0], d.Canary...)
	for i := range c.Canary {
		r := &c.Canary[i]
		r.Env, r.Command = maskAll(r.Env), maskAll(r.Command)
		r.Output, r.Stacks = maskAll(r.Output), maskAll(r.Stacks)
	}
	return &c
}
