package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"tfguard/guard/history"
)

// tfguardCommand is the real main in a process of its own: testscript.Main has put it on PATH.
func tfguardCommand(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command("tfguard", args...)
	c.Env = append(os.Environ(), "XDG_STATE_HOME="+t.TempDir(), "TMPDIR="+t.TempDir(), "XDG_RUNTIME_DIR=")
	return c
}

// status is how a shell would print it: the code, or "signal N".
func status(err error) string {
	var e *exec.ExitError
	if err == nil {
		return "0"
	}
	if !errors.As(err, &e) {
		return err.Error()
	}
	ws := e.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		return fmt.Sprintf("signal %d", ws.Signal())
	}
	return strconv.Itoa(ws.ExitStatus())
}

// What timeout(1) documents (coreutils' manual, "timeout invocation"), by both. A difference is on purpose and says why.
func TestConformsToTimeout(t *testing.T) {
	if _, err := exec.LookPath("timeout"); err != nil {
		t.Skip("no timeout(1)")
	}
	dir := t.TempDir()
	noexec := filepath.Join(dir, "noexec")
	script := filepath.Join(dir, "script")
	for path, mode := range map[string]os.FileMode{noexec: 0o644, script: 0o755} {
		if err := os.WriteFile(path, []byte("exit 7\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name     string
		duration string
		flags    []string // the same for both
		command  []string
		want     string
		ours     string // where tfguard differs
		why      string
	}{
		{name: "the command's code", duration: "10", command: []string{"sh", "-c", "exit 3"}, want: "3"},
		{name: "code 0", duration: "10", command: []string{"true"}, want: "0"},
		{name: "code 255", duration: "10", command: []string{"sh", "-c", "exit 255"}, want: "255"},
		{name: "a code that looks like a timeout", duration: "10", command: []string{"sh", "-c", "exit 124"}, want: "124"},
		{name: "timed out", duration: "0.2", command: []string{"sleep", "20"}, want: "124"},
		{name: "suffix s", duration: "0.2s", command: []string{"sleep", "20"}, want: "124"},
		{name: "suffix m", duration: "0.004m", command: []string{"sleep", "20"}, want: "124"},
		{name: "suffix d", duration: "0.000003d", command: []string{"sleep", "20"}, want: "124"},
		{name: "0 turns it off", duration: "0", command: []string{"sleep", "0.3"}, want: "0"},
		{name: "preserve-status", duration: "0.2", flags: []string{"--preserve-status"}, command: []string{"sleep", "20"}, want: "143",
			ours: "signal 15", why: "timeout exits with 128+15; we die of the signal, which is the same in a shell"},
		{name: "preserve-status of a handler", duration: "0.3", flags: []string{"--preserve-status"}, command: []string{"sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.05; done"}, want: "5"},
		{name: "another signal", duration: "0.3", flags: []string{"-s", "USR1", "--preserve-status"}, command: []string{"sh", "-c", "trap 'exit 6' USR1; while :; do sleep 0.05; done"}, want: "6"},
		{name: "signal by number", duration: "0.3", flags: []string{"-s", "10", "--preserve-status"}, command: []string{"sh", "-c", "trap 'exit 6' USR1; while :; do sleep 0.05; done"}, want: "6"},
		{name: "TERM ignored, then KILL", duration: "0.2", flags: []string{"-k", "0.2"}, command: []string{"sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"}, want: "signal 9",
			ours: "124", why: "the contract keeps 124 for what tfguard ended; 137 would be ambiguous"},
		{name: "KILL at once", duration: "0.2", flags: []string{"-s", "KILL"}, command: []string{"sleep", "20"}, want: "signal 9",
			ours: "124", why: "as above"},
		{name: "the command dies of a signal", duration: "10", command: []string{"sh", "-c", "kill -USR1 $$"}, want: "signal 10"},
		{name: "killed", duration: "10", command: []string{"sh", "-c", "kill -9 $$"}, want: "signal 9"},
		{name: "segmentation fault", duration: "10", command: []string{"sh", "-c", "kill -SEGV $$"}, want: "signal 11"},
		{name: "not found", duration: "10", command: []string{"/nonexistent/command"}, want: "127"},
		{name: "not found in PATH", duration: "10", command: []string{"no-such-command"}, want: "127"},
		{name: "not executable", duration: "10", command: []string{noexec}, want: "126"},
		{name: "a folder", duration: "10", command: []string{dir}, want: "126"},
		{name: "a script without #!", duration: "10", command: []string{script}, want: "7"},
		{name: "a stopped command", duration: "0.3", command: []string{"sh", "-c", "kill -STOP $$"}, want: "124"},
		{name: "its own options stay its own", duration: "10", command: []string{"sh", "-c", "test \"$1\" = -k", "sh", "-k", "3"}, want: "0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			theirs := exec.Command("timeout", append(append(append([]string(nil), tc.flags...), tc.duration), tc.command...)...)
			if got := status(theirs.Run()); got != tc.want {
				t.Errorf("timeout: %s, want %s", got, tc.want)
			}
			want := tc.want
			if tc.ours != "" {
				want = tc.ours
			}
			var stderr bytes.Buffer
			ours := tfguardCommand(t, append(append([]string{"exec", "--timeout", tc.duration}, tc.flags...), tc.command...)...)
			ours.Stderr = &stderr
			if got := status(ours.Run()); got != want {
				t.Errorf("tfguard: %s, want %s\n%s", got, want, stderr.String())
			}
		})
	}
}

// A signal to timeout or tfguard reaches the command; the code is the command's.
func TestForwardsSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			t.Parallel()
			ready := filepath.Join(t.TempDir(), "ready")
			name := strings.TrimPrefix(unix.SignalName(sig), "SIG")
			c := tfguardCommand(t, "exec", "--", "sh", "-c", "trap 'echo once; exit 9' "+name+"; echo > "+ready+"; while :; do sleep 0.02; done")
			var out bytes.Buffer
			c.Stdout = &out
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "the command", func() bool { _, err := os.Stat(ready); return err == nil })
			_ = c.Process.Signal(sig)
			if got := status(c.Wait()); got != "9" || out.String() != "once\n" {
				t.Errorf("%s, output %q; want 9, once", got, out.String())
			}
		})
	}
}

