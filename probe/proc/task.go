package proc

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A Syscall is /proc/PID/task/TID/syscall:
//
//	202 0x7f…  0x189 0x0 0x0 0x0 0xffffffff 0x7ffd… 0x7f…   number, six arguments, stack pointer, program counter
//	-1 0x7ffd… 0x7f…                                         blocked, but not in a system call
//	running
type Syscall struct {
	Number  int // −1: blocked outside a system call
	Args    [6]uint64
	SP, PC  uint64
	Running bool // on a CPU or runnable: no registers
}

// Syscall reads the syscall file of a thread. It needs the right to ptrace the process (PTRACE_MODE_ATTACH_FSCREDS, fs/proc/base.c).
func (fs FS) Syscall(pid, tid int) (Syscall, error) {
	b, err := fs.read(append(task(pid, tid), "syscall")...)
	if err != nil {
		return Syscall{}, err
	}
	return ParseSyscall(b)
}

// ParseSyscall parses the line of a syscall file.
func ParseSyscall(b []byte) (Syscall, error) {
	f := strings.Fields(string(b))
	if len(f) == 1 && f[0] == "running" {
		return Syscall{Running: true}, nil
	}
	if len(f) != 3 && len(f) != 9 {
		return Syscall{}, fmt.Errorf("syscall: %d fields in %.60q", len(f), b)
	}
	var s Syscall
	var err error
	if s.Number, err = strconv.Atoi(f[0]); err != nil {
		return Syscall{}, fmt.Errorf("syscall: %w", err)
	}
	values := make([]uint64, len(f)-1)
	for i, x := range f[1:] {
		if values[i], err = strconv.ParseUint(strings.TrimPrefix(x, "0x"), 16, 64); err != nil {
			return Syscall{}, fmt.Errorf("syscall: %w", err)
		}
	}
	if len(f) == 9 {
		copy(s.Args[:], values)
	}
	s.SP, s.PC = values[len(values)-2], values[len(values)-1]
	return s, nil
}

// Wchan is the kernel function that a thread waits in; "0" or "" when it is not told.
func (fs FS) Wchan(pid, tid int) string {
	b, err := fs.read(append(task(pid, tid), "wchan")...)
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(b))
}

// A Schedstat is /proc/PID/task/TID/schedstat: nanoseconds on CPU, nanoseconds runnable, times it was put on a CPU.
type Schedstat struct{ RunNanos, WaitNanos, Runs uint64 }

// Schedstat reads the schedstat file of a thread. While a thread does not run none of RunNanos and Runs changes,
// so two equal readings around a look show that the thread did nothing in between.
func (fs FS) Schedstat(pid, tid int) (Schedstat, error) {
	b, err := fs.read(append(task(pid, tid), "schedstat")...)
	if err != nil {
		return Schedstat{}, err
	}
	f := bytes.Fields(b)
	if len(f) < 3 {
		return Schedstat{}, errors.New("schedstat: fewer than 3 fields")
	}
	var s Schedstat
	for i, p := range []*uint64{&s.RunNanos, &s.WaitNanos, &s.Runs} {
		if *p, err = strconv.ParseUint(string(f[i]), 10, 64); err != nil {
			return Schedstat{}, fmt.Errorf("schedstat: %w", err)
		}
	}
	return s, nil
}

// ExecStart is se.exec_start of /proc/PID/task/TID/sched, in milliseconds of the CPU's run queue clock: when the thread last ran.
// 0 where the kernel has no such file (CONFIG_SCHED_DEBUG) or does not let us read it.
func (fs FS) ExecStart(pid, tid int) float64 {
	b, err := fs.read(append(task(pid, tid), "sched")...)
	if err != nil {
		return 0
	}
	i := bytes.Index(b, []byte("se.exec_start"))
	if i < 0 {
		return 0
	}
	line, _, _ := bytes.Cut(b[i:], []byte("\n"))
	_, v, _ := bytes.Cut(line, []byte(":"))
	ms, err := strconv.ParseFloat(string(bytes.TrimSpace(v)), 64)
	if err != nil {
		return 0
	}
	return ms
}

// Args is the command line; nil for a kernel thread or zombie.
func (fs FS) Args(pid int) []string { return fs.nulls(pid, "cmdline") }

// Environ is the environment that the process was started with, NAME=value. What it set later is not there.
func (fs FS) Environ(pid int) ([]string, error) {
	b, err := fs.read(itoa(pid), "environ")
	return splitNulls(b), err
}

func (fs FS) nulls(pid int, name string) []string {
	b, err := fs.read(itoa(pid), name)
	if err != nil {
		return nil
	}
	return splitNulls(b)
}

func splitNulls(b []byte) []string {
	s := strings.TrimRight(string(b), "\x00")
	if s == "" {
		return nil
	}
	return strings.Split(s, "\x00")
}
