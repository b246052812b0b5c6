package proc

import (
	"bytes"
	"strconv"
	"strings"
)

// A Status is what is used of /proc/PID/status.
type Status struct {
	UID                    int
	NSPIDs                 []int // PID in each nested namespace, the host's first
	TracerPID              int
	Caught                 uint64 // SigCgt: bit n−1 is signal n
	Voluntary, Involuntary uint64
	RSSKiB                 uint64
	Threads                int
	CapPrm                 uint64
	Seccomp                int
}

// Status reads the status file of a process (tid 0) or thread.
func (fs FS) Status(pid, tid int) (Status, error) {
	b, err := fs.read(append(task(pid, tid), "status")...)
	if err != nil {
		return Status{}, err
	}
	return ParseStatus(b), nil
}

// ParseStatus parses "Name:\tvalue" lines.
func ParseStatus(b []byte) Status {
	s := Status{UID: -1}
	for _, line := range bytes.Split(b, []byte("\n")) {
		k, v, ok := strings.Cut(string(line), ":")
		if !ok {
			continue
		}
		f := strings.Fields(v)
		if len(f) == 0 {
			continue
		}
		n, _ := strconv.ParseUint(f[0], 10, 64)
		switch k {
		case "Uid":
			s.UID = int(n)
		case "NSpid":
			for _, x := range f {
				if p, err := strconv.Atoi(x); err == nil {
					s.NSPIDs = append(s.NSPIDs, p)
				}
			}
		case "TracerPid":
			s.TracerPID = int(n)
		case "SigCgt":
			s.Caught, _ = strconv.ParseUint(f[0], 16, 64)
		case "CapPrm":
			s.CapPrm, _ = strconv.ParseUint(f[0], 16, 64)
		case "voluntary_ctxt_switches":
			s.Voluntary = n
		case "nonvoluntary_ctxt_switches":
			s.Involuntary = n
		case "VmRSS":
			s.RSSKiB = n
		case "Threads":
			s.Threads = int(n)
		case "Seccomp":
			s.Seccomp = int(n)
		}
	}
	return s
}
