package zoo

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A program's whole tree ends with Stop, also a grandchild in a session of its own whose parent has gone.
func TestStopLeavesNothing(t *testing.T) {
	python := findPython(t)
	p := write(t, `# zoo: id=- state=idle
# needs: none
# settle: 10ms
# proof: sleeps
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        f = open(os.environ["ZOO_READY"] + ".new", "w"); f.write(str(os.getpid())); f.close()
        os.rename(os.environ["ZOO_READY"] + ".new", os.environ["ZOO_READY"])
        time.sleep(1000)
    os._exit(0)
os.wait()
time.sleep(1000)
`)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := Start(ctx, p, python, false)
	if err != nil {
		t.Fatal(err, r.Stop())
	}
	if r.PID == r.Leader {
		t.Errorf("ready named the grandchild, but %d is the leader", r.PID)
	}
	if n := len(r.Processes()); n != 2 {
		t.Errorf("%d processes, want 2", n)
	}
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{r.PID, r.Leader} {
		if err := unix.Kill(pid, 0); err != unix.ESRCH {
			t.Errorf("process %d is still there: %v", pid, err)
		}
	}
	if _, err := os.Stat(r.dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", r.dir, err)
	}
}

// The proof refuses a program that states a hang but ends, and one that states a hang but works.
func TestProveRefuses(t *testing.T) {
	python := findPython(t)
	head := "# zoo: id=TFG403 state=hung\n# needs: none\n# settle: 10ms\n# proof: none\nimport os, time\n" +
		`f = open(os.environ["ZOO_READY"] + ".new", "w"); f.write(str(os.getpid())); f.close()` + "\n" +
		`os.rename(os.environ["ZOO_READY"] + ".new", os.environ["ZOO_READY"])` + "\n"
	for _, test := range []struct{ name, body, want string }{
		{"ends", "time.sleep(0.2)\n", "it has ended"},
		{"works", "while True: pass\n", "blocked, but it uses the CPU"},
		{"hangs", "time.sleep(1000)\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := write(t, head+test.body)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			r, err := Start(ctx, p, python, true)
			defer r.Stop()
			if err != nil {
				t.Fatal(err)
			}
			saw, wrong := r.Prove(&p.Expected[0])
			if got := strings.Join(wrong, "; "); !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
				t.Errorf("saw %s, got %q, want %q", saw, got, test.want)
			}
		})
	}
}

func write(t *testing.T, text string) *Program {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program.py")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	p, err := parseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func findPython(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("TFGUARD_TEST_PYTHON"), "../../.venv/bin/python", "python3"} {
		if path, err := exec.LookPath(name); err == nil && name != "" {
			return path
		}
	}
	t.Skip("no Python: set TFGUARD_TEST_PYTHON or make a .venv")
	return ""
}
