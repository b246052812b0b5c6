package guard

import (
	"os"
	"strings"
	"testing"
)

func TestParseStat(t *testing.T) {
	line := "812 (a) b) S 811 812 811 0 -1 4194304 1 0 0 0 15 7 0 0 20 0 9 0 4242 100 200 18446744073709551615 0"
	got, ok := parseStat([]byte(line))
	if want := (stat{comm: "a) b", state: 'S', ppid: 811, ticks: 22, threads: 9, start: 4242}); !ok || got != want {
		t.Errorf("%+v, %v; want %+v", got, ok, want)
	}
	for _, bad := range []string{"", "812", "812 (a", "812 )a( S", "812 (a) S 1 2 3", strings.Replace(line, "811", "x", 1)} {
		if got, ok := parseStat([]byte(bad)); ok {
			t.Errorf("%q: %+v", bad, got)
		}
	}
	if st, ok := readStat(os.Getpid()); !ok || st.ppid != os.Getppid() || st.threads < 1 {
		t.Errorf("self: %+v", st)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("812 (a) b) S 811 812 811 0 -1 4194304 1 0 0 0 15 7 0 0 20 0 9 0 4242 100 200 18446744073709551615 0"))
	f.Fuzz(func(t *testing.T, b []byte) {
		parseStat(b)
		written(b)
		parseMessage(b)
	})
}

func TestMessages(t *testing.T) {
	for _, m := range []message{{opSignal, 15, 1}, {opExited, -1, 0}, {opGone, 1 << 30, -(1 << 31)}} {
		if got, ok := parseMessage(m.bytes()); !ok || got != m {
			t.Errorf("%v: %v, %v", m, got, ok)
		}
	}
}

func TestIsolated(t *testing.T) {
	for line, want := range map[string]string{
		"python train.py":         "",
		"python -u train.py -I":   "",
		"python -I train.py":      "python -I ignores PYTHONPATH",
		"python3.11 -uE train.py": "python3.11 -E ignores PYTHONPATH",
		"env X=1 python -S a.py":  "python -S does not import site, and so no sitecustomize",
		"python -m train -E":      "",
		"python -c print() -S":    "",
		"sh -c x":                 "",
		"python -sP train.py":     "",
	} {
		if got := isolated(strings.Fields(line)); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestEnvironmentHelpers(t *testing.T) {
	env := []string{"A=1", "B=2", "A=3"}
	if got := getenv(env, "A"); got != "3" {
		t.Error(got)
	}
	if got := strings.Join(setenv(env, "A", "4"), " "); got != "B=2 A=4" {
		t.Error(got)
	}
	if got := strings.Join(maskArgs([]string{"x", "--api-key", "k", "--token=t", "url=s3://a:b@c", "plain"}), " "); got != "x --api-key *** --token=*** url=s3://***@c plain" {
		t.Error(got)
	}
}

// The kept shim is used only while it is ours alone and unchanged.
func TestShimFolder(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	run := t.TempDir()
	dir, err := shimFolder(run)
	if err != nil || strings.HasPrefix(dir, run) {
		t.Fatalf("%s, %v", dir, err)
	}
	if again, err := shimFolder(run); again != dir || err != nil {
		t.Errorf("second call: %s, %v", again, err)
	}
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	for name, spoil := range map[string]func() error{
		"writable by others": func() error { return os.Chmod(dir, 0o777) },
		"changed": func() error {
			_ = os.Chmod(dir, 0o700)
			_ = os.Remove(dir + "/sitecustomize.py")
			return os.WriteFile(dir+"/sitecustomize.py", []byte("import os"), 0o400)
		},
		"a symlink": func() error { _ = os.Rename(dir, dir+".old"); return os.Symlink(dir+".old", dir) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		own := t.TempDir()
		if got, err := shimFolder(own); err != nil || !strings.HasPrefix(got, own) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}