func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// marked lists living processes whose environment holds the marker.
func marked(marker string) (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		env, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if bytes.Contains(env, []byte("GUARD_MARK="+marker)) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// descend is a command with a child, and a grandchild in a session of its own that ignores SIGTERM and SIGHUP.
const descend = `(trap '' TERM HUP; exec setsid sh -c 'trap "" TERM HUP; while :; do sleep 0.05; done') & sh -c 'while :; do sleep 0.05; done' & while :; do sleep 0.05; done`

// Whatever is killed, at whatever moment: nothing is left, the history is whole, and the code tells what happened.
// TFGUARD_FAULT_ROUNDS sets the number of rounds (default 6).
func TestKillAnything(t *testing.T) {
	rounds := 6
	if n, err := strconv.Atoi(os.Getenv("TFGUARD_FAULT_ROUNDS")); err == nil {
		rounds = n
	}
	state := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	for round := range rounds {
		mark := fmt.Sprintf("%d-%d", os.Getpid(), round)
		c := exec.Command("tfguard", "exec", "-k", "0.2", "--name", mark, "--breaker", "1000/1h", "--", "sh", "-c", descend)
		c.Env = append(os.Environ(), "GUARD_MARK="+mark, "XDG_STATE_HOME="+state, "TMPDIR="+t.TempDir(), "XDG_RUNTIME_DIR=")
		var stderr bytes.Buffer
		c.Stderr = &stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(random.IntN(120)) * time.Millisecond)
		victim := []string{"supervisor", "keeper", "command", "grandchild", "any"}[round%5]
		pid := 0
		supervisor := c.Process.Pid
		byKind := map[string][]int{}
		for _, p := range marked(mark) {
			kind := "any"
			cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p))
			switch {
			case p == supervisor:
				kind = "supervisor"
			case bytes.HasPrefix(cmdline, []byte("tfguard-keeper")):
				kind = "keeper"
			case parent(p) != supervisor && strings.Contains(string(cmdline), "setsid"):
				kind = "command"
			case strings.Contains(string(cmdline), "trap \"\""):
				kind = "grandchild"
			}
			byKind[kind] = append(byKind[kind], p)
		}
		if l := byKind[victim]; len(l) > 0 {
			pid = l[random.IntN(len(l))]
		} else {
			pid, victim = supervisor, "supervisor"
		}
		_ = unix.Kill(pid, unix.SIGKILL)
		if victim == "grandchild" || victim == "any" { // the command lives on: end it as a user would
			time.Sleep(20 * time.Millisecond)
			_ = unix.Kill(supervisor, unix.SIGTERM)
		}
		got := status(c.Wait())
		switch victim {
		case "supervisor":
			if got != "signal 9" {
				t.Errorf("round %d: %s killed: %s", round, victim, got)
			}
		case "keeper":
			if got != "125" {
				t.Errorf("round %d: %s killed: %s, want 125\n%s", round, victim, got, stderr.String())
			}
		case "command":
			if got != "signal 9" {
				t.Errorf("round %d: %s killed: %s, want signal 9\n%s", round, victim, got, stderr.String())
			}
		case "grandchild":
			if got != "signal 15" && got != "143" {
				t.Errorf("round %d: %s killed, then TERM: %s, want signal 15\n%s", round, victim, got, stderr.String())
			}
		}
		waitFor(t, fmt.Sprintf("round %d (%s killed): nothing left", round, victim), func() bool { return len(marked(mark)) == 0 })
	}
	if _, damaged, err := history.Open(filepath.Join(state, "tfguard")).Read(); damaged != 0 || err != nil {
		t.Errorf("history: %d damaged lines, %v", damaged, err)
	}
}

