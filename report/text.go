package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
	"tfguard/checks"
	"tfguard/probe"
)

func init() { Formats["text"] = writeText }

// The rules of the text: the worst first; a word says the status, colour only repeats it; the remedy stands under its failure;
// what passed is one line; every line that came from outside went through Clean; nothing is wider than the terminal but a word that is.
type textWriter struct {
	w     *bufio.Writer
	o     Options
	width int

	bold, dim   lipgloss.Style
	byStatus    map[checks.Status]lipgloss.Style
	frameFile   checks.Where // whose text frameText is
	frameText   []byte
	bullet      string
	arrow       string
	sparks      []rune
	blankBefore bool
}

func newTextWriter(w io.Writer, o Options) *textWriter {
	r := lipgloss.NewRenderer(w)
	r.SetColorProfile(termenv.Ascii)
	if o.Color {
		r.SetColorProfile(termenv.ANSI) // the 16 colours that the user's theme made readable
	}
	style := func(color string) lipgloss.Style { return r.NewStyle().Foreground(lipgloss.Color(color)) }
	t := &textWriter{
		w: bufio.NewWriter(w), o: o, width: o.Width,
		bold: r.NewStyle().Bold(true), dim: r.NewStyle().Faint(true),
		byStatus: map[checks.Status]lipgloss.Style{
			checks.Fail: style("1").Bold(true), checks.Warn: style("3").Bold(true), checks.Unknown: style("5"),
			checks.Skip: r.NewStyle().Faint(true), checks.Pass: style("2"),
		},
		bullet: "· ", arrow: "→ ", sparks: []rune("▁▂▃▄▅▆▇█"),
	}
	if t.width == 0 {
		t.width = 80
	}
	if o.Plain {
		t.bullet, t.arrow, t.sparks = "- ", "> ", nil
	}
	return t
}

// statusWords are what a status is called in text.
var statusWords = map[checks.Status]string{
	checks.Fail: "fail", checks.Warn: "warning", checks.Unknown: "unknown", checks.Skip: "skipped", checks.Pass: "pass",
}

func writeText(w io.Writer, d *Document, o Options) error {
	t := newTextWriter(w, o)
	if !o.Quiet {
		t.header(d)
	}
	findings := worstFirst(d.Findings)
	for _, g := range groups(findings) {
		t.group(g)
	}
	if !o.Quiet {
		t.quietOnes(findings)
		for i := range d.Canary {
			t.canary(&d.Canary[i])
		}
		t.notes(d.Notes)
		t.summary(d)
	}
	return t.w.Flush()
}

// A group is the findings of one family that are worth a line.
type group struct {
	name     string
	findings []checks.Finding
}

// groups collects findings by family, in the order in which they first appear: so the family with the worst comes first.
func groups(findings []checks.Finding) []group {
	var out []group
	at := map[string]int{}
	for _, f := range findings {
		name := Group(f.Check.ID)
		i, ok := at[name]
		if !ok {
			i = len(out)
			at[name] = i
			out = append(out, group{name: name})
		}
		out[i].findings = append(out[i].findings, f)
	}
	return out
}

func (t *textWriter) line(parts ...string) {
	t.w.WriteString(strings.Join(parts, ""))
	t.w.WriteByte('\n')
}

// blank ends a paragraph, once.
func (t *textWriter) blank() {
	if t.blankBefore {
		t.line()
	}
	t.blankBefore = true
}

// paragraph writes s wrapped, with a prefix before its first line.
func (t *textWriter) paragraph(s, first, rest string) {
	for _, l := range cleanLines(s) {
		for _, out := range wrap(l, first, rest, t.width) {
			t.line(out)
		}
		first = rest
	}
}

func (t *textWriter) header(d *Document) {
	var parts []string
	if d.Python != "" {
		parts = append(parts, "Python "+d.Python)
	}
	if d.TensorFlow != "" {
		parts = append(parts, "TensorFlow "+d.TensorFlow)
	}
	if d.Host.OS != "" {
		parts = append(parts, d.Host.OS+"/"+d.Host.Arch)
	}
	if d.Host.Cores > 0 {
		parts = append(parts, plural(d.Host.Cores, "core", "cores"))
	}
	if d.Host.MemoryBytes > 0 {
		parts = append(parts, bytesText(float64(d.Host.MemoryBytes))+" memory")
	}
	title := "tfguard " + d.Command
	if len(parts) > 0 {
		title += ": " + strings.Join(parts, ", ")
	}
	for i, l := range wrap(Clean(title), "", "  ", t.width) {
		if i == 0 {
			l = t.bold.Render(l)
		}
		t.line(l)
	}
	t.blankBefore = true
}

