package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"tfguard/guard/beats"
	"tfguard/guard/history"
	"tfguard/probe/environ"
)

// capture writes the evidence of one hang into a folder of its own.
func (a *attempt) capture(d due, v Verdict) {
	base := a.Evidence
	if base == "" {
		base = filepath.Join(history.Dir(), "evidence")
	}
	a.hangs++
	dir := filepath.Join(base, fmt.Sprintf("%s-%s-%d", time.Now().UTC().Format("20060102T150405Z"), a.supervisor.run[:6], a.hangs))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		a.say("evidence: %v", err)
		return
	}
	write := func(name string, b []byte) {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
		if err == nil {
			_, err = f.Write(b)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			a.say("evidence: %v", err)
		}
	}
	pid := v.Process
	if pid == 0 {
		pid = a.target(d)
	}
	doc := v.JSON
	if doc == nil {
		doc, _ = json.MarshalIndent(struct {
			Schema  string  `json:"schema"`
			PID     int     `json:"pid"`
			Verdict Verdict `json:"verdict"`
		}{"tfguard/inspect/v1", pid, v}, "", "  ")
	}
	text := v.Text
	if text == "" {
		text = describe(v)
	}
	write("inspect.json", append(bytes.TrimSpace(doc), '\n'))
	write("inspect.txt", []byte(fmt.Sprintf("%s: %s\n%s\n", d.reason, d.what, strings.TrimSpace(text))))
	write("faulthandler.txt", a.faulthandler())
	samples, _ := json.Marshal(a.samples())
	write("samples.json", append(samples, '\n'))
	write("output.txt", a.lastOutput())
	write("environment.txt", environment(a.pid, a.env))
	a.record.Evidence = dir
	a.say("evidence: %s", dir)
}

// environment is what the process was started with, by name, with secrets masked.
func environment(pid int, fallback []string) []byte {
	env := fallback
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); err == nil && len(b) > 0 {
		env = strings.Split(strings.TrimRight(string(b), "\x00"), "\x00")
	}
	lines := make([]string, 0, len(env))
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		lines = append(lines, name+"="+strconv.Quote(environ.Mask(name, value)))
	}
	sort.Strings(lines)
	return []byte(strings.Join(lines, "\n") + "\n")
}

// faulthandler asks every process of the run that listens to write its Python stacks, and returns what they wrote.
// The handler runs even while native code holds the GIL.
func (a *attempt) faulthandler() []byte {
	if a.beats == nil {
		return []byte("no heartbeats, so no process writes its stacks on SIGUSR2\n")
	}
	slots, err := a.beats.Slots()
	if err != nil {
		return []byte(err.Error() + "\n")
	}
	path := filepath.Join(a.dir, "faulthandler.txt")
	var out bytes.Buffer
	size := func() int64 {
		fi, err := os.Lstat(path)
		if err != nil {
			return 0
		}
		return fi.Size()
	}
	deadline := time.Now().Add(300 * time.Millisecond)
	for i := range slots {
		s := &slots[i]
		if s.Flags&beats.FlagFaulthandler == 0 || !a.tree.alive(s.PID, s.StartTicks) || !catches(s.PID, unix.SIGUSR2) {
			continue
		}
		from := size()
		fmt.Fprintf(&out, "process %d (%s)\n", s.PID, s.Program)
		if err := unix.Kill(s.PID, unix.SIGUSR2); err != nil {
			fmt.Fprintf(&out, "  %v\n", err)
			continue
		}
		last := from
		for time.Now().Before(deadline) {
			time.Sleep(15 * time.Millisecond)
			n := size()
			if n > from && n == last {
				break
			}
			last = n
		}
		if b, err := readFrom(path, from, 1<<20); err != nil {
			fmt.Fprintf(&out, "  %v\n", err)
		} else if len(b) == 0 {
			out.WriteString("  nothing written: the process does not run (state D or T), or it replaced its SIGUSR2 handler\n")
		} else {
			out.Write(b)
		}
	}
	if out.Len() == 0 {
		return []byte("no process of this run had its stacks to write: heartbeats not armed, or SIGUSR2 was in use\n")
	}
	return out.Bytes()
}

// catches reports whether the process has a handler for the signal (SigCgt of /proc/PID/status): without one, it would die.
func catches(pid int, sig unix.Signal) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	_, rest, ok := bytes.Cut(b, []byte("\nSigCgt:\t"))
	if !ok || len(rest) < 16 {
		return false
	}
	set, err := strconv.ParseUint(string(rest[:16]), 16, 64)
	return err == nil && set&(1<<(sig-1)) != 0
}

func readFrom(path string, from, most int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.NewSectionReader(f, from, most))
}

// lastOutput is the end of the command's output: from --tee, else from the files that it goes to. A pipe or a terminal is
// not read, because that would take the output from its reader.
func (a *attempt) lastOutput() []byte {
	if a.output != nil {
		return a.output.bytes()
	}
	var out bytes.Buffer
	for fd, name := range []string{1: "stdout", 2: "stderr"} {
		if name == "" {
			continue
		}
		fmt.Fprintf(&out, "== %s\n", name)
		path := fmt.Sprintf("/proc/self/fd/%d", fd)
		fi, err := os.Stat(path)
		if err == nil && !fi.Mode().IsRegular() {
			err = errors.New("goes to a terminal, a pipe or a device; exec --tee keeps its last lines")
		}
		var b []byte
		if err == nil {
			f, e := os.Open(path)
			if err = e; err == nil {
				b, err = io.ReadAll(io.NewSectionReader(f, max(0, fi.Size()-tailBytes), tailBytes))
				f.Close()
			}
		}
		if err != nil {
			fmt.Fprintf(&out, "(%v)\n", err)
			continue
		}
		out.Write(b)
		out.WriteByte('\n')
	}
	return out.Bytes()
}
