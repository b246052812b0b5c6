package proc

import (
	"bytes"
	"strconv"
	"strings"
)

// A Mapping is one line of /proc/PID/maps:
//
//	7f12c0000000-7f12c0021000 r-xp 00001000 fe:00 1234  /usr/lib/libc.so.6
type Mapping struct {
	Start, End uint64
	Perms      string
	Offset     uint64
	Device     string
	Inode      uint64
	Path       string // without " (deleted)"
	Deleted    bool
}

// Executable reports whether the mapping holds code.
func (m *Mapping) Executable() bool { return len(m.Perms) > 2 && m.Perms[2] == 'x' }

// Maps reads the mappings of a process, in ascending order.
func (fs FS) Maps(pid int) ([]Mapping, error) {
	b, err := fs.read(itoa(pid), "maps")
	if err != nil {
		return nil, err
	}
	return ParseMaps(b), nil
}

// ParseMaps parses the lines of a maps file.
func ParseMaps(b []byte) []Mapping {
	var out []Mapping
	for _, line := range bytes.Split(b, []byte("\n")) {
		f := strings.SplitN(string(line), " ", 6)
		if len(f) < 5 {
			continue
		}
		from, to, ok := strings.Cut(f[0], "-")
		if !ok {
			continue
		}
		var m Mapping
		var err, err2, err3 error
		m.Start, err = strconv.ParseUint(from, 16, 64)
		m.End, err2 = strconv.ParseUint(to, 16, 64)
		m.Offset, err3 = strconv.ParseUint(f[2], 16, 64)
		if err != nil || err2 != nil || err3 != nil || m.End <= m.Start {
			continue
		}
		m.Perms, m.Device = f[1], f[3]
		m.Inode, _ = strconv.ParseUint(f[4], 10, 64)
		if len(f) == 6 {
			m.Path = strings.TrimLeft(f[5], " ")
			m.Path, m.Deleted = strings.CutSuffix(m.Path, " (deleted)")
			if strings.Contains(m.Path, `\012`) {
				m.Path = strings.ReplaceAll(m.Path, `\012`, "\n")
			}
		}
		out = append(out, m)
	}
	return out
}
