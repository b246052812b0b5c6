package beats

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Variable names the environment variable that holds the path of a process's beat file.
const Variable = "TFGUARD_BEATS"

// Now is the time that beats are stamped with.
func Now() Time {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return Time(ts.Nano())
}

// A File is an open beat file. It is not safe for use by several goroutines.
type File struct {
	f   *os.File
	buf []byte
}

// Create makes a beat file with room for slots processes.
func Create(path, job, run string, attempt, slots int) (*File, error) {
	head := make([]byte, headerBytes)
	for i, v := range map[int]uint64{
		hMagic: magic, hVersion: version, hHeaderBytes: headerBytes, hSlotBytes: slotBytes, hSlots: uint64(slots),
		hCreated: uint64(Now()), hSupervisor: uint64(os.Getpid()), hAttempt: uint64(attempt),
	} {
		binary.LittleEndian.PutUint64(head[8*i:], v)
	}
	copy(head[jobAt:jobAt+jobLen-1], job)
	copy(head[runAt:runAt+runLen-1], run)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteAt(head, 0); err != nil {
		f.Close()
		return nil, err
	}
	if err := f.Truncate(int64(headerBytes + slots*slotBytes)); err != nil {
		f.Close()
		return nil, err
	}
	return &File{f: f}, nil
}

// Open opens a beat file for reading. The path may come from another process: only a regular file is accepted.
func Open(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &File{f: f}, nil
}

// OfProcess opens the beat file that the process of that PID was started with (TFGUARD_BEATS in its environment).
// The error is os.ErrNotExist when it has none.
func OfProcess(pid int) (*File, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	env, err := io.ReadAll(io.LimitReader(f, 4<<20))
	if err != nil {
		return nil, err
	}
	for _, v := range bytes.Split(env, []byte{0}) {
		if path, ok := bytes.CutPrefix(v, []byte(Variable+"=")); ok && filepath.IsAbs(string(path)) {
			return Open(filepath.Join(fmt.Sprintf("/proc/%d/root", pid), filepath.Clean(string(path))))
		}
	}
	return nil, os.ErrNotExist
}

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }

// Header reads the header.
func (f *File) Header() (Header, error) {
	h, err := f.read(headerBytes, 0)
	if err != nil {
		return Header{}, err
	}
	return decodeHeader(h)
}

// Slots reads every slot that has been claimed.
func (f *File) Slots() ([]Slot, error) {
	h, err := f.Header()
	if err != nil || h.Used == 0 {
		return nil, err
	}
	b, err := f.read(h.Used*slotBytes, headerBytes)
	if err != nil {
		return nil, err
	}
	var slots []Slot
	for i := range h.Used {
		if s := decodeSlot(b[i*slotBytes:][:slotBytes]); s != nil {
			slots = append(slots, *s)
		}
	}
	return slots, nil
}

// read returns n bytes at off; they are valid until the next read.
func (f *File) read(n int, off int64) ([]byte, error) {
	if cap(f.buf) < n {
		f.buf = make([]byte, n)
	}
	b := f.buf[:n]
	if got, err := f.f.ReadAt(b, off); err != nil {
		return nil, fmt.Errorf("%s: %d of %d bytes at %d: %w", f.f.Name(), got, n, off, err)
	}
	return b, nil
}
