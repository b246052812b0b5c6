package python

import (
	"encoding/binary"
	"fmt"
	"math"
)

const (
	maxLineTable = 8 << 20
	maxLocals    = 1 << 14
	maxStack     = 1 << 14
	maxNameLen   = 1024
	maxPathLen   = 4096
)

func float64frombits(v uint64) float64 { return math.Float64frombits(v) }

// A code is what is read of a PyCodeObject. Code objects don't change, so it is kept between looks;
// head proves that the same one is still at that address.
type code struct {
	addr      uint64
	head      codeHead
	name      string
	qualname  string
	file      string
	lines     []byte
	exc       []byte
	excRead   bool
	locals    []local
	localsErr error
	localsSet bool
}

// codeHead holds the members that tell one code object from another at the same address.
type codeHead struct {
	filename, name, qualname, lineTable, excTable, codeBytes uint64
	firstLine, stackSize, nlocals                            int32
	nlocalsPlus                                              int32
}

// A local is one entry of a frame's locals, in the order of localsplus.
type local struct {
	name string
	cell bool // the slot holds a cell
}

// codeAt reads the code object at addr.
func (l *Look) codeAt(addr uint64) (*code, error) {
	if addr%8 != 0 {
		return nil, fmt.Errorf("code object at %#x: %w", addr, errNotType)
	}
	if c, ok := l.codes[addr]; ok {
		return c, nil
	}
	if _, err := l.expectName(addr, "code"); err != nil {
		return nil, err
	}
	o := l.rt.layout
	size := max(o.CodeFilename, o.CodeName, o.CodeQualname, o.CodeLineTable, o.CodeExcTable, o.CodeCode, o.CodeNLocalsP, o.CodeNLocals) + 8
	b, err := l.mem.bytes(addr, int(size))
	if err != nil {
		return nil, err
	}
	word := func(off int32) uint64 {
		if off == none {
			return 0
		}
		return binary.LittleEndian.Uint64(b[off:])
	}
	half := func(off int32) int32 {
		if off == none {
			return 0
		}
		return int32(binary.LittleEndian.Uint32(b[off:]))
	}
	h := codeHead{
		filename: word(o.CodeFilename), name: word(o.CodeName), qualname: word(o.CodeQualname), lineTable: word(o.CodeLineTable),
		excTable: word(o.CodeExcTable), firstLine: half(o.CodeFirstLine), stackSize: half(o.CodeStackSize),
		nlocals: half(o.CodeNLocals), nlocalsPlus: half(o.CodeNLocalsP),
	}
	if l.rt.Version.Minor < 11 {
		h.codeBytes = word(o.CodeCode)
	}
	if h.stackSize < 0 || h.stackSize > maxStack || h.nlocals < 0 || h.nlocals > maxLocals || h.nlocalsPlus < 0 || h.nlocalsPlus > maxLocals {
		return nil, fmt.Errorf("code object at %#x: stack %d, locals %d, %d", addr, h.stackSize, h.nlocals, h.nlocalsPlus)
	}
	if c := l.rt.cachedCode(addr, h); c != nil {
		l.codes[addr] = c
		return c, nil
	}
	c := &code{addr: addr, head: h}
	if c.name, err = l.Str(h.name, maxNameLen); err != nil {
		return nil, fmt.Errorf("co_name: %w", err)
	}
	c.qualname = c.name
	if h.qualname != 0 {
		if c.qualname, err = l.Str(h.qualname, maxNameLen); err != nil {
			return nil, fmt.Errorf("co_qualname: %w", err)
		}
	}
	if c.file, err = l.Str(h.filename, maxPathLen); err != nil {
		return nil, fmt.Errorf("co_filename: %w", err)
	}
	if c.lines, err = l.bytesAt(h.lineTable, maxLineTable); err != nil {
		return nil, fmt.Errorf("line table: %w", err)
	}
	l.codes[addr] = c
	l.rt.keepCode(c)
	return c, nil
}

// line returns the line of the instruction at byte offset lasti, and false when the instruction belongs to none.
func (c *code) line(v Version, lasti int) (int, bool) {
	first := int(c.head.firstLine)
	if lasti < 0 {
		return first, true
	}
	switch {
	case v.Minor <= 9:
		return lnotabLine(c.lines, first, lasti), true
	case v.Minor == 10:
		return linetableLine(c.lines, first, lasti)
	}
	return locationLine(c.lines, first, lasti)
}

// lnotabLine finds a line in co_lnotab (to 3.9): pairs of unsigned code delta and signed line delta. Source: Objects/lnotab_notes.txt.
func lnotabLine(tab []byte, line, lasti int) int {
	addr := 0
	for i := 0; i+1 < len(tab); i += 2 {
		addr += int(tab[i])
		if addr > lasti {
			break
		}
		line += int(int8(tab[i+1]))
	}
	return line
}

