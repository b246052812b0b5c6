//go:build unix

package binary

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Open maps an ELF file. A file that is truncated while it is mapped raises SIGBUS on a later access, which callers that
// read files of others guard with debug.SetPanicOnFault.
func Open(path string) (*File, error) {
	h, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	info, err := h.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() < 64 || info.Size() > 1<<40 {
		return nil, fmt.Errorf("%s: %w", path, ErrFormat)
	}
	data, err := unix.Mmap(int(h.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("mmap of %s: %w", path, err)
	}
	f, err := Parse(data)
	if err != nil {
		unix.Munmap(data)
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if f.Key = f.BuildID; f.Key == "" {
		h := sha256.New()
		fmt.Fprintf(h, "%d %d", info.Size(), info.ModTime().UnixNano())
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			fmt.Fprintf(h, " %d %d", st.Dev, st.Ino)
		}
		h.Write(data[:min(len(data), 4096)])
		f.Key = hex.EncodeToString(h.Sum(nil)[:20])
	}
	f.close = func() error { return unix.Munmap(data) }
	return f, nil
}
