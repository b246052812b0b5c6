package proc

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// A Descriptor is one entry of /proc/PID/fd with its fdinfo.
type Descriptor struct {
	Number  int
	Link    string // "pipe:[4711]", "socket:[4712]", "anon_inode:[eventpoll]", "/dev/pts/0"
	Flags   uint64 // open(2) flags, from fdinfo
	PID     int    // of a pidfd
	Targets []int  // descriptors that an epoll instance watches
}

// Readable and Writable report the access mode.
func (d *Descriptor) Readable() bool { return d.Flags&3 != uint64(os.O_WRONLY) }
func (d *Descriptor) Writable() bool { return d.Flags&3 != uint64(os.O_RDONLY) }

// Inode is the number in "pipe:[N]" or "socket:[N]" when the link is of that kind; else 0.
func (d *Descriptor) Inode(kind string) uint64 {
	s, ok := strings.CutPrefix(d.Link, kind+":[")
	if !ok {
		return 0
	}
	n, _ := strconv.ParseUint(strings.TrimSuffix(s, "]"), 10, 64)
	return n
}

// Descriptor reads one descriptor.
func (fs FS) Descriptor(pid, fd int) (Descriptor, error) {
	link, err := os.Readlink(fs.Path(itoa(pid), "fd", itoa(fd)))
	if err != nil {
		return Descriptor{}, err
	}
	d := Descriptor{Number: fd, Link: link}
	if b, err := fs.read(itoa(pid), "fdinfo", itoa(fd)); err == nil {
		parseFDInfo(b, &d)
	}
	return d, nil
}

func parseFDInfo(b []byte, d *Descriptor) {
	for _, line := range bytes.Split(b, []byte("\n")) {
		k, v, ok := strings.Cut(string(line), ":")
		if !ok {
			continue
		}
		v = strings.TrimSpace(v)
		switch strings.TrimSpace(k) {
		case "flags":
			d.Flags, _ = strconv.ParseUint(v, 8, 64)
		case "Pid":
			d.PID, _ = strconv.Atoi(v)
		case "tfd": // "5 events: 19 data: …"
			n, _, _ := strings.Cut(v, " ")
			if t, err := strconv.Atoi(n); err == nil && len(d.Targets) < 1024 {
				d.Targets = append(d.Targets, t)
			}
		}
	}
}

// Descriptors lists the descriptors of a process with their links alone.
func (fs FS) Descriptors(pid int) ([]Descriptor, error) {
	numbers, err := fs.numbers(itoa(pid), "fd")
	if err != nil {
		return nil, err
	}
	var out []Descriptor
	for _, n := range numbers {
		if link, err := os.Readlink(fs.Path(itoa(pid), "fd", itoa(n))); err == nil {
			out = append(out, Descriptor{Number: n, Link: link})
		}
	}
	return out, nil
}
