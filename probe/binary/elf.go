// Package binary reads ELF files: segments, call frame information, symbols. It knows no process.
// A file is mapped, never read whole: TensorFlow's library has 788 MB. Every offset in it is checked, since it may be hostile.
package binary

import (
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// A Machine is an instruction set that frames can be unwound for.
type Machine int

const (
	AMD64 Machine = iota + 1
	ARM64
)

// ErrFormat is wrapped by every error about a file's content.
var ErrFormat = errors.New("not a usable 64-bit little-endian ELF file")

// A Load is a PT_LOAD segment.
type Load struct {
	Vaddr, Offset, Filesz, Memsz uint64
	Executable                   bool
}

// A Section is a section's name and place.
type Section struct {
	Name               string
	Type               uint32
	Addr, Offset, Size uint64
	Link               uint32
	EntSize            uint64
}

// A File is an ELF file. Its methods are safe for concurrent use.
type File struct {
	data     []byte
	close    func() error
	Machine  Machine
	Type     elf.Type
	Loads    []Load
	Sections []Section
	BuildID  string // hex of the GNU build ID note; "" when there is none
	// Key identifies the file for the cache: its build ID, or where it has none (TensorFlow 2.21), a digest of its inode, size, time and headers.
	Key string

	hdr, hdrAddr uint64 // .eh_frame_hdr: file offset and link-time address
	hdrSize      uint64
}

var le = binary.LittleEndian

// Limits on what a file may claim.
const (
	maxSegments = 1 << 10
	maxSections = 1 << 16
)

// Parse reads the headers of an ELF image. The data must not change while the File is used.
func Parse(data []byte) (*File, error) {
	f := &File{data: data, close: func() error { return nil }}
	if len(data) < 64 || string(data[:4]) != elf.ELFMAG || data[4] != byte(elf.ELFCLASS64) || data[5] != byte(elf.ELFDATA2LSB) {
		return nil, ErrFormat
	}
	f.Type = elf.Type(le.Uint16(data[16:]))
	switch elf.Machine(le.Uint16(data[18:])) {
	case elf.EM_X86_64:
		f.Machine = AMD64
	case elf.EM_AARCH64:
		f.Machine = ARM64
	default:
		return nil, fmt.Errorf("%w: machine %v", ErrFormat, elf.Machine(le.Uint16(data[18:])))
	}
	if err := f.segments(); err != nil {
		return nil, err
	}
	f.sections() // a stripped section table is no error
	return f, nil
}

// at returns size bytes at a file offset, or nil.
func (f *File) at(offset, size uint64) []byte {
	if offset > uint64(len(f.data)) || size > uint64(len(f.data))-offset {
		return nil
	}
	return f.data[offset : offset+size]
}

func (f *File) segments() error {
	off, entry, n := le.Uint64(f.data[32:]), uint64(le.Uint16(f.data[54:])), uint64(le.Uint16(f.data[56:]))
	if entry < 56 || n > maxSegments {
		return fmt.Errorf("%w: program header", ErrFormat)
	}
	for i := uint64(0); i < n; i++ {
		p := f.at(off+i*entry, 56)
		if p == nil {
			return fmt.Errorf("%w: program headers run past its end", ErrFormat)
		}
		offset, vaddr, filesz, memsz := le.Uint64(p[8:]), le.Uint64(p[16:]), le.Uint64(p[32:]), le.Uint64(p[40:])
		switch elf.ProgType(le.Uint32(p)) {
		case elf.PT_LOAD:
			f.Loads = append(f.Loads, Load{vaddr, offset, filesz, memsz, le.Uint32(p[4:])&uint32(elf.PF_X) != 0})
		case elf.PT_GNU_EH_FRAME:
			f.hdr, f.hdrAddr, f.hdrSize = offset, vaddr, filesz
		case elf.PT_NOTE:
			f.note(f.at(offset, filesz))
		}
	}
	return nil
}

// note looks for the GNU build ID among the notes of a segment.
func (f *File) note(b []byte) {
	for len(b) >= 12 {
		name, desc, kind := uint64(le.Uint32(b)), uint64(le.Uint32(b[4:])), le.Uint32(b[8:])
		b = b[12:]
		n, d := (name+3)&^3, (desc+3)&^3
		if n > uint64(len(b)) || d > uint64(len(b))-n {
			return
		}
		if kind == 3 && name == 4 && string(b[:4]) == "GNU\x00" && desc > 0 && desc <= 64 { // NT_GNU_BUILD_ID
			f.BuildID = hex.EncodeToString(b[n : n+desc])
		}
		b = b[n+d:]
	}
}

func (f *File) sections() {
	off, entry, n, names := le.Uint64(f.data[40:]), uint64(le.Uint16(f.data[58:])), uint64(le.Uint16(f.data[60:])), uint64(le.Uint16(f.data[62:]))
	if entry < 64 || n == 0 || n > maxSections || names >= n {
		return
	}
	table := f.at(off, entry*n)
	if table == nil {
		return
	}
	s := table[names*entry:]
	strings := f.at(le.Uint64(s[24:]), le.Uint64(s[32:]))
	for i := uint64(0); i < n; i++ {
		s := table[i*entry:]
		f.Sections = append(f.Sections, Section{
			Name: cstring(strings, uint64(le.Uint32(s))), Type: le.Uint32(s[4:]), Addr: le.Uint64(s[16:]),
			Offset: le.Uint64(s[24:]), Size: le.Uint64(s[32:]), Link: le.Uint32(s[40:]), EntSize: le.Uint64(s[56:]),
		})
	}
}

// maxName bounds a symbol's name; the longest in TensorFlow have some 20,000 bytes.
const maxName = 64 << 10

func cstring(b []byte, at uint64) string {
	if at >= uint64(len(b)) {
		return ""
	}
	b = b[at:min(uint64(len(b)), at+maxName)]
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return ""
}

// Section returns the first section of that name.
func (f *File) Section(name string) (Section, bool) {
	for _, s := range f.Sections {
		if s.Name == name {
			return s, true
		}
	}
	return Section{}, false
}

// Bytes returns size bytes at a link-time address, from the file; nil when the file does not hold them.
func (f *File) Bytes(addr, size uint64) []byte {
	for _, l := range f.Loads {
		if addr >= l.Vaddr && addr-l.Vaddr < l.Filesz && size <= l.Filesz-(addr-l.Vaddr) {
			return f.at(l.Offset+addr-l.Vaddr, size)
		}
	}
	return nil
}

// Bias is the difference between a mapping's address and the link-time address of what is mapped there. A mapping belongs to the
// segment whose page-rounded offset equals the mapping's (the kernel and ld.so map whole pages); taking any that overlaps is off by a page.
func (f *File) Bias(start, offset uint64) (uint64, bool) {
	for _, page := range []uint64{4096, 65536} {
		for _, l := range f.Loads {
			if l.Offset&^(page-1) == offset {
				return start - l.Vaddr&^(page-1), true
			}
		}
	}
	// A part of a segment that mprotect (RELRO) split off.
	for _, l := range f.Loads {
		if offset >= l.Offset&^4095 && offset < l.Offset+l.Filesz {
			return start - (l.Vaddr + (offset - l.Offset)), true
		}
	}
	return 0, false
}

// Close unmaps the file. Strings that were returned stay valid.
func (f *File) Close() error { return f.close() }
