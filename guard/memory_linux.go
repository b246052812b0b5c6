package guard

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// MemoryLimit is the memory limit that applies to this process in bytes: the smallest of its cgroups' (v2 memory.max, v1
// memory.limit_in_bytes, up the hierarchy), else all of the machine's; 0 when neither can be read.
func MemoryLimit() uint64 {
	limit := totalMemory()
	b, _ := os.ReadFile("/proc/self/cgroup")
	for _, line := range strings.Split(string(b), "\n") {
		// 0::/user.slice or 4:memory:/docker/…
		f := strings.SplitN(line, ":", 3)
		if len(f) != 3 {
			continue
		}
		root, file := "/sys/fs/cgroup", "memory.max"
		switch {
		case f[0] == "0":
		case contains(strings.Split(f[1], ","), "memory"):
			root, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		// Inside a container the path may be the host's, and only the root is mounted.
		for dir := filepath.Clean("/" + f[2]); ; dir = filepath.Dir(dir) {
			if b, err := os.ReadFile(filepath.Join(root, dir, file)); err == nil {
				if v, err := strconv.ParseUint(string(bytes.TrimSpace(b)), 10, 64); err == nil && v > 0 && (limit == 0 || v < limit) {
					limit = v
				}
			}
			if dir == "/" {
				break
			}
		}
	}
	return limit
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

func totalMemory() uint64 {
	b, _ := os.ReadFile("/proc/meminfo")
	for _, line := range strings.Split(string(b), "\n") {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemTotal:" {
			kb, _ := strconv.ParseUint(f[1], 10, 64)
			return kb << 10
		}
	}
	return 0
}
