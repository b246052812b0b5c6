package fixes

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"tfguard/probe"
)

// index is a TensorFlow that reads the names given.
type index []string

func (x index) Reads(name string) bool { return len(x.Who(name)) > 0 }
func (x index) Who(name string) []probe.Reader {
	for _, n := range x {
		if n == name {
			return []probe.Reader{{Package: "tensorflow", File: "/x/libtensorflow_framework.so.2", Native: true}}
		}
	}
	return nil
}

var real221 = index{"TF_CPP_MIN_LOG_LEVEL", "TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_FORCE_GPU_ALLOW_GROWTH", "CUDA_VISIBLE_DEVICES", "PYTHONFAULTHANDLER", "TF_DISABLE_PROFILING"}

func TestSafe(t *testing.T) {
	for _, tt := range []struct {
		cores        int
		inter, intra string
	}{{0, "4", "1"}, {2, "4", "2"}, {16, "16", "16"}} {
		got, err := Profile("safe", probe.Interpreter{}, real221, tt.cores)
		if err != nil {
			t.Fatal(err)
		}
		value := map[string]string{}
		for _, f := range got {
			value[f.Name] = f.Value
			if f.Warning != "" || f.ReadBy == "" {
				t.Errorf("safe profile: %+v", f)
			}
		}
		if value["TF_NUM_INTEROP_THREADS"] != tt.inter || value["TF_NUM_INTRAOP_THREADS"] != tt.intra {
			t.Errorf("%d cores: %v", tt.cores, value)
		}
		if _, ok := value["NCCL_DEBUG"]; ok {
			t.Error("NCCL_DEBUG without NCCL")
		}
	}
	got, _ := Profile("safe", probe.Interpreter{}, index{"TF_CPP_MIN_LOG_LEVEL"}, 2)
	if len(got) != 1 {
		t.Errorf("a TensorFlow that reads one variable gets one: %+v", got)
	}
	if _, err := Profile("bold", probe.Interpreter{}, real221, 2); err == nil {
		t.Error("unknown profile taken")
	}
}

func TestGuideWarnings(t *testing.T) {
	got, err := Profile("guide", probe.Interpreter{TensorFlow: probe.Of(probe.TFInstall{Version: "2.21.0"}, "")}, real221, 2)
	if err != nil || len(got) != 8 {
		t.Fatal(err, got)
	}
	for _, f := range got {
		if f.Warning == "" {
			t.Errorf("%s has no warning", f.Name)
		}
		if f.Name == "TF_PROFILER_DISABLE" && (f.ReadBy != "" || !strings.Contains(f.Warning, "nothing in TensorFlow 2.21.0 reads it") || !strings.Contains(f.Warning, "TF_DISABLE_PROFILING")) {
			t.Errorf("%+v", f)
		}
	}
}

func TestApply(t *testing.T) {
	base, _ := Profile("safe", probe.Interpreter{}, real221, 2)
	got, err := Apply(base, []string{"TF_NUM_INTRAOP_THREADS=8", "A=b=c", "TF_NOBODY=1"}, []string{"PYTHONFAULTHANDLER"}, real221)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := Write(&text, "sh", got); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"TF_NUM_INTRAOP_THREADS=8", "A='b=c'", "nothing that is installed reads it"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %s in\n%s", want, &text)
		}
	}
	if strings.Contains(text.String(), "PYTHONFAULTHANDLER") {
		t.Error("--no-fix had no effect")
	}
	if len(base) != 4 {
		t.Error("the profile itself was changed")
	}
	for _, bad := range [][2][]string{{{"novalue"}, nil}, {{"1X=2"}, nil}, {nil, {"NO_SUCH"}}} {
		if _, err := Apply(base, bad[0], bad[1], real221); err == nil {
			t.Errorf("%v taken", bad)
		}
	}
}

var nasty = []string{"", "1", "false", "two words", `quo"te`, "it's", `back\slash`, "dollar $HOME ${X} $(id) `id`", "# hash", "a=b", "tab\there", "ünïcode", "!bang", "*", "~", `mixed '"$\`, `end\`}

// TestQuotes gives each value to the program that reads the syntax.
func TestQuotes(t *testing.T) {
	for _, value := range nasty {
		fix := []Fix{{Name: "X", Value: value, Why: "a test"}}
		out := map[string]string{}
		for _, s := range Syntaxes {
			var b bytes.Buffer
			if err := Write(&b, s, fix); err != nil {
				t.Fatal(err)
			}
			out[s] = b.String()
		}
		sh, err := exec.Command("sh", "-c", out["sh"]+`printf %s "$X"`).Output()
		if err != nil || string(sh) != value {
			t.Errorf("sh: %q became %q (%v)", value, sh, err)
		}
		if fish, err := exec.LookPath("fish"); err == nil {
			got, err := exec.Command(fish, "-c", out["fish"]+`printf %s $X`).Output()
			if err != nil || string(got) != value {
				t.Errorf("fish: %q became %q (%v)", value, got, err)
			}
		}
		var list struct {
			Env []struct{ Name, Value string }
		}
		if err := yaml.Unmarshal([]byte(out["k8s"]), &list); err != nil || len(list.Env) != 1 || strings.ReplaceAll(list.Env[0].Value, "$$(", "$(") != value {
			t.Errorf("k8s: %q became %+v (%v)", value, list, err)
		}
		var back []Fix
		if err := json.Unmarshal([]byte(out["json"]), &back); err != nil || back[0].Value != value {
			t.Errorf("json: %q became %+v (%v)", value, back, err)
		}
	}
}

// TestDotenvShellAgree sources the dotenv form in a shell: both syntaxes share '…' and "…".
func TestDotenvShellAgree(t *testing.T) {
	for _, value := range nasty {
		if strings.Contains(value, "`") {
			continue // a backquote is plain in a .env file, and a command in a shell's "…"
		}
		var b bytes.Buffer
		if err := Write(&b, "dotenv", []Fix{{Name: "X", Value: value}}); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), ".env")
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := exec.Command("sh", "-c", `. "$1"; printf %s "$X"`, "sh", file).Output()
		if err != nil || string(got) != value {
			t.Errorf("%q became %q (%v)", value, got, err)
		}
	}
}

func TestWriteErrors(t *testing.T) {
	if err := Write(&bytes.Buffer{}, "cmd", nil); err == nil {
		t.Error("unknown syntax taken")
	}
	if err := Write(&bytes.Buffer{}, "docker", []Fix{{Name: "X", Value: "a\nb"}}); err == nil {
		t.Error("a line break in a Dockerfile's ENV taken")
	}
	var b bytes.Buffer
	if err := Write(&b, "json", nil); err != nil || b.String() != "[]\n" {
		t.Errorf("no fixes: %q %v", &b, err)
	}
}
