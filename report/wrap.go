package report

import (
	"strings"

	"github.com/charmbracelet/lipgloss"
)

// wrap breaks a line at spaces so that it fits into width columns; the first line has the prefix first, the others rest.
// A word that is longer than a line stays whole: a path or a command must survive copying.
func wrap(s, first, rest string, width int) []string {
	var lines []string
	line, room := first, width-lipgloss.Width(first)
	used := 0
	for _, word := range strings.Fields(s) {
		w := lipgloss.Width(word)
		if used > 0 && used+1+w > room {
			lines = append(lines, line)
			line, room, used = rest, width-lipgloss.Width(rest), 0
		}
		if used > 0 {
			line += " "
			used++
		}
		line += word
		used += w
	}
	return append(lines, strings.TrimRight(line, " "))
}