func parent(pid int) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(string(f[1]))
	return n
}

func readOutcome(t *testing.T, path string) history.Outcome {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var o history.Outcome
	if err := json.Unmarshal(b, &o); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return o
}

// A crash is restarted with the resume argument, then the fallback runs; the environment in the evidence hides secrets.
func TestRestartFallbackOutcome(t *testing.T) {
	dir := t.TempDir()
	outcome := filepath.Join(dir, "outcome.json")
	c := tfguardCommand(t, "exec", "--restarts", "1", "--resume-arg=--resume", "--fallback", "echo fell back from $TFGUARD_REASON; exit 4", "--outcome", outcome,
		"--", "sh", "-c", "echo attempt $TFGUARD_ATTEMPT \"$@\"; exit 3", "sh")
	out, err := c.Output()
	if status(err) != "4" || string(out) != "attempt 1\nattempt 2 --resume\nfell back from exited\n" {
		t.Fatalf("%s\n%s", status(err), out)
	}
	o := readOutcome(t, outcome)
	if o.Schema != history.OutcomeSchema || o.Code != 4 || !o.Fallback || len(o.Attempts) != 3 || o.Attempts[1].Code != 3 || o.Reason != "exited" {
		t.Errorf("%+v", o)
	}
}

func TestEvidence(t *testing.T) {
	dir := t.TempDir()
	outcome, evidence := filepath.Join(dir, "outcome.json"), filepath.Join(dir, "evidence")
	c := tfguardCommand(t, "exec", "--timeout", "0.4", "--tee", "--outcome", outcome, "--evidence", evidence, "--", "sh", "-c", "echo the last line; sleep 60")
	c.Env = append(c.Env, "MY_PASSWORD=hunter2")
	out, err := c.CombinedOutput()
	if status(err) != "124" || !strings.Contains(string(out), "the last line\n") {
		t.Fatalf("%s\n%s", status(err), out)
	}
	o := readOutcome(t, outcome)
	if o.Reason != history.Timeout || len(o.Attempts) != 1 || o.Attempts[0].Evidence == "" {
		t.Fatalf("%+v", o)
	}
	for name, want := range map[string]string{
		"inspect.json": `"tfguard/inspect/v1"`, "inspect.txt": "timeout: ", "faulthandler.txt": "no process", "samples.json": "[",
		"output.txt": "the last line", "environment.txt": `MY_PASSWORD="***"`,
	} {
		path := filepath.Join(o.Attempts[0].Evidence, name)
		b, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(b), want) || strings.Contains(string(b), "hunter2") {
			t.Errorf("%s: %v, %q; want %s", name, err, b, want)
		}
		if fi, err := os.Stat(path); err == nil && fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v", name, fi.Mode())
		}
	}
}

