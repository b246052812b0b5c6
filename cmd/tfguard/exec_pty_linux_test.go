package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

// A console is an interactive shell on a terminal of its own.
type console struct {
	t   *testing.T
	tty *os.File
	mu  sync.Mutex
	out bytes.Buffer
}

func newConsole(t *testing.T) *console {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash: its job control is what is tested")
	}
	c := exec.Command("bash", "--norc", "--noprofile", "--noediting", "-i")
	c.Env = append(os.Environ(), "PS1=$ ", "TERM=dumb", "XDG_STATE_HOME="+t.TempDir(), "TMPDIR="+t.TempDir(), "XDG_RUNTIME_DIR=")
	tty, err := pty.Start(c)
	if err != nil {
		t.Skipf("no terminal here: %v", err)
	}
	s := &console{t: t, tty: tty}
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := tty.Read(b)
			s.mu.Lock()
			s.out.Write(b[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		tty.Close()
	})
	return s
}

func (s *console) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.ReplaceAll(s.out.String(), "\r", "")
}

func (s *console) type_(line string) {
	s.t.Helper()
	if _, err := s.tty.WriteString(line); err != nil {
		s.t.Fatal(err)
	}
}

// sees waits for text n times in the output; what was typed is echoed, so tests print what they look for in two parts.
func (s *console) sees(text string, n int) {
	s.t.Helper()
	for deadline := time.Now().Add(15 * time.Second); strings.Count(s.text(), text) < n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("%q was not seen %d times:\n%s", text, n, s.text())
		}
	}
}

// Ctrl-C reaches the command once; the shell sees a death by SIGINT when the command dies of it.
func TestTerminalInterrupt(t *testing.T) {
	s := newConsole(t)
	script := filepath.Join(t.TempDir(), "count.sh")
	if err := os.WriteFile(script, []byte("n=0; trap 'n=$((n+1))' INT; echo ready; while [ $n = 0 ]; do sleep 0.05; done; sleep 0.3; echo n=$n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.type_("tfguard exec -- sh " + script + "; echo code$((0+$?))\n")
	s.sees("ready", 1)
	s.type_("\x03")
	s.sees("code0", 1)
	if out := s.text(); !strings.Contains(out, "n=1\n") {
		t.Errorf("one Ctrl-C is one SIGINT:\n%s", out)
	}
	s.type_("tfguard exec -- sleep 60; echo co\"\"de=$?\n")
	time.Sleep(300 * time.Millisecond)
	s.type_("\x03")
	s.type_("echo next\"\"line\n")
	s.sees("nextline", 1)
	if strings.Contains(s.text(), "tfguard: ") {
		t.Errorf("tfguard wrote to the terminal:\n%s", s.text())
	}
}

// Ctrl-Z stops the job, fg continues it, and a background job that reads the terminal is stopped by SIGTTIN.
func TestTerminalJobControl(t *testing.T) {
	s := newConsole(t)
	s.type_("tfguard exec -- sh -c 'echo re\"\"ady; read line; echo got-\"$line\"'\n")
	s.sees("ready", 1)
	time.Sleep(100 * time.Millisecond)
	s.type_("\x1a")
	s.sees("Stopped", 1)
	s.type_("fg\n")
	time.Sleep(200 * time.Millisecond)
	s.type_("hello\n")
	s.sees("got-hello", 1)
	s.type_("tfguard exec -- sh -c 'read line; echo then-\"$line\"' &\n")
	time.Sleep(500 * time.Millisecond)
	s.type_("jobs\n")
	s.sees("Stopped", 2)
	s.type_("fg\n")
	time.Sleep(200 * time.Millisecond)
	s.type_("world\n")
	s.sees("then-world", 1)
}

// A pipeline on a terminal: the pager keeps the foreground.
func TestTerminalPipeline(t *testing.T) {
	s := newConsole(t)
	s.type_("tfguard exec -- sh -c 'test -t 0 && test -t 2 && echo terminal-k\"\"ept' | sh -c 'read x; read y </dev/tty; echo $x $y-e\"\"nd'\n")
	time.Sleep(500 * time.Millisecond)
	s.type_("typed\n")
	s.sees("terminal-kept typed-end", 1)
}

// A signal to tfguard alone, on a terminal, still reaches the command.
func TestTerminalSignalToSupervisorAlone(t *testing.T) {
	s := newConsole(t)
	s.type_("tfguard exec -- sh -c 'trap \"echo ter\"\"minated; exit 9\" INT; echo re\"\"ady; while :; do sleep 0.05; done' & pid=$!; sleep 0.7; kill -INT $pid; wait $pid; echo co\"\"de=$?\n")
	s.sees("code=", 1)
	if out := s.text(); !strings.Contains(out, "terminated") || !strings.Contains(out, "code=9") {
		t.Errorf("%s", out)
	}
}
