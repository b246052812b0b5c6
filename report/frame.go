package report

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/lipgloss"
	"tfguard/checks"
)

// frameLines draws the lines around a place with a mark under it:
//
//	11 | for batch in data:
//	12 |     model.predict(batch)
//	   |     ^^^^^^^^^^^^^^^^^^^^
//
// It returns nil when the place is not in the text (a stale file, a line of generated code).
func frameLines(text []byte, w *checks.Where, width int) []string {
	if w.Line < 1 || bytes.IndexByte(text, 0) >= 0 {
		return nil
	}
	lines := bytes.Split(text, []byte("\n"))
	if w.Line > len(lines) {
		return nil
	}
	from := max(w.Line-1, 1)
	to := min(w.Line+1, len(lines))
	if to > w.Line && len(bytes.TrimSpace(lines[to-1])) == 0 {
		to--
	}
	if from < w.Line && len(bytes.TrimSpace(lines[from-1])) == 0 {
		from++
	}
	digits := len(fmt.Sprint(to))
	room := max(width-digits-3, 20)
	// One window of columns for all lines, so that they stay aligned when the place is far to the right.
	start := 0
	if w.Column > room-10 {
		start = w.Column - room/2
	}
	var out []string
	for n := from; n <= to; n++ {
		code := strings.TrimRight(string(lines[n-1]), "\r")
		out = append(out, strings.TrimRight(fmt.Sprintf("%*d | %s", digits, n, window(code, start, room)), " "))
		if n == w.Line && w.Column > 0 && Mask(code) == code {
			out = append(out, fmt.Sprintf("%*s | %s", digits, "", marks(code, w, start, room)))
		}
	}
	return out
}

// window returns room columns of a line from character start on, safe to show. Tabs become one space, so that columns count characters.
func window(line string, start, room int) string {
	runes := []rune(strings.ToValidUTF8(Mask(line), "\uFFFD"))
	if start > len(runes) {
		return ""
	}
	var b strings.Builder
	used := 0
	for _, r := range runes[start:] {
		// One character in, one out: the marks below must stay under what they mark.
		if r == '\t' {
			r = ' '
		} else if hidden(r) {
			r = '\uFFFD'
		}
		w := lipgloss.Width(string(r))
		if used+w > room {
			break
		}
		used += w
		b.WriteRune(r)
	}
	return b.String()
}

func marks(line string, w *checks.Where, start, room int) string {
	length := utf8.RuneCountInString(line)
	column := min(w.Column, length+1)
	end := column + 1
	switch {
	case w.EndLine == w.Line && w.EndColumn > column:
		end = min(w.EndColumn, length+1)
	case w.EndLine > w.Line:
		end = length + 1
	}
	runes := []rune(line)
	pad := 0
	for i := start; i < column-1 && i < len(runes); i++ {
		pad += max(lipgloss.Width(string(runes[i])), 1)
	}
	n := max(min(end-column, room-pad), 1)
	return strings.Repeat(" ", pad) + strings.Repeat("^", n)
}
