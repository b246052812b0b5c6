package python

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"tfguard/probe"
	"tfguard/probe/memory"
)

// A target is a Python program that a test started.
type target struct {
	*exec.Cmd
	pid  int
	line []byte // the first line that it printed
}

// start runs a program of testdata with an interpreter and waits for its first line. The program ends when its stdin closes.
func start(t *testing.T, python []string, program string, args ...string) *target {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", program))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python[0], append(append(append([]string{}, python[1:]...), path), args...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReaderSize(out, 1<<20).ReadBytes('\n')
	if err != nil {
		t.Fatalf("%v %s: %v\n%s", python, program, err, stderr.String())
	}
	return &target{cmd, cmd.Process.Pid, line}
}

// testModules reads a process's file mappings; the bias comes from the first piece of each file.
func testModules(t testing.TB, pid int) []probe.Module {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	var out []probe.Module
	seen := map[string]bool{}
	for _, line := range strings.Split(string(b), "\n") {
		f := strings.Fields(line)
		if len(f) < 6 || !strings.HasPrefix(f[5], "/") {
			continue
		}
		path := strings.Join(f[5:], " ")
		offset, _ := strconv.ParseUint(f[2], 16, 64)
		if offset != 0 || seen[path] {
			continue
		}
		seen[path] = true
		lo, hi, _ := strings.Cut(f[0], "-")
		m := probe.Module{Path: path}
		m.Start, _ = strconv.ParseUint(lo, 16, 64)
		m.End, _ = strconv.ParseUint(hi, 16, 64)
		m.Bias = m.Start - linkAddress(path)
		out = append(out, m)
	}
	return out
}

// pythonCommands lists how to run each Python found.
func pythonCommands() [][]string {
	var out [][]string
	for _, p := range findPythons() {
		out = append(out, []string{p})
	}
	// TFGUARD_TEST_PYTHONS adds command lines, separated by ';'.
	for _, c := range strings.Split(os.Getenv("TFGUARD_TEST_PYTHONS"), ";") {
		if f := strings.Fields(c); len(f) > 0 {
			out = append(out, f)
		}
	}
	return out
}

func eachPython(t *testing.T, f func(t *testing.T, python []string)) {
	pythons := pythonCommands()
	if len(pythons) == 0 {
		t.Skip("no python3.9 to python3.14 found")
	}
	for _, p := range pythons {
		t.Run(filepath.Base(filepath.Dir(filepath.Dir(p[len(p)-1])))+"-"+filepath.Base(p[len(p)-1]), func(t *testing.T) {
			f(t, p)
		})
	}
}

func (p *target) find(t testing.TB) *Runtime {
	t.Helper()
	exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.pid))
	rt, err := Find(memory.Process(p.pid), testModules(t, p.pid), exe, func(path string) (File, error) { return os.Open(path) })
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

func (p *target) tids(t testing.TB) map[int]int {
	t.Helper()
	dirs, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.pid))
	if err != nil {
		t.Fatal(err)
	}
	out := map[int]int{}
	for _, d := range dirs {
		if n, err := strconv.Atoi(d.Name()); err == nil {
			out[n] = n
		}
	}
	return out
}

func (p *target) look(t testing.TB) *Look {
	t.Helper()
	l, err := p.find(t).Look(p.tids(t))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

type expectedThread struct {
	TID    int
	Name   string
	Daemon bool
	Ident  uint64
	Frames [][]any
}

// TestFrames compares every frame of many kinds with what the interpreter says itself.
func TestFrames(t *testing.T) {
	eachPython(t, func(t *testing.T, python []string) {
		p := start(t, python, "frames.py")
		var want struct {
			Main    int
			Threads []expectedThread
		}
		if err := json.Unmarshal(p.line, &want); err != nil {
			t.Fatal(err)
		}
		l := p.look(t)
		t.Logf("%s, %s at %#x, %s", l.rt.Version, l.rt.Binary, l.rt.Addr, l.rt.LayoutFrom)
		if len(l.Missing) > 0 {
			t.Errorf("missing: %v", l.Missing)
		}
		if l.MainTID != want.Main {
			t.Errorf("main thread %d, want %d", l.MainTID, want.Main)
		}
		if len(l.Threads) != len(want.Threads)+1 {
			t.Errorf("%d threads, want %d", len(l.Threads), len(want.Threads)+1)
		}
		for _, w := range want.Threads {
			th := l.Thread(w.TID)
			if th == nil {
				t.Errorf("%s: no thread %d", w.Name, w.TID)
				continue
			}
			if !th.Stable || th.Missing != "" || th.Ident != w.Ident {
				t.Errorf("%s: stable %v, missing %q, ident %#x, want %#x", w.Name, th.Stable, th.Missing, th.Ident, w.Ident)
			}
			var got, exp []string
			for _, f := range th.Frames {
				got = append(got, fmt.Sprintf("%s %s:%d", f.Function, f.File, f.Line))
			}
			for _, f := range w.Frames {
				exp = append(exp, fmt.Sprintf("%v %v:%v", f[0], f[1], f[2]))
			}
			if strings.Join(got, "\n") != strings.Join(exp, "\n") {
				t.Errorf("%s:\n%s\nwant:\n%s", w.Name, strings.Join(got, "\n"), strings.Join(exp, "\n"))
			}
		}
	})
}
