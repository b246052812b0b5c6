package environ

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"tfguard/probe"
)

// parseText parses text as the file of that name.
func parseText(t testing.TB, name, text string) (*File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	write(t, path, text)
	f, err := ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s", strings.ReplaceAll(err.Error(), filepath.Dir(path)+"/", ""))
	}
	return f, nil
}

// shown writes variables as line:column NAME=value, with marks for what is not plain.
func shown(vars []probe.Variable) []string {
	var out []string
	for _, v := range vars {
		s := fmt.Sprintf("%d:%d %s=%s", v.Origin.Line, v.Origin.Column, v.Name, v.Value)
		if v.Unresolved {
			s += " (unresolved)"
		}
		if v.BuildOnly {
			s += " (build)"
		}
		out = append(out, s)
	}
	return out
}

func TestVariablesOfFiles(t *testing.T) {
	for _, tt := range []struct {
		name, file, text string
		want             []string
	}{
		{"dotenv", ".env", "\n# c\nTF_A=1\n export TF_B = two words # c\nTF_C='it''s'\n", nil},
		{"dotenv forms", ".env", "# c\nTF_A=1\n  export TF_B= two words # c\nTF_C='$x # y' # c\nTF_D=\"a\\n\\\"b\\\"\\$\"\nTF_E=\nTF_F\nTF_G=a#b\nTF_H=#\nOTHER=1\nTF_I='two\nlines'\nTF_J=1\n",
			[]string{"2:1 TF_A=1", "3:10 TF_B=two words", "4:1 TF_C=$x # y", "5:1 TF_D=a\n\"b\"$", "6:1 TF_E=", "8:1 TF_G=a#b", "9:1 TF_H=", "11:1 TF_I=two\nlines", "13:1 TF_J=1"}},
		{"dotenv crlf and bom", ".env", "\xef\xbb\xbfTF_A=1\r\nTF_B=2\r\n", []string{"1:1 TF_A=1", "2:1 TF_B=2"}},

		{"dockerfile pairs", "Dockerfile", "FROM x\nENV TF_A=1 TF_B=\"two words\" TF_C=a\\ b\n", []string{"2:5 TF_A=1", "2:12 TF_B=two words", "2:29 TF_C=a b"}},
		{"dockerfile old form", "Dockerfile", "from x\nenv TF_A the rest = is the value\n", []string{"2:5 TF_A=the rest = is the value"}},
		{"dockerfile continuation", "Dockerfile", "FROM x\nENV TF_A=1 \\\n  # comment\n\n    TF_B=2\n", []string{"2:5 TF_A=1", "5:5 TF_B=2"}},
		{"dockerfile escape directive", "Dockerfile", "# escape=`\nFROM x\nENV TF_A=a`\n TF_B=b\\c\n", []string{"3:5 TF_A=a", "4:2 TF_B=b\\c"}},
		{"dockerfile expansion", "Dockerfile", "FROM x\nARG N=4\nENV TF_A=$N TF_B=${N}0 TF_C=${NO:-7} TF_D=${N:+y} TF_E='$N' TF_F=\\$N\n",
			[]string{"3:5 TF_A=4", "3:13 TF_B=40", "3:24 TF_C=7", "3:38 TF_D=y", "3:51 TF_E=$N", "3:61 TF_F=$N"}},
		{"dockerfile sees the values before its own line", "Dockerfile", "FROM x\nENV TF_A=1\nENV TF_A=2 TF_B=$TF_A\n", []string{"2:5 TF_A=1", "3:5 TF_A=2", "3:12 TF_B=1"}},
		{"dockerfile build argument", "Dockerfile", "FROM x\nARG TF_A\nARG TF_B=1\nENV TF_B=$TF_A\n", []string{"4:5 TF_B=$TF_A (unresolved)", "2:5 TF_A= (unresolved) (build)"}},
		{"dockerfile global argument", "Dockerfile", "ARG N=3\nFROM x\nARG N\nENV TF_A=$N\n", []string{"4:5 TF_A=3"}},
		{"dockerfile stages", "Dockerfile", "FROM x AS base\nENV TF_A=1\nFROM y AS build\nENV TF_B=1\nFROM base\nCOPY --from=build /a /b\nENV TF_C=1\n", []string{"2:5 TF_A=1", "7:5 TF_C=1"}},
		{"dockerfile heredoc", "Dockerfile", "FROM x\nRUN <<-EOT cat <<'B' > /y\n\tENV TF_A=1\n\tEOT\nENV TF_B=2\nB\nENV TF_C=3\n", []string{"7:5 TF_C=3"}},

		{"compose map and list", "compose.yaml", "services:\n  a:\n    environment:\n      TF_A: 1\n      TF_B: \"x\"\n      TF_C:\n  b:\n    environment:\n    - TF_D=a=b\n    - TF_E\n",
			[]string{"4:7 TF_A=1", "5:7 TF_B=x", "9:7 TF_D=a=b"}},
		{"compose merge key", "compose.yaml", "x-env: &e\n  TF_A: 1\n  TF_B: 1\nservices:\n  a:\n    environment:\n      <<: *e\n      TF_B: 2\n", []string{"2:3 TF_A=1", "3:3 TF_B=1", "8:7 TF_B=2"}},
		{"compose interpolation", "compose.yaml", "services:\n  a:\n    environment:\n      TF_A: ${X}\n      TF_B: ${X:-5}\n      TF_C: $$X\n      TF_D: it's \"x\"\n", []string{"4:7 TF_A=${X} (unresolved)", "5:7 TF_B=5", "6:7 TF_C=$X", "7:7 TF_D=it's \"x\""}},

		{"kubernetes kinds", "k.yaml", "kind: Pod\nspec:\n  initContainers:\n  - name: i\n    env: [{name: TF_A, value: \"1\"}]\n  containers:\n  - name: c\n    env:\n    - {name: TF_B, value: $(TF_Z)$$(x)}\n    - {name: TF_Z, value: z}\n    - {name: TF_C, value: $(TF_Z)}\n    - {name: TF_D, valueFrom: {secretKeyRef: {name: s, key: k}}}\n",
			[]string{"5:18 TF_A=1", "9:14 TF_B=$(TF_Z)$(x)", "10:14 TF_Z=z", "11:14 TF_C=z", "12:14 TF_D=(from elsewhere) (unresolved)"}},
		{"kubernetes custom kind", "k.yaml", "apiVersion: kubeflow.org/v1\nkind: TFJob\nmetadata: {name: j}\nspec:\n  tfReplicaSpecs:\n    Worker:\n      template:\n        spec:\n          containers:\n          - name: tensorflow\n            env: [{name: TF_A, value: a}]\n", []string{"11:26 TF_A=a"}},
		{"kubernetes config map", "k.yaml", "kind: Pod\nspec:\n  containers:\n  - name: c\n    envFrom: [{configMapRef: {name: m}, prefix: TF_}]\n---\nkind: ConfigMap\nmetadata: {name: m}\ndata:\n  A: \"1\"\n", []string{"10:3 TF_A=1"}},
		{"kubernetes json", "pod.json", `{"kind":"Pod","spec":{"containers":[{"name":"c","env":[{"name":"TF_A","value":"1"}]}]}}`, []string{"1:64 TF_A=1"}},

		{"systemd", "a.service", "[Service]\nEnvironment=TF_A=1 \"TF_B=two words\" 'TF_C=x' TF_D=a%%b TF_E=%i\nEnvironment=TF_F=1 \\\n  TF_G=2\n", []string{"2:13 TF_A=1", "2:21 TF_B=two words", "2:38 TF_C=x", "2:46 TF_D=a%b", "2:56 TF_E=%i (unresolved)", "3:13 TF_F=1", "4:3 TF_G=2"}},
		{"systemd reset and unset", "a.service", "[Service]\nEnvironment=TF_A=1\nEnvironment=\nEnvironment=TF_B=1 TF_C=1\nUnsetEnvironment=TF_C\n", []string{"4:13 TF_B=1"}},

		{"gunicorn", "gunicorn.conf.py", "import os\nos.environ['TF_A'] = '1'\nos.environ[\"TF_B\"] = str(2)\nraw_env = ['TF_C=3', # c\n  \"TF_D=4\"]\ndef f():\n    raw_env = ['TF_X=1']\n", []string{"2:1 TF_A=1", "3:1 TF_B= (unresolved)", "4:1 TF_C=3", "4:1 TF_D=4"}},
		{"uwsgi", "uwsgi.ini", "[other]\nenv = TF_X=1\n[uwsgi]\n  env = TF_A = 1\nenv=TF_B=%(x)\n", []string{"4:3 TF_A=1", "5:1 TF_B=%(x) (unresolved)"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := parseText(t, tt.file, tt.text)
			if tt.want == nil {
				if err == nil {
					t.Fatalf("taken: %v", shown(f.Variables))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, shown(f.Variables)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestServicesOfFiles(t *testing.T) {
	one := func(t *testing.T, file, text string) probe.Service {
		t.Helper()
		f, err := parseText(t, file, text)
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Services) != 1 {
			t.Fatalf("%d services", len(f.Services))
		}
		return f.Services[0]
	}
	for command, shell := range map[string]string{
		`["python", "a.py"]`:                        "",
		`python a.py`:                               "shell form",
		`exec python a.py`:                          "",
		`['python', 'a.py']`:                        "no",
		`["sh", "-c", "python a.py"]`:               "below sh -c",
		`["/bin/bash", "-lc", "python a.py"]`:       "below bash -c",
		`["sh", "-c", "cd /x && exec python a.py"]`: "",
		`["tini", "--", "python", "a.py"]`:          "",
	} {
		if got := one(t, "Dockerfile", "FROM x\nCMD "+command+"\n").Shell; (shell == "") != (got == "") || !strings.Contains(got, strings.TrimPrefix(shell, "no")) {
			t.Errorf("CMD %s: %q, want %q", command, got, shell)
		}
	}
	s := one(t, "compose.yaml", "services:\n  a:\n    mem_limit: 512m\n    cpus: 1.5\n    stop_grace_period: 1m30s\n    healthcheck: {disable: true}\n    command: gunicorn --preload -w 4 app:app\n")
	if s.Memory.Value != 512<<20 || s.CPU.Value != 1.5 || s.StopSecs.Value != 90 || s.Health.Set || !s.Preload.Value || s.Workers.Value != 4 {
		t.Errorf("compose: %+v", s)
	}
	s = one(t, "k.yaml", "kind: Deployment\nmetadata: {name: d}\nspec: {template: {spec: {shareProcessNamespace: true, terminationGracePeriodSeconds: 45, containers: [{name: c, resources: {limits: {memory: 1.5Gi, cpu: 500m}}, livenessProbe: {exec: {}}, readinessProbe: {httpGet: {}}}]}}}\n")
	if s.Memory.Value != 3<<29 || s.CPU.Value != 0.5 || s.StopSecs.Value != 45 || s.Health.Value != "exec" || s.Readiness.Value != "httpGet" || !s.ShareProcesses.Value || s.Workload != "Deployment" {
		t.Errorf("kubernetes: %+v", s)
	}
	s = one(t, "a.service", "[Service]\nMemoryMax=1G\nCPUQuota=150%\nTimeoutStopSec=1min 30s\nKillMode=none\nExecStart=-/usr/bin/gunicorn --threads=8 app\n")
	if s.Memory.Value != 1<<30 || s.CPU.Value != 1.5 || s.StopSecs.Value != 90 || s.KillMode.Value != "none" || s.WorkerThreads.Value != 8 {
		t.Errorf("systemd: %+v", s)
	}
	s = one(t, "gunicorn.conf.py", "preload_app = True\nworkers = 2*4\ntimeout = 0\ngraceful_timeout = 3.5\nworker_class = 'gthread'\n")
	if !s.Preload.Value || !s.Workers.Set || s.Workers.Value != 0 || !s.WorkerTimeout.Set || s.StopSecs.Value != 3.5 || s.WorkerClass.Value != "gthread" {
		t.Errorf("gunicorn: %+v", s)
	}
	s = one(t, "uwsgi.ini", "[uwsgi]\nprocesses = 4\nlazy-apps\n")
	if s.Preload.Value || s.Workers.Value != 4 {
		t.Errorf("uwsgi: %+v", s)
	}
}

func TestFileErrors(t *testing.T) {
	for _, tt := range []struct{ file, text, want string }{
		{".env", "TF_A=1\n=x\n", ".env:2:1: want NAME=value"},
		{".env", "TF_A='x' y\n", "unexpected text after the closing quote"},
		{"Dockerfile", "FROM x\nFOO bar\n", `Dockerfile:2: "FOO" is no Dockerfile instruction`},
		{"Dockerfile", "FROM x\nENV TF_A\n", "TF_A has no value"},
		{"Dockerfile", "FROM x\nENV TF_A=1 b\n", `"b": want NAME=value`},
		{"Dockerfile", "# escape=x\nFROM x\n", "only \\ and ` are possible"},
		{"Dockerfile", "FROM\n", "want IMAGE"},
		{"Dockerfile", "ARG X\n", "without FROM"},
		{"compose.yaml", "services: [a]\n", "without services"},
		{"compose.yaml", "services:\n  a: 1\n", "2:3: service a is no mapping"},
		{"compose.yaml", "services:\n  a: {mem_limit: lots}\n", `2:18: "lots" is not an amount`},
		{"k.yaml", "kind: Pod\n---\njust text\n", "not a Kubernetes object"},
		{"k.yaml", "kind: Pod\nspec: {containers: [{name: c, resources: {limits: {memory: x}}}]}\n", "is not an amount"},
		{"k.yaml", "kind: Pod\n\tx: 1\n", "invalid YAML"},
		{"k.yaml", "a: &a [*a]\nkind: x\nspec: *a\n", ""},
		{"a.service", "[Service\n", "a section header without ]"},
		{"a.service", "[Service]\nEnvironment=\"TF_A=1\n", "2:13: Environment: the quote \" is not closed"},
		{"a.service", "[Service]\nTimeoutStopSec=soon\n", "no time span"},
		{"gunicorn.conf.py", "raw_env = [\n", "1: a bracket is not closed"},
		{"gunicorn.conf.py", "x = 'a\n", "1: the string is not closed"},
		{"uwsgi.ini", "[uwsgi]\nenv = X\n", "2: env: want NAME=value"},
		{"uwsgi.ini", "[app]\n", "without a [uwsgi] section"},
		{"x.env", "TF_A=\xff\xfe\n", "not UTF-8"},
		{"readme.txt", "hello there\n", "not a kind of file"},
	} {
		_, err := parseText(t, tt.file, tt.text)
		if tt.want == "" {
			continue // anything but a panic
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), tt.file) {
			t.Errorf("%s %q: error %v, want %q", tt.file, tt.text, err, tt.want)
		}
	}
	big := filepath.Join(t.TempDir(), "big.env")
	if err := os.Truncate(mustCreate(t, big), maxFile+1); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(big); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("a huge file: %v", err)
	}
}

func mustCreate(t *testing.T, path string) string {
	write(t, path, "")
	return path
}

// TestYAMLBomb reads a short file whose merge keys multiply; it must end.
func TestYAMLBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 {TF_A: 1}\n")
	for i := 1; i < 40; i++ {
		fmt.Fprintf(&b, "a%d: &a%d {<<: [*a%d, *a%d, *a%d]}\n", i, i, i-1, i-1, i-1)
	}
	b.WriteString("services:\n  s:\n    environment: *a39\n")
	if _, err := parseText(t, "compose.yaml", b.String()); err != nil {
		t.Log(err)
	}
}

func TestMask(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"TF_API_KEY", "abc", Masked}, {"KERAS_TOKEN", "abc", Masked}, {"GCS_INITIAL_TOKENS", "5", "5"}, {"TF_TOKEN", "", ""},
		{"TF_CONFIG", "http://user:pw@host/", "http://***@host/"}, {"TF_A", "plain", "plain"},
	} {
		if got := Mask(tt.name, tt.value); got != tt.want {
			t.Errorf("%s=%s: %s", tt.name, tt.value, got)
		}
	}
	if got := MaskArguments("python x.py --api-key=abc --password hunter2 --lr 1"); strings.Contains(got, "abc") || strings.Contains(got, "hunter2") || !strings.HasSuffix(got, "--lr 1") {
		t.Error(got)
	}
}

