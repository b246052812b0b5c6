package python

import (
	"encoding/binary"
	"errors"
	"fmt"

	"tfguard/probe/memory"
)

const (
	pageSize = 4096
	// A look at a process with hundreds of threads touches a few thousand pages; far more means that it follows garbage.
	maxPages = 32768
)

var errTooMuch = errors.New("read more than a Python stack could need")

// pages reads memory in whole pages and remembers them, so that one look costs few system calls and sees each page at one moment.
type pages struct {
	from memory.Reader
	seen map[uint64][]byte
}

func newPages(from memory.Reader) *pages {
	return &pages{from: from, seen: make(map[uint64][]byte)}
}

// ReadMemory implements memory.Reader.
func (p *pages) ReadMemory(b []byte, addr uint64) error {
	if len(b) == 0 {
		return nil
	}
	if addr+uint64(len(b)) < addr || addr < pageSize {
		return fmt.Errorf("%#x: %w", addr, memory.ErrUnmapped)
	}
	for len(b) > 0 {
		number := addr / pageSize
		page, ok := p.seen[number]
		if !ok {
			// Fetch all missing pages of this read at once.
			last := (addr + uint64(len(b)) - 1) / pageSize
			n := uint64(1)
			for number+n <= last && p.seen[number+n] == nil {
				n++
			}
			if uint64(len(p.seen))+n > maxPages {
				return errTooMuch
			}
			buf := make([]byte, n*pageSize)
			if err := p.from.ReadMemory(buf, number*pageSize); err != nil {
				// The range may end inside a mapping that is not whole pages (recorded memory): ask for exactly what is wanted.
				return p.from.ReadMemory(b, addr)
			}
			for i := range n {
				p.seen[number+i] = buf[i*pageSize : (i+1)*pageSize : (i+1)*pageSize]
			}
			page = p.seen[number]
		}
		n := copy(b, page[addr%pageSize:])
		b, addr = b[n:], addr+uint64(n)
	}
	return nil
}

func (p *pages) uint64(addr uint64) (uint64, error) {
	if o := addr % pageSize; o <= pageSize-8 {
		if page, ok := p.seen[addr/pageSize]; ok {
			return binary.LittleEndian.Uint64(page[o:]), nil
		}
	}
	var b [8]byte
	err := p.ReadMemory(b[:], addr)
	return binary.LittleEndian.Uint64(b[:]), err
}

func (p *pages) int64(addr uint64) (int64, error) {
	v, err := p.uint64(addr)
	return int64(v), err
}

func (p *pages) int32(addr uint64) (int32, error) {
	var b [4]byte
	err := p.ReadMemory(b[:], addr)
	return int32(binary.LittleEndian.Uint32(b[:])), err
}

func (p *pages) byte(addr uint64) (byte, error) {
	var b [1]byte
	err := p.ReadMemory(b[:], addr)
	return b[0], err
}

func (p *pages) bytes(addr uint64, n int) ([]byte, error) {
	b := make([]byte, n)
	return b, p.ReadMemory(b, addr)
}