func TestBreakerOpensAcrossRuns(t *testing.T) {
	state := t.TempDir()
	run := func(args ...string) string {
		c := exec.Command("tfguard", args...)
		c.Env = append(os.Environ(), "XDG_STATE_HOME="+state)
		return status(c.Run())
	}
	var got []string
	for range 5 {
		got = append(got, run("exec", "--name", "job", "--", "false"))
	}
	if s := strings.Join(got, " "); s != "1 1 1 1 75" {
		t.Errorf("five failing runs: %s", s)
	}
	if s := run("exec", "--name", "other", "--", "true"); s != "0" {
		t.Errorf("another job: %s", s)
	}
	if s := run("exec", "--name", "job", "--fallback", "exit 0", "--", "false"); s != "0" {
		t.Errorf("open, with a fallback: %s", s)
	}
	c := exec.Command("tfguard", "history")
	c.Env = append(os.Environ(), "XDG_STATE_HOME="+state)
	out, err := c.CombinedOutput()
	if err != nil || !regexp.MustCompile(`breaker job: open, 4 failures, next try after \d{4}-`).Match(out) || !strings.Contains(string(out), "circuit-open") {
		t.Errorf("%v\n%s", err, out)
	}
}

// What a command that ended well leaves behind is its own business; what a failed one leaves is ended.
func TestLeftBehind(t *testing.T) {
	for code, left := range map[int]bool{0: true, 1: false} {
		mark := fmt.Sprintf("left-%d-%d", os.Getpid(), code)
		c := tfguardCommand(t, "exec", "--", "sh", "-c", fmt.Sprintf("setsid sleep 30 >/dev/null 2>&1 & sleep 0.1; exit %d", code))
		c.Env = append(c.Env, "GUARD_MARK="+mark)
		if got := status(c.Run()); got != strconv.Itoa(code) {
			t.Errorf("%s", got)
		}
		pids := marked(mark)
		if (len(pids) > 0) != left {
			t.Errorf("code %d: left %v", code, pids)
		}
		for _, p := range pids {
			_ = unix.Kill(p, unix.SIGKILL)
		}
	}
}

// NOTIFY_SOCKET: a program that pings and stops is ended; one that goes on pinging is not.
func TestWatchdog(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	const script = `
import os, socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
assert os.environ["WATCHDOG_USEC"] == "500000"
for i in range(int(sys.argv[1])):
    s.sendto(b"READY=1\nWATCHDOG=1", os.environ["NOTIFY_SOCKET"]); time.sleep(0.1)
time.sleep(float(sys.argv[2]))
`
	for _, tc := range []struct{ pings, sleep, want, reason string }{{"12", "0", "0", "exited"}, {"3", "30", "124", "step-timeout"}} {
		outcome := filepath.Join(t.TempDir(), "o")
		c := tfguardCommand(t, "exec", "--profile", "none", "--watchdog", "0.5", "--grace", "0.2", "--outcome", outcome, "--", python, "-I", "-c", script, tc.pings, tc.sleep)
		out, err := c.CombinedOutput()
		if got := status(err); got != tc.want || readOutcome(t, outcome).Reason != tc.reason {
			t.Errorf("%s pings: %s\n%s", tc.pings, got, out)
		}
	}
}
