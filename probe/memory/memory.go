// Package memory reads the memory of another process without stopping it, or of a recorded one.
// Everything it returns is hostile: callers check lengths and bound loops.
package memory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
)

// A Reader reads memory at an address. It returns an error when not all of b could be read.
// Implementations are safe for use by several goroutines.
type Reader interface {
	ReadMemory(b []byte, addr uint64) error
}

// ErrUnmapped is returned for an address that holds no readable memory.
var ErrUnmapped = errors.New("not mapped")

// ErrExited is returned when the process is gone.
var ErrExited = errors.New("process has exited")

// Uint64 reads a little-endian 64-bit word.
func Uint64(r Reader, addr uint64) (uint64, error) {
	var b [8]byte
	if err := r.ReadMemory(b[:], addr); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

// Uint32 reads a little-endian 32-bit word.
func Uint32(r Reader, addr uint64) (uint32, error) {
	var b [4]byte
	if err := r.ReadMemory(b[:], addr); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b[:]), nil
}

// CString reads a NUL-terminated string of at most max bytes; a longer one is an error.
func CString(r Reader, addr uint64, max int) (string, error) {
	const chunk = 64
	var out []byte
	for len(out) < max {
		// Never read across a page that the string may not reach.
		n := min(chunk, int(4096-(addr+uint64(len(out)))%4096), max-len(out))
		b := make([]byte, n)
		if err := r.ReadMemory(b, addr+uint64(len(out))); err != nil {
			return "", err
		}
		for i, c := range b {
			if c == 0 {
				return string(append(out, b[:i]...)), nil
			}
		}
		out = append(out, b...)
	}
	return "", fmt.Errorf("no end of string within %d bytes at %#x", max, addr)
}

// A Segment is a run of recorded memory.
type Segment struct {
	Addr uint64 `json:"addr"`
	Data []byte `json:"data"`
}

// Recorded is memory that was saved earlier, or made by a test.
type Recorded []Segment

// NewRecorded sorts the segments by address; they must not overlap.
func NewRecorded(segments []Segment) Recorded {
	s := append(Recorded(nil), segments...)
	sort.Slice(s, func(i, j int) bool { return s[i].Addr < s[j].Addr })
	return s
}

// ReadMemory implements Reader. A read may span adjacent segments.
func (s Recorded) ReadMemory(b []byte, addr uint64) error {
	for len(b) > 0 {
		i := sort.Search(len(s), func(i int) bool { return s[i].Addr > addr }) - 1
		if i < 0 || addr-s[i].Addr >= uint64(len(s[i].Data)) {
			return fmt.Errorf("%#x: %w", addr, ErrUnmapped)
		}
		n := copy(b, s[i].Data[addr-s[i].Addr:])
		b, addr = b[n:], addr+uint64(n)
	}
	return nil
}