func (t *textWriter) group(g group) {
	titled := false
	for i := range g.findings {
		f := &g.findings[i]
		if t.collapsed(f) {
			continue
		}
		if !titled {
			t.blank()
			t.line(t.bold.Render(strings.ToUpper(g.name[:1]) + g.name[1:]))
			titled = true
		}
		t.finding(f)
	}
}

// collapsed: shown in the one line for all that is well, not by itself.
func (t *textWriter) collapsed(f *checks.Finding) bool {
	switch f.Status {
	case checks.Pass, checks.Skip:
		return t.o.Verbose == 0 || t.o.Quiet
	case checks.Unknown:
		return t.o.Quiet
	}
	return false
}

func (t *textWriter) finding(f *checks.Finding) {
	const indent = "      "
	word := fmt.Sprintf("%-7s", statusWords[f.Status])
	head := f.Check.ID + " " + f.Check.Slug
	if f.Subject != "" {
		head += " " + Clean(f.Subject)
	}
	if f.Where != nil {
		head += " at " + Clean(PlaceText(f.Where))
	}
	if f.Certainty != "" && (f.Status == checks.Fail || f.Status == checks.Warn) {
		head += ", " + string(f.Certainty)
	}
	for i, l := range wrap(head, "  "+word+" ", indent, t.width) {
		if i == 0 {
			l = "  " + t.byStatus[f.Status].Render(word) + strings.TrimPrefix(l, "  "+word)
		}
		t.line(l)
	}
	t.paragraph(f.Summary, indent, indent)
	if m := measureText(f.Value, f.Limit, f.Unit); m != "" && f.Limit != nil && !strings.Contains(f.Summary, valueText(f.Limit, f.Unit)) {
		t.paragraph("value "+m, indent, indent)
	}
	quietly := f.Status == checks.Pass || f.Status == checks.Skip
	if !quietly {
		t.frame(f, indent)
	}
	if !t.o.Quiet && (!quietly || t.o.Verbose > 1) {
		for _, e := range f.Evidence {
			t.paragraph(e, indent+t.bullet, indent+"  ")
		}
	}
	if !quietly {
		for _, r := range f.Remedy {
			t.paragraph(r, indent+t.arrow, indent+"  ")
		}
	}
}

// PlaceText writes a place as editors and terminals link it: file:line:column.
func PlaceText(w *checks.Where) string {
	s := w.File
	if w.Cell > 0 {
		s += fmt.Sprintf(" cell %d", w.Cell)
	}
	if w.Line > 0 {
		s += fmt.Sprintf(":%d", w.Line)
		if w.Column > 0 {
			s += fmt.Sprintf(":%d", w.Column)
		}
	}
	return s
}

func (t *textWriter) frame(f *checks.Finding, indent string) {
	if f.Where == nil || t.o.Source == nil || f.Where.Line == 0 || t.o.Quiet {
		return
	}
	// Findings come sorted by file, so one file's text is enough to remember.
	if t.frameFile.File != f.Where.File || t.frameFile.Cell != f.Where.Cell {
		text, err := t.o.Source(f.Where)
		if err != nil {
			text = nil // the finding stands without its frame: the file may have gone since
		}
		t.frameFile, t.frameText = *f.Where, text
	}
	for _, l := range frameLines(t.frameText, f.Where, t.width-len(indent)) {
		t.line(indent, t.dim.Render(l))
	}
}

// quietOnes is the one line about all that passed or did not apply.
func (t *textWriter) quietOnes(findings []checks.Finding) {
	if t.o.Verbose > 0 {
		return
	}
	for _, s := range []checks.Status{checks.Pass, checks.Skip} {
		total := 0
		var names []string
		count := map[string]int{}
		for _, f := range findings {
			if f.Status != s {
				continue
			}
			g := Group(f.Check.ID)
			if count[g] == 0 {
				names = append(names, g)
			}
			count[g]++
			total++
		}
		if total == 0 {
			continue
		}
		for i, g := range names {
			names[i] = fmt.Sprintf("%s %d", g, count[g])
		}
		if s == checks.Pass {
			t.blank()
		}
		word := fmt.Sprintf("%-7s", statusWords[s])
		text := plural(total, "check", "checks") + " (" + strings.Join(names, ", ") + ")"
		for i, l := range wrap(text, "  "+word+" ", "      ", t.width) {
			if i == 0 {
				l = "  " + t.byStatus[s].Render(word) + strings.TrimPrefix(l, "  "+word)
			}
			t.line(l)
		}
	}
}

