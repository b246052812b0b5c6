package guard

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A stat is what the supervisor needs of /proc/PID/stat (proc_pid_stat(5)).
type stat struct {
	comm    string
	state   byte
	ppid    int
	ticks   uint64 // utime + stime, clock ticks
	threads int
	start   uint64 // clock ticks since boot
}

// parseStat reads a line like "812 (python) S 811 812 811 0 -1 …". The name may hold any byte, so the last ')' ends it.
func parseStat(b []byte) (s stat, ok bool) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 0 || end < open {
		return s, false
	}
	f := bytes.Fields(b[end+1:])
	if len(f) < 20 || len(f[0]) != 1 {
		return s, false
	}
	s.comm, s.state = string(b[open+1:end]), f[0][0]
	var nums [5]uint64
	for i, at := range []int{1, 11, 12, 17, 19} {
		n, err := strconv.ParseUint(string(f[at]), 10, 64)
		if err != nil {
			return s, false
		}
		nums[i] = n
	}
	s.ppid, s.ticks, s.threads, s.start = int(nums[0]), nums[1]+nums[2], int(nums[3]), nums[4]
	return s, true
}

func readStat(pid int) (stat, bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, false
	}
	return parseStat(b)
}

// descendants lists the living processes below root, parents first. /proc/PID/task/TID/children would need one file per
// thread, so this reads every process's stat once: about 10 µs each.
func descendants(root int) []int {
	d, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	names, _ := d.Readdirnames(-1)
	d.Close()
	children := map[int][]int{}
	for _, n := range names {
		pid, err := strconv.Atoi(n)
		if err != nil {
			continue
		}
		if s, ok := readStat(pid); ok && s.state != 'Z' && s.state != 'X' {
			children[s.ppid] = append(children[s.ppid], pid)
		} else if ok {
			children[s.ppid] = append(children[s.ppid], -pid) // a zombie: its children are not its any more
		}
	}
	var out []int
	seen := map[int]bool{root: true}
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		for _, pid := range children[queue[0]] {
			if pid > 0 && !seen[pid] {
				seen[pid] = true
				out = append(out, pid)
				queue = append(queue, pid)
			}
		}
	}
	return out
}

// killTree kills every process below this one, which must be a subreaper, so that whatever loses its parent comes to it.
// It reaps what it killed, and returns those that are left when limit has passed: processes in uninterruptible sleep.
// Each reaped status goes to reaped, which may be nil.
func killTree(limit time.Duration, spare int, reaped func(pid int, ws unix.WaitStatus)) (left []int) {
	deadline := time.Now().Add(limit)
	for round := 0; ; round++ {
		reapAll(reaped)
		left = left[:0]
		for _, pid := range descendants(os.Getpid()) {
			if pid != spare {
				left = append(left, pid)
			}
		}
		if len(left) == 0 {
			return nil
		}
		if round >= 3 { // something forks faster than it is killed: stop all of it first
			for _, pid := range left {
				_ = unix.Kill(pid, unix.SIGSTOP)
			}
		}
		for _, pid := range left {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		if time.Now().After(deadline) {
			return left
		}
		time.Sleep(time.Duration(min(round+1, 10)) * time.Millisecond)
	}
}

// reapAll takes every child that has exited, without waiting.
func reapAll(reaped func(pid int, ws unix.WaitStatus)) {
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, unix.WNOHANG|unix.WALL|unix.WUNTRACED|unix.WCONTINUED, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if reaped != nil {
			reaped(pid, ws)
		}
	}
}

// hasChildren reports whether this process has any child, dead or alive.
func hasChildren() bool {
	err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT|unix.WALL, nil)
	return err != unix.ECHILD
}

// Running reports whether the supervisor that a history record names still runs: same boot, same PID, same start.
func Running(pid int, start uint64, boot string) bool {
	if boot != bootID() {
		return false
	}
	s, ok := readStat(pid)
	return ok && s.start == start && s.state != 'Z'
}
