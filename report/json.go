package report

import (
	"encoding/json"
	"io"
	"math"

	"tfguard/checks"
	"tfguard/probe"
)

func init() { Formats["json"] = writeJSON }

// ReportSchema names the JSON form; report/schema/report.v1.json describes it.
const ReportSchema = "tfguard/report/v1"

type jsonReport struct {
	Schema  string            `json:"schema"`
	Version string            `json:"tfguard"`
	Command string            `json:"command"`
	Seconds float64           `json:"seconds"`
	Host    jsonHost          `json:"host"`
	Results []jsonResult      `json:"results"`
	Counts  jsonCounts        `json:"counts"`
	Exit    int               `json:"exit"`
	Notes   []string          `json:"notes,omitempty"`
	Canary  []probe.CanaryRun `json:"canary,omitempty"`
}

type jsonHost struct {
	OS          string `json:"os"`
	Arch        string `json:"arch"`
	Kernel      string `json:"kernel,omitempty"`
	Cores       int    `json:"cores"`
	MemoryBytes uint64 `json:"memory_bytes"`
	MemoryFrom  string `json:"memory_from,omitempty"`
	Container   string `json:"container,omitempty"`
	Python      string `json:"python"`
	TensorFlow  string `json:"tensorflow"`
}

type jsonResult struct {
	ID        string           `json:"id"`
	Slug      string           `json:"slug"`
	Status    checks.Status    `json:"status"`
	Severity  checks.Severity  `json:"severity"`
	Certainty checks.Certainty `json:"certainty,omitempty"`
	Subject   string           `json:"subject,omitempty"`
	Value     any              `json:"value,omitempty"`
	Limit     any              `json:"limit,omitempty"`
	Unit      string           `json:"unit,omitempty"`
	Summary   string           `json:"summary"`
	Evidence  []string         `json:"evidence"`
	Remedy    []string         `json:"remedy"`
	Where     *checks.Where    `json:"where,omitempty"`
}

type jsonCounts struct {
	Pass    int `json:"pass"`
	Warn    int `json:"warn"`
	Fail    int `json:"fail"`
	Skip    int `json:"skip"`
	Unknown int `json:"unknown"`
}

func writeJSON(w io.Writer, d *Document, _ Options) error {
	n := Counts(d.Findings)
	out := jsonReport{
		Schema: ReportSchema, Version: d.Version, Command: d.Command, Seconds: d.Seconds,
		Host: jsonHost{
			OS: d.Host.OS, Arch: d.Host.Arch, Kernel: d.Host.Kernel, Cores: d.Host.Cores, MemoryBytes: d.Host.MemoryBytes,
			MemoryFrom: d.Host.MemoryFrom, Container: d.Host.Container, Python: d.Python, TensorFlow: d.TensorFlow,
		},
		Results: []jsonResult{},
		Counts:  jsonCounts{n[checks.Pass], n[checks.Warn], n[checks.Fail], n[checks.Skip], n[checks.Unknown]},
		Exit:    d.Exit, Notes: d.Notes, Canary: d.Canary,
	}
	for _, f := range d.Findings {
		out.Results = append(out.Results, jsonResult{
			ID: f.Check.ID, Slug: f.Check.Slug, Status: f.Status, Severity: f.Check.Severity, Certainty: f.Certainty, Subject: f.Subject,
			Value: jsonValue(f.Value), Limit: jsonValue(f.Limit), Unit: f.Unit,
			Summary: f.Summary, Evidence: notNil(f.Evidence), Remedy: notNil(f.Remedy), Where: f.Where,
		})
	}
	return encodeJSON(w, out)
}

// encodeJSON writes v as indented JSON with its text as it is: <, > and & need no escape outside of HTML.
func encodeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// jsonValue drops what JSON has no number for.
func jsonValue(v any) any {
	if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		return nil
	}
	return v
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
