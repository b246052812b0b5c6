// Package proc reads the kernel's /proc: one file of this package per kernel file. Reading and parsing are apart,
// and the root folder is a parameter, so that tests read fixtures. Lines that are not known are skipped.
package proc

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// An FS is a proc file system mounted somewhere.
type FS struct{ root string }

// Default is the host's own.
var Default = FS{"/proc"}

// NewFS is the proc file system below root.
func NewFS(root string) FS { return FS{root} }

// maxFile bounds what is read of one file, in bytes. maps of a process with 65,530 mappings (vm.max_map_count) stays below.
const maxFile = 16 << 20

// Path joins the parts below the root.
func (fs FS) Path(parts ...string) string {
	return filepath.Join(append([]string{fs.root}, parts...)...)
}

func (fs FS) read(parts ...string) ([]byte, error) {
	f, err := os.Open(fs.Path(parts...))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s: more than %d MiB", f.Name(), maxFile>>20)
	}
	return b, err
}

func itoa(n int) string { return strconv.Itoa(n) }

// task is the folder of a thread, or of a process when tid is 0.
func task(pid, tid int) []string {
	if tid == 0 {
		return []string{itoa(pid)}
	}
	return []string{itoa(pid), "task", itoa(tid)}
}

// PIDs lists the processes, in ascending order as the kernel gives them.
func (fs FS) PIDs() ([]int, error) { return fs.numbers() }

// Threads lists the TIDs of a process.
func (fs FS) Threads(pid int) ([]int, error) { return fs.numbers(itoa(pid), "task") }

func (fs FS) numbers(parts ...string) ([]int, error) {
	d, err := os.Open(fs.Path(parts...))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var out []int
	for _, n := range names {
		if v, err := strconv.Atoi(n); err == nil {
			out = append(out, v)
		}
	}
	return out, nil
}
