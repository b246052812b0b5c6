package proc

import (
	"bytes"
	"strings"
)

// A Mount is one line of /proc/PID/mountinfo:
//
//	36 35 98:0 / /mnt rw,noatime shared:1 - ext4 /dev/root rw
type Mount struct{ Point, Type, Source string }

// MountOf finds the mount that a path of the process lies on: the longest mount point above it.
func (fs FS) MountOf(pid int, path string) (Mount, bool) {
	b, err := fs.read(itoa(pid), "mountinfo")
	if err != nil {
		return Mount{}, false
	}
	return findMount(ParseMountinfo(b), path)
}

func findMount(mounts []Mount, path string) (Mount, bool) {
	var best Mount
	found := false
	for _, m := range mounts {
		if (m.Point == "/" || path == m.Point || strings.HasPrefix(path, m.Point+"/")) && len(m.Point) >= len(best.Point) {
			best, found = m, true
		}
	}
	return best, found
}

// ParseMountinfo parses the lines of a mountinfo file; later mounts hide earlier ones on the same point.
func ParseMountinfo(b []byte) []Mount {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var out []Mount
	for _, line := range bytes.Split(b, []byte("\n")) {
		left, right, ok := strings.Cut(string(line), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 6 || len(r) < 2 {
			continue
		}
		out = append(out, Mount{Point: unescape.Replace(l[4]), Type: r[0], Source: unescape.Replace(r[1])})
	}
	return out
}