// linetableLine finds a line in co_linetable of 3.10 (PEP 626): pairs of code delta and line delta; −128 means no line.
func linetableLine(tab []byte, line, lasti int) (int, bool) {
	start := 0
	for i := 0; i+1 < len(tab); i += 2 {
		end := start + int(tab[i])
		delta := int(int8(tab[i+1]))
		if delta != -128 {
			line += delta
		}
		if start <= lasti && lasti < end {
			return line, delta != -128
		}
		start = end
	}
	return 0, false
}

// locationLine finds a line in the location table of 3.11+. Source: Objects/locations.md (InternalDocs/code_objects.md).
func locationLine(tab []byte, line, lasti int) (int, bool) {
	addr := 0
	for i := 0; i < len(tab); {
		b := tab[i]
		i++
		if b&0x80 == 0 {
			return 0, false // an entry starts with its high bit set
		}
		kind, units := b>>3&15, int(b&7)+1
		has := true
		switch {
		case kind == 15:
			has = false
		case kind == 14: // long: line delta, end line delta, column, end column
			var d int
			d, i = svarint(tab, i)
			line += d
			for range 3 {
				_, i = varint(tab, i)
			}
		case kind == 13: // no column
			var d int
			d, i = svarint(tab, i)
			line += d
		case kind >= 10: // one line, two column bytes
			line += int(kind) - 10
			i += 2
		default: // short, one byte
			i++
		}
		end := addr + 2*units
		if lasti < end {
			return line, has
		}
		addr = end
	}
	return 0, false
}

// varint reads a location table's number: six bits a byte, low first, bit 6 says more.
func varint(tab []byte, i int) (int, int) {
	v := 0
	for shift := 0; i < len(tab) && shift < 36; shift += 6 {
		b := tab[i]
		i++
		v |= int(b&63) << shift
		if b&64 == 0 {
			break
		}
	}
	return v, i
}

func svarint(tab []byte, i int) (int, int) {
	v, i := varint(tab, i)
	if v&1 != 0 {
		return -(v >> 1), i
	}
	return v >> 1, i
}

// handlerDepth returns the depth of the value stack that co_exceptiontable (3.11+) keeps for the handler around the instruction at
// byte offset lasti: that many slots are live there. It returns false when no handler covers it.
// Source: Objects/exception_handling_notes.txt.
func handlerDepth(tab []byte, lasti int) (int, bool) {
	at := lasti / 2
	for i := 0; i < len(tab); {
		if tab[i]&128 == 0 {
			return 0, false // an entry starts with bit 7 set
		}
		var start, size, depth int
		start, i = excVarint(tab, i)
		size, i = excVarint(tab, i)
		_, i = excVarint(tab, i) // handler
		depth, i = excVarint(tab, i)
		if start <= at && at < start+size {
			return depth >> 1, true
		}
		if start > at {
			return 0, false // sorted, not nested
		}
	}
	return 0, false
}

// excVarint reads an exception table's number: six bits a byte, high first, bit 6 says more.
func excVarint(tab []byte, i int) (int, int) {
	v := 0
	for n := 0; i < len(tab) && n < 6; n++ {
		b := tab[i]
		i++
		v = v<<6 | int(b&63)
		if b&64 == 0 {
			break
		}
	}
	return v, i
}

// excTable returns co_exceptiontable, empty before 3.11.
func (l *Look) excTable(c *code) ([]byte, error) {
	if c.head.excTable == 0 || c.excRead {
		return c.exc, nil
	}
	b, err := l.bytesAt(c.head.excTable, maxLineTable)
	if err != nil {
		return nil, fmt.Errorf("exception table: %w", err)
	}
	c.exc, c.excRead = b, true
	return b, nil
}

// locals returns the names of a frame's locals in slot order.
func (l *Look) locals(c *code) ([]local, error) {
	if !c.localsSet {
		c.locals, c.localsErr = l.readLocals(c)
		c.localsSet = true
	}
	return c.locals, c.localsErr
}

func (l *Look) readLocals(c *code) ([]local, error) {
	o := l.rt.layout
	var out []local
	add := func(member int32, cell bool) error {
		tuple, err := l.mem.uint64(c.addr + uint64(member))
		if err != nil {
			return err
		}
		names, err := l.Items(tuple, maxLocals)
		if err != nil {
			return err
		}
		for _, n := range names {
			s, err := l.Str(n, maxNameLen)
			if err != nil {
				return err
			}
			out = append(out, local{s, cell})
		}
		return nil
	}
	if o.CodeLocalNames == none {
		for _, part := range []struct {
			member int32
			cell   bool
		}{{o.CodeVarNames, false}, {o.CodeCellVars, true}, {o.CodeFreeVars, true}} {
			if err := add(part.member, part.cell); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	if err := add(o.CodeLocalNames, false); err != nil {
		return nil, err
	}
	kinds, err := l.mem.uint64(c.addr + uint64(o.CodeLocalKinds))
	if err != nil {
		return nil, err
	}
	k, err := l.bytesAt(kinds, maxLocals)
	if err != nil {
		return nil, err
	}
	const cell, free = 0x40, 0x80 // CO_FAST_CELL, CO_FAST_FREE
	for i := range min(len(k), len(out)) {
		out[i].cell = k[i]&(cell|free) != 0
	}
	return out, nil
}