func TestRelevant(t *testing.T) {
	for name, want := range map[string]bool{"TF_CONFIG": true, "TF_VAR_region": false, "TF_LOG": false, "TF_LOG_LEVEL": true, "TF_VERSION": false, "CUDA_VISIBLE_DEVICES": true, "PATH": false, "OMP_NUM_THREADS": true, "TFGUARD_X": false} {
		if Relevant(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func FuzzDotenv(f *testing.F) {
	f.Add("A=1\nexport B='x\ny'\nC=\"a\\n\" # c\n")
	f.Fuzz(func(t *testing.T, text string) {
		vars, err := dotenv("f", text, true)
		lines := strings.Count(text, "\n") + 1
		for _, v := range vars {
			if v.Origin.Line < 1 || v.Origin.Line > lines || v.Origin.Column < 1 || v.Name == "" {
				t.Fatalf("%+v of %d lines (%v)", v, lines, err)
			}
		}
	})
}

func fuzzFile(f *testing.F, kind string, parse func(*File, []byte) error) {
	f.Fuzz(func(t *testing.T, text []byte) {
		file := &File{Path: filepath.Join(t.TempDir(), "x"), Kind: kind, configMaps: map[string]configMap{}}
		if err := parse(file, text); err != nil && err.Error() == "" {
			t.Fatal("an error without a word")
		}
		lines := strings.Count(string(text), "\n") + 1
		for _, v := range file.Variables {
			if v.Origin.File == file.Path && (v.Origin.Line < 0 || v.Origin.Line > lines || v.Name == "") {
				t.Fatalf("%+v of %d lines", v, lines)
			}
		}
	})
}

func FuzzDockerfile(f *testing.F) {
	f.Add([]byte("# escape=`\nFROM x AS b\nARG A=1\nENV TF_A=${A:-x} `\n TF_B=\"q\"\nRUN <<E\nx\nE\nCMD [\"sh\",\"-c\",\"x\"]\n"))
	fuzzFile(f, "dockerfile", parseDockerfile)
}

func FuzzSystemd(f *testing.F) {
	f.Add([]byte("[Service]\nEnvironment=\"TF_A=1\" TF_B=\\x \\\n TF_C=2\nMemoryMax=1G\nTimeoutStopSec=1min 2s\nExecStart=-/usr/bin/gunicorn -w 2\n"))
	fuzzFile(f, "systemd", parseSystemd)
}

func FuzzUwsgi(f *testing.F) {
	f.Add([]byte("[uwsgi]\nenv = TF_A=1\nprocesses = 4\nlazy-apps\n"))
	fuzzFile(f, "uwsgi", parseUwsgi)
}

func FuzzGunicorn(f *testing.F) {
	f.Add([]byte("raw_env = ['TF_A=1', \"\"\"b\"\"\"]\nos.environ['TF_B'] = 'x'\nworkers = 2\n"))
	fuzzFile(f, "gunicorn", parseGunicorn)
}

func FuzzYAML(f *testing.F) {
	f.Add([]byte("services: {a: {environment: {TF_A: 1}, env_file: x, mem_limit: 1g}}\n"), true)
	f.Add([]byte("kind: List\nitems: [{kind: Pod, spec: {containers: [{name: c, env: [{name: TF_A, value: $(B)}]}]}}]\n"), false)
	f.Fuzz(func(t *testing.T, text []byte, compose bool) {
		kind := "kubernetes"
		if compose {
			kind = "compose"
		}
		_ = parseYAML(&File{Path: filepath.Join(t.TempDir(), "x"), Kind: kind, configMaps: map[string]configMap{}}, text)
	})
}
