package zoo

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every program's header parses, and every cause that can be made here has a program.
func TestPrograms(t *testing.T) {
	programs, err := Load(".")
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]int{}
	healthy, core := 0, 0
	for _, p := range programs {
		if p.Healthy() {
			healthy++
		}
		if p.Core {
			core++
		}
		byID[p.Expected[0].ID[0]]++
		if strings.HasPrefix(p.Name, "healthy_") != (p.Healthy() && p.Expected[0].ID[0] == "-") {
			t.Errorf("%s: its name and %v disagree", p.Name, p.Expected)
		}
		source, err := os.ReadFile(p.Path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(source), "ready(") {
			t.Errorf("%s never says that it is ready", p.Name)
		}
		if p.Healthy() && !p.Endless && p.Exec == "left" && !strings.Contains(string(source), "brief()") &&
			p.Name != "healthy_exit_busy" {
			t.Errorf("%s has no way to end by itself under ZOO_BRIEF", p.Name)
		}
	}
	if healthy < 14 {
		t.Errorf("%d healthy programs, want 14 at least", healthy)
	}
	if core < 12 {
		t.Errorf("%d programs in the core subset, want 12 at least", core)
	}
	for _, id := range []string{"TFG401", "TFG403", "TFG406", "TFG408"} {
		if byID[id] < 3 {
			t.Errorf("%d programs for %s, want 3 variants at least", byID[id], id)
		}
	}
	for _, id := range strings.Fields("TFG402 TFG404 TFG405 TFG407 TFG409 TFG410 TFG411 TFG412 TFG413 TFG414 TFG415 TFG416 TFG417 TFG418 TFG419 TFG421 TFG422 TFG424 TFG425 TFG426") {
		if byID[id] == 0 {
			t.Errorf("no program for %s", id)
		}
	}
}

func TestParse(t *testing.T) {
	for _, test := range []struct{ name, text, err string }{
		{"good", "# zoo: id=TFG403 state=hung confidence=proven when=python>=3.12,tensorflow<2.17\n# proof: so\nimport os\n", ""},
		{"no expectation", "# proof: so\n", `no line starts with "# zoo:"`},
		{"no proof", "# zoo: id=- state=idle\n", `no line starts with "# proof:"`},
		{"unknown key", "# zoo: id=- state=idle\n# proofs: x\n", `2: unknown key "proofs"`},
		{"unknown state", "# zoo: id=- state=sleepy\n", `unknown state "sleepy"`},
		{"unknown confidence", "# zoo: id=- state=idle confidence=sure\n", `unknown confidence "sure"`},
		{"bad condition", "# zoo: id=- state=idle when=numpy>=2\n", "want python or tensorflow"},
		{"no id", "# zoo: state=idle\n", "must state id= and state="},
		{"bad process", "# zoo: id=- state=idle\n# process: other\n", `process is "other"`},
		{"bad settle", "# zoo: id=- state=idle\n# settle: soon\n", `invalid duration "soon"`},
		{"unknown need", "# zoo: id=- state=idle\n# needs: gpu\n", `unknown need "gpu"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "p.py")
			if err := os.WriteFile(path, []byte(test.text), 0o666); err != nil {
				t.Fatal(err)
			}
			_, err := parseFile(path)
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("got %v, want %q", err, test.err)
			}
		})
	}
}

func TestExpectByVersion(t *testing.T) {
	old, err := parseExpected("id=TFG403 state=hung when=tensorflow<2.17,python<3.12")
	if err != nil {
		t.Fatal(err)
	}
	other, err := parseExpected("id=- state=idle when=python==3.13")
	if err != nil {
		t.Fatal(err)
	}
	p := &Program{Expected: []Expected{old, other}}
	for _, test := range []struct {
		v    Versions
		want *Expected
	}{
		{Versions{"3.11.7", "2.15.1"}, &p.Expected[0]},
		{Versions{"3.11.7", "2.17.0"}, nil},
		{Versions{"3.12.1", "2.15.1"}, nil},
		{Versions{"3.13.0", "2.21.0"}, &p.Expected[1]},
		{Versions{"3.9.18", ""}, nil},
	} {
		if got := p.Expect(test.v); got != test.want {
			t.Errorf("%v: got %v, want %v", test.v, got, test.want)
		}
	}
}

func TestCompare(t *testing.T) {
	want, err := parseExpected("id=TFG403 state=hung confidence=proven")
	if err != nil {
		t.Fatal(err)
	}
	p := &Program{Process: "self", Says: []string{"trainer", "exporter"}}
	good := `{"pid":7,"stopped_us":0,"verdict":{"state":"hung","id":"TFG403","confidence":"proven","process":7,
		"summary":"Trainer and another wait for each other","cycle":[{"name":"exporter"}]}}`
	for _, test := range []struct {
		name string
		edit func(*Inspection)
		want []string
	}{
		{"right", func(*Inspection) {}, nil},
		{"state", func(i *Inspection) { i.Verdict.State = "idle" }, []string{"state idle, want hung"}},
		{"cause", func(i *Inspection) { i.Verdict.ID = "" }, []string{"cause - , want TFG403"}},
		{"confidence", func(i *Inspection) { i.Verdict.Confidence = "likely" }, []string{"confidence likely, want proven"}},
		{"stopped", func(i *Inspection) { i.StoppedUS = 12 }, []string{"the target was stopped for 12 µs"}},
		{"process", func(i *Inspection) { i.Verdict.Process = 8 }, []string{"process at fault 8, want the process itself, 7"}},
		{"words", func(i *Inspection) { i.Verdict.Cycle = nil }, []string{`does not say "exporter"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got Inspection
			if err := json.Unmarshal([]byte(good), &got); err != nil {
				t.Fatal(err)
			}
			test.edit(&got)
			if d := cmp.Diff(test.want, Compare(p, &want, 7, &got)); d != "" {
				t.Error(d)
			}
		})
	}
	child := &Program{Process: "child"}
	var got Inspection
	if err := json.Unmarshal([]byte(good), &got); err != nil {
		t.Fatal(err)
	}
	if w := Compare(child, &want, 7, &got); !slices.Contains(w, "process at fault 7, want a child of 7") {
		t.Errorf("a parent blamed for its child passes: %v", w)
	}
}