// canary draws one run: what it cost over time, in words as well.
func (t *textWriter) canary(r *probe.CanaryRun) {
	t.blank()
	name := r.Layer + " canary"
	if r.Label != "" {
		name += " (" + r.Label + ")"
	}
	name = Clean(name)
	switch {
	case r.Skipped != "":
		t.paragraph(name+": not run, "+r.Skipped, "", "  ")
		return
	case r.TimedOut != "":
		name += ": stage " + Clean(r.TimedOut) + " hung"
	case r.Signal != "":
		name += ": died of " + Clean(r.Signal)
	case r.Code != 0:
		name += fmt.Sprintf(": exit %d", r.Code)
	default:
		name += ": good"
	}
	t.line(t.bold.Render(name), ", ", secondsText(r.Seconds))
	t.spark("threads", r.Samples, func(s probe.Sample) float64 { return float64(s.Threads) }, fmt.Sprintf("peak %d", r.Peak.Threads))
	t.spark("memory", r.Samples, func(s probe.Sample) float64 { return float64(s.RSS) }, "peak "+bytesText(float64(r.Peak.RSS)))
	if t.o.Verbose > 0 || r.TimedOut != "" || r.Code != 0 {
		for _, s := range r.Stages {
			text := fmt.Sprintf("%-16s %-11s %s", Clean(s.Name), Clean(s.Status), secondsText(s.Seconds))
			t.line("  ", strings.TrimRight(text, " "))
			if s.Detail != "" {
				t.paragraph(s.Detail, "    ", "    ")
			}
		}
	}
}

func (t *textWriter) spark(name string, samples []probe.Sample, value func(probe.Sample) float64, peak string) {
	drawn := ""
	if len(t.sparks) > 0 && len(samples) > 1 {
		drawn = sparkline(samples, value, min(t.width-30, 40), t.sparks) + " "
	}
	t.line(fmt.Sprintf("  %-8s", name), drawn, peak)
}

// sparkline draws the highest value of each of columns equal spans of time, from 0 to the peak.
func sparkline(samples []probe.Sample, value func(probe.Sample) float64, columns int, levels []rune) string {
	first, last := samples[0].Seconds, samples[len(samples)-1].Seconds
	columns = max(min(columns, len(samples)), 1)
	heights := make([]float64, columns)
	top := 0.0
	for i, s := range samples {
		at := i * columns / len(samples)
		if last > first {
			at = int((s.Seconds - first) / (last - first) * float64(columns))
		}
		at = max(min(at, columns-1), 0)
		heights[at] = max(heights[at], value(s))
		top = max(top, heights[at])
	}
	var b strings.Builder
	previous := 0.0
	for _, h := range heights {
		if h == 0 {
			h = previous // no sample fell into this span
		}
		previous = h
		level := 0
		if top > 0 {
			level = min(int(h/top*float64(len(levels))), len(levels)-1)
		}
		b.WriteRune(levels[level])
	}
	return b.String()
}

func (t *textWriter) notes(notes []string) {
	if len(notes) == 0 {
		return
	}
	t.blank()
	for _, n := range notes {
		t.paragraph(n, "note: ", "  ")
	}
}

func (t *textWriter) summary(d *Document) {
	t.blank()
	t.line(summaryText(d), ", ", secondsText(d.Seconds))
}

// summaryText is the whole report in one line: "1 failed, 2 warnings, 14 passed".
func summaryText(d *Document) string {
	n := Counts(d.Findings)
	var parts []string
	add := func(s checks.Status, one, many string) {
		if n[s] > 0 {
			parts = append(parts, plural(n[s], one, many))
		}
	}
	add(checks.Fail, "failed", "failed")
	add(checks.Warn, "warning", "warnings")
	add(checks.Unknown, "could not be told", "could not be told")
	add(checks.Pass, "passed", "passed")
	add(checks.Skip, "skipped", "skipped")
	switch {
	case len(parts) == 0:
		return "Nothing found"
	case n[checks.Fail]+n[checks.Warn]+n[checks.Unknown] == 0:
		return "All is well: " + strings.Join(parts, ", ")
	}
	return strings.Join(parts, ", ")
}
