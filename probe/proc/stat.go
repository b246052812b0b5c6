package proc

import (
	"bytes"
	"fmt"
	"strconv"
)

// A Stat is /proc/PID/stat or /proc/PID/task/TID/stat:
//
//	4242 (python3) S 1 4242 4242 34816 4242 4194304 …
type Stat struct {
	PID       int
	Name      string // comm; may contain anything, parentheses and spaces too
	State     string
	PPID      int
	PGID      int
	SID       int
	TTY       int
	TPGID     int
	Flags     uint64 // PF_* of include/linux/sched.h
	UserTicks uint64 // clock ticks (USER_HZ, 100 a second)
	SysTicks  uint64
	Threads   int
	Start     uint64 // clock ticks since boot
	RSSPages  int64
}

// ForkNoExec is PF_FORKNOEXEC (include/linux/sched.h): the kernel sets it in copy_process and clears it in begin_new_exec.
// On a thread group's leader it says that the process was forked and has not called exec.
const ForkNoExec = 0x40

// Stat reads the stat file of a process (tid 0) or thread.
func (fs FS) Stat(pid, tid int) (Stat, error) {
	b, err := fs.read(append(task(pid, tid), "stat")...)
	if err != nil {
		return Stat{}, err
	}
	return ParseStat(b)
}

// ParseStat parses one line of stat.
func ParseStat(b []byte) (Stat, error) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 1 || end < open {
		return Stat{}, fmt.Errorf("stat: no command name in %.40q", b)
	}
	f := bytes.Fields(b[end+1:])
	if len(f) < 22 {
		return Stat{}, fmt.Errorf("stat: %d fields after the name, need 22", len(f))
	}
	var s Stat
	s.PID, _ = strconv.Atoi(string(bytes.TrimSpace(b[:open])))
	s.Name = string(b[open+1 : end])
	s.State = string(f[0])
	num := func(i int) uint64 { v, _ := strconv.ParseInt(string(f[i]), 10, 64); return uint64(v) }
	unsigned := func(i int) uint64 { v, _ := strconv.ParseUint(string(f[i]), 10, 64); return v }
	s.PPID, s.PGID, s.SID, s.TTY, s.TPGID = int(num(1)), int(num(2)), int(num(3)), int(num(4)), int(num(5))
	s.Flags, s.UserTicks, s.SysTicks = unsigned(6), unsigned(11), unsigned(12)
	s.Threads, s.Start, s.RSSPages = int(num(17)), unsigned(19), int64(num(21))
	return s, nil
}
