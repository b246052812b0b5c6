package memory

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Process reads the memory of a live process by process_vm_readv(2), which neither stops nor changes it.
type Process int

// ReadMemory implements Reader. Errors are ErrUnmapped, ErrExited, or the kernel's (EPERM).
func (pid Process) ReadMemory(b []byte, addr uint64) error {
	if len(b) == 0 {
		return nil
	}
	local := []unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(len(b))
	n, err := unix.ProcessVMReadv(int(pid), local, []unix.RemoteIovec{{Base: uintptr(addr), Len: len(b)}}, 0)
	switch {
	case err == nil && n == len(b):
		return nil
	case err == nil, errors.Is(err, unix.EFAULT):
		return fmt.Errorf("%d bytes at %#x: %w", len(b), addr, ErrUnmapped)
	case errors.Is(err, unix.ESRCH):
		return ErrExited
	}
	return fmt.Errorf("process_vm_readv of %d: %w", int(pid), err)
}
