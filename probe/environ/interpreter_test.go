package environ

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"tfguard/probe"
)

// tensorflowPython is the interpreter that tests with a real TensorFlow use: $TFGUARD_TEST_PYTHON, else .venv at the repository's root.
func tensorflowPython(t testing.TB) string {
	t.Helper()
	if p := os.Getenv("TFGUARD_TEST_PYTHON"); p != "" {
		return p
	}
	p, err := filepath.Abs("../../.venv/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p); err != nil {
		t.Skip("no TensorFlow here: make a .venv at the repository's root or set TFGUARD_TEST_PYTHON")
	}
	return p
}

func TestFindInterpreterReal(t *testing.T) {
	in, err := FindInterpreter(context.Background(), tensorflowPython(t))
	if err != nil {
		t.Fatal(err)
	}
	if !in.TensorFlow.Known() {
		t.Fatalf("no TensorFlow: %s", in.TensorFlow.Missing)
	}
	tf := in.TensorFlow.Value
	if !strings.HasPrefix(tf.Version, "2.") || !strings.HasPrefix(tf.Dist, "tensorflow") || filepath.Base(tf.Dir) != "tensorflow" {
		t.Errorf("TensorFlow %+v", tf)
	}
	if !strings.HasPrefix(in.Version, "3.") || in.Keras == "" || len(in.Packages) < 10 {
		t.Errorf("interpreter %+v", in)
	}
}

// fakePython is a program that answers as an interpreter would.
func fakePython(t *testing.T, dir, script string) string {
	t.Helper()
	path := filepath.Join(dir, "bin", "python3")
	write(t, path, "#!/bin/sh\n"+script+"\n")
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFindInterpreterOrder(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	answer := `echo noise of a .pth file; echo '{"version":"3.12.9","prefix":"/x","base":"/x","path":["/nowhere"]}'`
	explicit := fakePython(t, filepath.Join(dir, "explicit"), answer)
	active := fakePython(t, filepath.Join(dir, "active"), answer)
	fakePython(t, filepath.Join(dir, ".venv"), answer)
	onPath := fakePython(t, filepath.Join(dir, "path"), answer)
	t.Setenv("PATH", filepath.Dir(onPath)+":/bin:/usr/bin")

	for _, tt := range []struct{ name, python, venv, want string }{
		{"--python beats all", explicit, filepath.Join(dir, "active"), explicit},
		{"--python takes a folder", "explicit", "", explicit},
		{"VIRTUAL_ENV beats .venv", "", filepath.Join(dir, "active"), active},
		{".venv here", "", "", filepath.Join(dir, ".venv/bin/python3")},
		{"a command name", "python3", "", onPath},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("VIRTUAL_ENV", tt.venv)
			in, err := FindInterpreter(context.Background(), tt.python)
			if err != nil {
				t.Fatal(err)
			}
			if in.Path != tt.want || in.Version != "3.12.9" {
				t.Errorf("got %s %s, want %s", in.Path, in.Version, tt.want)
			}
			if in.TensorFlow.Known() {
				t.Error("found a TensorFlow where there is none")
			}
		})
	}
}

func TestFindInterpreterErrors(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("VIRTUAL_ENV", "")
	silent := fakePython(t, filepath.Join(dir, "silent"), "true")
	failing := fakePython(t, filepath.Join(dir, "failing"), "echo broken >&2; exit 4")
	for _, tt := range []struct{ name, python, want string }{
		{"absent", "no-such-python", "no-such-python: executable file not found"},
		{"says nothing", silent, "answered"},
		{"fails", failing, "exit status 4: broken"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := FindInterpreter(context.Background(), tt.python)
			if !errors.Is(err, ErrNoInterpreter) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	t.Setenv("VIRTUAL_ENV", filepath.Join(dir, "gone"))
	if _, err := FindInterpreter(context.Background(), ""); !errors.Is(err, ErrNoInterpreter) || !strings.Contains(err.Error(), "VIRTUAL_ENV") {
		t.Errorf("error %v", err)
	}
}

func TestFindTensorFlow(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	write(t, filepath.Join(first, "tensorflow/notes.txt"), "a folder of that name is no package")
	write(t, filepath.Join(second, "tensorflow/__init__.py"), "")
	write(t, filepath.Join(second, "our_build-9.1.dist-info/RECORD"), "tensorflow/__init__.py,sha256=x,1\n")
	write(t, filepath.Join(second, "tensorflow_estimator-2.15.0.dist-info/RECORD"), "tensorflow_estimator/__init__.py,sha256=x,1\n")
	got := findTensorFlow([]string{first, second})
	want := probe.TFInstall{Version: "9.1", Dir: filepath.Join(second, "tensorflow"), Dist: "our-build"}
	if diff := cmp.Diff(want, got.Value); diff != "" {
		t.Error(diff)
	}

	bare := t.TempDir()
	write(t, filepath.Join(bare, "tensorflow/__init__.py"), "")
	write(t, filepath.Join(bare, "tensorflow/include/tensorflow/core/public/version.h"),
		"#define TF_MAJOR_VERSION 2\n#define TF_MINOR_VERSION 15\n#define TF_PATCH_VERSION 1\n")
	if got := findTensorFlow([]string{bare}).Value; got.Version != "2.15.1" || got.Dist != "" {
		t.Errorf("without dist-info: %+v", got)
	}
}

func TestImportPath(t *testing.T) {
	root := t.TempDir()
	for _, d := range []string{"lib", "site-packages", "user", "extra"} {
		if err := os.Mkdir(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	at := func(d string) string { return filepath.Join(root, d) }
	a := &interpreterAnswer{Prefix: "/usr", Base: "/usr", User: at("user"), Path: []string{at("python.zip"), at("lib"), at("site-packages")}}
	env := map[string]string{"PYTHONPATH": at("extra") + ":" + at("gone")}
	get := func(n string) string { return env[n] }
	if diff := cmp.Diff([]string{at("extra"), at("lib"), at("user"), at("site-packages")}, importPath(a, get)); diff != "" {
		t.Error(diff)
	}
	env["PYTHONNOUSERSITE"] = "1"
	if diff := cmp.Diff([]string{at("extra"), at("lib"), at("site-packages")}, importPath(a, get)); diff != "" {
		t.Error(diff)
	}
}

func TestDistInfo(t *testing.T) {
	for _, tt := range []struct {
		base, name, version string
		ok                  bool
	}{
		{"tensorflow_cpu-2.21.0.dist-info", "tensorflow-cpu", "2.21.0", true},
		{"h5py-3.1.0-py3.9.egg-info", "h5py", "3.1.0", true},
		{"numpy", "", "", false},
		{"broken.dist-info", "broken", "", false},
	} {
		if n, v, ok := distInfo(tt.base); n != tt.name || v != tt.version || ok != tt.ok {
			t.Errorf("%s: %q %q %v", tt.base, n, v, ok)
		}
	}
}
