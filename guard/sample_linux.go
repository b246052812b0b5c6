package guard

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"tfguard/probe"
)

// A tree is the command and everything below it, sampled over held descriptors: 4 µs a process. Threads are counted by
// the kernel (stat), never listed.
type tree struct {
	root    int
	members map[int]*member
	listed  instant       // when descendants were last listed
	cost    time.Duration // of listing them
	began   instant

	threads int // of the process that has most of them
	widest  int // that process
	rss     uint64
	ticks   uint64 // CPU, of all members that have ever been
	written uint64
	wrote   bool    // anything was written to a descriptor
	active  instant // last time CPU or output moved

	mark      instant // start of the window that CPU use is judged over
	markTicks uint64

	ring []probe.Sample
	next int
	kept instant
	buf  [1024]byte
}

type member struct {
	pid             int
	start           uint64
	stat, statm, io int // descriptors, −1 when closed
	state           byte
	threads         int
	rss, ticks      uint64
	written         uint64
}

// maxMembers bounds the descriptors that are held.
const maxMembers = 256

var (
	pageSize     = uint64(os.Getpagesize())
	ticksPerSec  = uint64(100) // USER_HZ, the same on every architecture that Linux runs TensorFlow on
	quietTicks   = uint64(2)   // percent of a core below which a process counts as quiet
	keptSamples  = 240         // one a second
	sampleEveryN = time.Second
)

func newTree(root int) *tree {
	t := &tree{root: root, members: map[int]*member{}, began: now()}
	t.active, t.mark = t.began, t.began
	t.add(root)
	return t
}

func (t *tree) add(pid int) {
	if len(t.members) >= maxMembers {
		return
	}
	open := func(name string) int {
		fd, err := unix.Open(fmt.Sprintf("/proc/%d/%s", pid, name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return -1
		}
		return fd
	}
	m := &member{pid: pid, stat: open("stat"), statm: open("statm"), io: open("io")}
	if !t.read(m) {
		m.close()
		return
	}
	t.members[pid] = m
}

func (m *member) close() {
	for _, fd := range []int{m.stat, m.statm, m.io} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

func (t *tree) close() {
	if t == nil {
		return
	}
	for _, m := range t.members {
		m.close()
	}
}

func (t *tree) pread(fd int) []byte {
	if fd < 0 {
		return nil
	}
	n, err := unix.Pread(fd, t.buf[:], 0)
	if err != nil || n <= 0 {
		return nil
	}
	return t.buf[:n]
}

// read samples one process; false when it is gone.
func (t *tree) read(m *member) bool {
	s, ok := parseStat(t.pread(m.stat))
	if !ok {
		return false
	}
	if s.state == 'Z' || s.state == 'X' {
		t.ticks += s.ticks - min(m.ticks, s.ticks)
		return false
	}
	t.ticks += s.ticks - min(m.ticks, s.ticks)
	m.state, m.threads, m.ticks, m.start = s.state, s.threads, s.ticks, s.start
	if f := bytes.Fields(t.pread(m.statm)); len(f) > 1 {
		pages, _ := strconv.ParseUint(string(f[1]), 10, 64)
		m.rss = pages * pageSize
	}
	if b := t.pread(m.io); b != nil {
		if w, ok := written(b); ok && w > m.written {
			t.written += w - m.written
			m.written = w
		}
	}
	return true
}

// written reads "wchar: 1234" of /proc/PID/io: bytes given to write(2) and its like.
func written(b []byte) (uint64, bool) {
	_, rest, ok := bytes.Cut(b, []byte("wchar: "))
	if !ok {
		return 0, false
	}
	n, _, _ := bytes.Cut(rest, []byte("\n"))
	v, err := strconv.ParseUint(string(n), 10, 64)
	return v, err == nil
}

// sample reads every known process, and from time to time looks for new ones.
func (t *tree) sample(at instant, window time.Duration) {
	before := t.written
	if at.since(t.listed) >= t.relist(at) {
		begin := time.Now()
		for _, pid := range descendants(t.root) {
			if t.members[pid] == nil {
				t.add(pid)
			}
		}
		t.listed, t.cost = at, time.Since(begin)
	}
	t.threads, t.rss, t.widest = 0, 0, 0
	for pid, m := range t.members {
		if !t.read(m) {
			m.close()
			delete(t.members, pid)
			continue
		}
		if m.threads > t.threads {
			t.threads, t.widest = m.threads, pid
		}
		t.rss += m.rss
	}
	if t.written != before {
		t.active, t.wrote = at, true
	}
	if took := at.since(t.mark); took >= window {
		if (t.ticks-t.markTicks)*100*uint64(time.Second) >= quietTicks*ticksPerSec*uint64(took) {
			t.active = at
		}
		t.mark, t.markTicks = at, t.ticks
	}
	if at.since(t.kept) >= sampleEveryN {
		t.kept = at
		t.keep(probe.Sample{Seconds: at.since(t.began).Seconds(), Threads: t.threads, RSS: t.rss, CPU: float64(t.ticks) / float64(ticksPerSec), State: t.state()})
	}
}

// relist is how long a list of descendants serves: fresh at the start, then rarely, and never at more than 0.05 % of a core.
func (t *tree) relist(at instant) time.Duration {
	every := 5 * time.Second
	if at.since(t.began) < 10*time.Second {
		every = time.Second
	}
	return max(every, 2000*t.cost)
}

func (t *tree) keep(s probe.Sample) {
	if len(t.ring) < keptSamples {
		t.ring = append(t.ring, s)
		return
	}
	t.ring[t.next] = s
	t.next = (t.next + 1) % keptSamples
}

// history returns the kept samples, oldest first.
func (t *tree) history() []probe.Sample {
	return append(append([]probe.Sample(nil), t.ring[t.next:]...), t.ring[:t.next]...)
}

func (t *tree) state() string {
	if m := t.members[t.root]; m != nil {
		return string(m.state)
	}
	return ""
}

func (t *tree) stopped() bool {
	s := t.state()
	return s == "T" || s == "t"
}

// alive reports whether a process that claimed a slot is there, and is the one that claimed it.
func (t *tree) alive(pid int, start uint64) bool {
	if m := t.members[pid]; m != nil {
		return m.start == start
	}
	s, ok := readStat(pid)
	if !ok || s.state == 'Z' || s.state == 'X' || s.start != start {
		return false
	}
	t.add(pid)
	return true
}
