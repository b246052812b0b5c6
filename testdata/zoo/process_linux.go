package zoo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Running is one started program.
type Running struct {
	Program *Program
	PID     int // the process that its ready() named: the one to inspect
	Leader  int // the process that was started
	tag     string
	dir     string
	cmd     *exec.Cmd
	ended   chan struct{} // closed when the leader has ended
	keep    []*os.File    // our ends of its standard input
}

// Start runs the program with that interpreter in a session of its own and returns once it is ready and its settle time is over.
// Call Stop whatever it returns. With short set, healthy programs end by themselves (ZOO_BRIEF).
func Start(ctx context.Context, p *Program, python string, short bool) (*Running, error) {
	// Processes whose parent dies become ours, so that none escapes.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("prctl PR_SET_CHILD_SUBREAPER: %w", err)
	}
	dir, err := os.MkdirTemp("", "tfguard-zoo-run-")
	if err != nil {
		return nil, err
	}
	r := &Running{Program: p, tag: "ZOO_RUN=" + filepath.Base(dir), dir: dir, ended: make(chan struct{})}
	path, err := filepath.Abs(p.Path)
	if err != nil {
		return r, err
	}
	c := exec.Command(python, path)
	c.Env = append(os.Environ(), "ZOO_READY="+filepath.Join(dir, "ready"), r.tag, "TMPDIR="+dir, "PYTHONDONTWRITEBYTECODE=1",
		"TF_CPP_MIN_LOG_LEVEL=2", "CUDA_VISIBLE_DEVICES=-1", "TF_ENABLE_ONEDNN_OPTS=0")
	if short {
		c.Env = append(c.Env, "ZOO_BRIEF=1")
	}
	out, err := os.Create(filepath.Join(dir, "output"))
	if err != nil {
		return r, err
	}
	defer out.Close()
	c.Stdout, c.Stderr = out, out
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	switch p.Stdin {
	case "pipe":
		read, write, err := os.Pipe()
		if err != nil {
			return r, err
		}
		c.Stdin = read
		r.keep = append(r.keep, write)
		defer read.Close()
	case "pty":
		main, terminal, err := openPTY()
		if err != nil {
			return r, err
		}
		c.Stdin = terminal
		c.SysProcAttr.Setctty = true
		r.keep = append(r.keep, main)
		defer terminal.Close()
	}
	if err := c.Start(); err != nil {
		return r, fmt.Errorf("start %s: %w", python, err)
	}
	r.cmd, r.Leader = c, c.Process.Pid
	go func() {
		c.Wait()
		close(r.ended)
	}()
	for {
		if b, err := os.ReadFile(filepath.Join(dir, "ready")); err == nil {
			if r.PID, err = strconv.Atoi(strings.TrimSpace(string(b))); err != nil {
				return r, fmt.Errorf("ready file: %w", err)
			}
			break
		}
		select {
		case <-r.ended:
			// A program whose first process exits (an orphaned child) may be ready all the same.
			if _, err := os.Stat(filepath.Join(dir, "ready")); err != nil && len(r.Processes()) == 0 {
				return r, fmt.Errorf("ended before it was ready: %s", r.Output())
			}
			time.Sleep(20 * time.Millisecond)
		case <-ctx.Done():
			return r, fmt.Errorf("not ready: %w: %s", ctx.Err(), r.Output())
		case <-time.After(20 * time.Millisecond):
		}
	}
	select {
	case <-time.After(p.Settle):
	case <-ctx.Done():
		return r, ctx.Err()
	}
	return r, nil
}

// Output is the last part of what the program printed.
func (r *Running) Output() string {
	b, err := os.ReadFile(filepath.Join(r.dir, "output"))
	if err != nil {
		return err.Error()
	}
	if len(b) > 1500 {
		b = b[len(b)-1500:]
	}
	return strings.TrimSpace(string(b))
}

// Ended says whether the started process has ended, and with which code (−1: by a signal).
func (r *Running) Ended() (bool, int) {
	select {
	case <-r.ended:
		return true, r.cmd.ProcessState.ExitCode()
	default:
		return false, 0
	}
}

// Wait waits until the started process has ended.
func (r *Running) Wait(d time.Duration) bool {
	select {
	case <-r.ended:
		return true
	case <-time.After(d):
		return false
	}
}

// Processes are the living processes of this run, wherever they went: each has the run's tag in its environment.
func (r *Running) Processes() []int {
	var out []int
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err == nil && bytes.Contains(b, []byte(r.tag+"\x00")) {
			out = append(out, pid)
		}
	}
	return out
}

// Stop kills every process of the run and removes its folder.
func (r *Running) Stop() error {
	if r == nil {
		return nil
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		pids := r.Processes()
		for _, pid := range pids {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("kill %d: %w", pid, err)
			}
		}
		if len(pids) == 0 {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: processes %v survive SIGKILL", r.Program.Name, pids)
		}
		time.Sleep(20 * time.Millisecond)
		for _, pid := range pids {
			if pid != r.Leader { // an orphan that became ours; the leader is reaped by its own Wait
				unix.Wait4(pid, nil, unix.WNOHANG, nil)
			}
		}
	}
	if r.cmd != nil {
		<-r.ended
	}
	for _, f := range r.keep {
		f.Close()
	}
	return os.RemoveAll(r.dir)
}

// A Sample is what the kernel counts for the processes of a run.
type Sample struct {
	CPU         time.Duration
	Involuntary map[int]uint64 // nonvoluntary_ctxt_switches by TID
	Tracer      int            // a process that traces one of them, 0 when none does
	Maps        map[int]string // the mappings of each process, without the stack's and heap's ends
	Threads     int
}

// Look takes a Sample.
func (r *Running) Look() Sample {
	s := Sample{Involuntary: map[int]uint64{}, Maps: map[int]string{}}
	for _, pid := range r.Processes() {
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid)); err == nil {
			s.Maps[pid] = string(b)
		}
		tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		for _, t := range tasks {
			tid, _ := strconv.Atoi(t.Name())
			s.Threads++
			if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/stat", pid, tid)); err == nil {
				s.CPU += cpuOf(string(b))
			}
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/status", pid, tid))
			if err != nil {
				continue
			}
			for line := range strings.Lines(string(b)) {
				key, value, _ := strings.Cut(line, ":")
				n, _ := strconv.ParseUint(strings.TrimSpace(value), 10, 64)
				switch key {
				case "nonvoluntary_ctxt_switches":
					s.Involuntary[tid] = n
				case "TracerPid":
					if n != 0 {
						s.Tracer = int(n)
					}
				}
			}
		}
	}
	return s
}

// cpuOf reads utime and stime of a stat line, in the kernel's USER_HZ of 100.
func cpuOf(stat string) time.Duration {
	i := strings.LastIndexByte(stat, ')')
	if i < 0 {
		return 0
	}
	f := strings.Fields(stat[i+1:])
	if len(f) < 13 {
		return 0
	}
	u, _ := strconv.ParseInt(f[11], 10, 64)
	k, _ := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(u+k) * 10 * time.Millisecond
}

func openPTY() (main, terminal *os.File, err error) {
	main, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	fd := int(main.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, fmt.Errorf("unlock pty: %w", err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, nil, fmt.Errorf("pty number: %w", err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	return main, terminal, err
}
