package binary

import (
	"errors"
	"sort"
)

// Registers that unwinding follows, by their DWARF numbers (System V ABI for x86-64, figure 3.36; DWARF for the Arm 64-bit architecture).
const (
	amd64FP, amd64SP, amd64RA = 6, 7, 16
	arm64FP, arm64RA, arm64SP = 29, 30, 31
)

// A Rule says where a register's value in the calling frame is found.
type Rule struct {
	Kind   RuleKind
	Offset int64  // from the CFA
	Expr   []byte // of a DWARF expression
}

// A RuleKind is the kind of a Rule.
type RuleKind int

const (
	SameValue  RuleKind = iota // not changed, or not said
	Undefined                  // not recoverable; of the return address: the outermost frame
	AtOffset                   // saved at CFA + Offset
	IsOffset                   // is CFA + Offset
	AtExpr                     // saved at the address that Expr computes
	IsExpr                     // is the value that Expr computes
	InRegister                 // in another register
)

// A Row is the call frame information at one address.
type Row struct {
	// CFAReg is the register that the CFA is computed from (IsSP or IsFP says which it is), unless CFAExpr is set.
	CFAReg  int
	CFAOff  int64
	CFAExpr []byte
	FP, RA  Rule
	IsSP    bool
	IsFP    bool
	// Start and End bound the function (its FDE), as link-time addresses.
	Start, End uint64
	Signal     bool // a signal frame: the PC is not a return address
}

// ErrNoCFI is returned for an address that no frame description covers.
var ErrNoCFI = errors.New("no call frame information")

var errCFI = errors.New("malformed call frame information")

// Row computes the row for a link-time address.
func (f *File) Row(pc uint64) (Row, error) {
	fde, err := f.findFDE(pc)
	if err != nil {
		return Row{}, err
	}
	return fde.row(f, pc)
}

type cie struct {
	codeAlign uint64
	dataAlign int64
	raReg     uint64
	initial   []byte
	fdeEnc    byte
	augmented bool
	signal    bool
}

type fde struct {
	cie        cie
	start, end uint64
	program    []byte
}

// findFDE looks the address up in the sorted table of .eh_frame_hdr (Linux Standard Base, section 10.6.2).
func (f *File) findFDE(pc uint64) (*fde, error) {
	h := f.at(f.hdr, f.hdrSize)
	if len(h) < 12 || h[0] != 1 || h[3] != 0x3b { // version 1; table of sdata4, relative to the header
		return nil, ErrNoCFI
	}
	r := &reader{b: h, pos: 4, addr: f.hdrAddr}
	if _, ok := r.encoded(h[1], f.hdrAddr); !ok {
		return nil, ErrNoCFI
	}
	n, ok := r.encoded(h[2], f.hdrAddr)
	if !ok {
		return nil, ErrNoCFI
	}
	table := h[r.pos:]
	n = min(n, uint64(len(table)/8))
	at := func(i uint64) uint64 { return f.hdrAddr + uint64(int64(int32(le.Uint32(table[i*8:])))) }
	i := uint64(sort.Search(int(n), func(i int) bool { return at(uint64(i)) > pc }))
	if i == 0 {
		return nil, ErrNoCFI
	}
	addr := f.hdrAddr + uint64(int64(int32(le.Uint32(table[(i-1)*8+4:]))))
	d, err := f.parseFDE(addr)
	if err != nil {
		return nil, err
	}
	if pc < d.start || pc >= d.end {
		return nil, ErrNoCFI
	}
	return d, nil
}

// record returns the content of a length-prefixed record of .eh_frame.
func (f *File) record(addr uint64) (*reader, bool) {
	head := f.Bytes(addr, 4)
	if head == nil {
		return nil, false
	}
	n := uint64(le.Uint32(head))
	if n == 0 || n >= 0xfffffff0 { // the terminator; 64-bit records do not occur in .eh_frame
		return nil, false
	}
	b := f.Bytes(addr+4, n)
	return &reader{b: b, addr: addr + 4}, b != nil
}

func (f *File) parseFDE(addr uint64) (*fde, error) {
	r, ok := f.record(addr)
	if !ok {
		return nil, errCFI
	}
	delta, ok := r.u32()
	if !ok || delta == 0 || uint64(delta) > addr+4 {
		return nil, errCFI
	}
	c, err := f.parseCIE(addr + 4 - uint64(delta))
	if err != nil {
		return nil, err
	}
	start, ok := r.encoded(c.fdeEnc, 0)
	size, ok2 := r.encoded(c.fdeEnc&0x0f, 0)
	if !ok || !ok2 || size > 1<<40 {
		return nil, errCFI
	}
	if c.augmented {
		n, ok := r.uleb()
		if !ok || !r.skip(n) {
			return nil, errCFI
		}
	}
	return &fde{cie: c, start: start, end: start + size, program: r.b[r.pos:]}, nil
}

func (f *File) parseCIE(addr uint64) (cie, error) {
	c := cie{}
	r, ok := f.record(addr)
	if !ok {
		return c, errCFI
	}
	if id, ok := r.u32(); !ok || id != 0 {
		return c, errCFI
	}
	version, ok := r.u8()
	if !ok || version != 1 && version != 3 {
		return c, errCFI
	}
	augmentation, ok := r.cstring()
	if !ok {
		return c, errCFI
	}
	var ok1, ok2, ok3 bool
	c.codeAlign, ok1 = r.uleb()
	c.dataAlign, ok2 = r.sleb()
	if version == 1 {
		var b byte
		b, ok3 = r.u8()
		c.raReg = uint64(b)
	} else {
		c.raReg, ok3 = r.uleb()
	}
	if !ok1 || !ok2 || !ok3 {
		return c, errCFI
	}
	if len(augmentation) > 0 && augmentation[0] == 'z' {
		c.augmented = true
		n, ok := r.uleb()
		if !ok || n > uint64(len(r.b)-r.pos) {
			return c, errCFI
		}
		end := r.pos + int(n)
		for _, a := range augmentation[1:] {
			switch a {
			case 'R':
				c.fdeEnc, _ = r.u8()
			case 'P':
				enc, _ := r.u8()
				if _, ok := r.encoded(enc&^0x80, 0); !ok {
					return c, errCFI
				}
			case 'L':
				r.u8()
			case 'S':
				c.signal = true
			case 'B', 'G': // arm64: pointer authentication key, memory tagging
			default:
				// Unknown data: the rest of it can't be told, but its length can.
			}
		}
		r.pos = end
	} else if augmentation != "" {
		return c, errCFI
	}
	c.initial = r.b[r.pos:]
	return c, nil
}

// maxInstructions bounds a call frame program.
const maxInstructions = 1 << 14

// row runs the program up to the address (DWARF 5, section 6.4.2).
func (d *fde) row(f *File, pc uint64) (Row, error) {
	fpReg, spReg, raReg := uint64(amd64FP), uint64(amd64SP), uint64(amd64RA)
	if f.Machine == ARM64 {
		fpReg, spReg, raReg = arm64FP, arm64SP, arm64RA
	}
	row := Row{Start: d.start, End: d.end, Signal: d.cie.signal}
	m := machine{cie: &d.cie, row: row, fp: fpReg, ra: raReg, location: d.start}
	if err := m.run(&reader{b: d.cie.initial}, ^uint64(0)); err != nil {
		return Row{}, err
	}
	m.initial = m.row
	if err := m.run(&reader{b: d.program}, pc); err != nil {
		return Row{}, err
	}
	m.row.IsSP = m.row.CFAExpr == nil && uint64(m.row.CFAReg) == spReg
	m.row.IsFP = m.row.CFAExpr == nil && uint64(m.row.CFAReg) == fpReg
	return m.row, nil
}

type machine struct {
	cie      *cie
	row      Row
	initial  Row
	stack    []Row
	location uint64
	fp, ra   uint64
}

func (m *machine) rule(reg uint64) *Rule {
	switch reg {
	case m.fp:
		return &m.row.FP
	case m.ra:
		return &m.row.RA
	}
	return &Rule{} // a register that unwinding does not follow
}

func (m *machine) run(r *reader, pc uint64) error {
	for i := 0; r.pos < len(r.b); i++ {
		if i > maxInstructions {
			return errCFI
		}
		op, _ := r.u8()
		low := uint64(op & 0x3f)
		ok := true
		var reg, n uint64
		var s int64
		advance := uint64(0)
		switch op & 0xc0 {
		case 0x40: // advance_loc
			advance = low
		case 0x80: // offset
			n, ok = r.uleb()
			*m.rule(low) = Rule{Kind: AtOffset, Offset: int64(n) * m.cie.dataAlign}
		case 0xc0: // restore
			m.restore(low)
		default:
			switch op {
			case 0x00: // nop
			case 0x01: // set_loc
				n, ok = r.encoded(m.cie.fdeEnc, 0)
				if n > pc {
					return nil
				}
				m.location = n
			case 0x02:
				var b byte
				b, ok = r.u8()
				advance = uint64(b)
			case 0x03:
				var v uint16
				v, ok = r.u16()
				advance = uint64(v)
			case 0x04:
				var v uint32
				v, ok = r.u32()
				advance = uint64(v)
			case 0x05: // offset_extended
				reg, ok = r.uleb()
				n, _ = r.uleb()
				*m.rule(reg) = Rule{Kind: AtOffset, Offset: int64(n) * m.cie.dataAlign}
			case 0x06: // restore_extended
				reg, ok = r.uleb()
				m.restore(reg)
			case 0x07: // undefined
				reg, ok = r.uleb()
				*m.rule(reg) = Rule{Kind: Undefined}
			case 0x08: // same_value
				reg, ok = r.uleb()
				*m.rule(reg) = Rule{Kind: SameValue}
			case 0x09: // register
				reg, ok = r.uleb()
				_, _ = r.uleb()
				*m.rule(reg) = Rule{Kind: InRegister}
			case 0x0a: // remember_state
				if len(m.stack) >= 64 {
					return errCFI
				}
				m.stack = append(m.stack, m.row)
			case 0x0b: // restore_state
				if len(m.stack) == 0 {
					return errCFI
				}
				m.row = m.stack[len(m.stack)-1]
				m.stack = m.stack[:len(m.stack)-1]
			case 0x0c: // def_cfa
				reg, ok = r.uleb()
				n, _ = r.uleb()
				m.cfa(reg, int64(n))
			case 0x0d: // def_cfa_register
				reg, ok = r.uleb()
				m.cfa(reg, m.row.CFAOff)
			case 0x0e: // def_cfa_offset
				n, ok = r.uleb()
				m.row.CFAOff = int64(n)
			case 0x0f: // def_cfa_expression
				m.row.CFAExpr, ok = r.block()
			case 0x10: // expression
				reg, _ = r.uleb()
				var e []byte
				e, ok = r.block()
				*m.rule(reg) = Rule{Kind: AtExpr, Expr: e}
			case 0x16: // val_expression
				reg, _ = r.uleb()
				var e []byte
				e, ok = r.block()
				*m.rule(reg) = Rule{Kind: IsExpr, Expr: e}
			case 0x11: // offset_extended_sf
				reg, _ = r.uleb()
				s, ok = r.sleb()
				*m.rule(reg) = Rule{Kind: AtOffset, Offset: s * m.cie.dataAlign}
			case 0x12: // def_cfa_sf
				reg, _ = r.uleb()
				s, ok = r.sleb()
				m.cfa(reg, s*m.cie.dataAlign)
			case 0x13: // def_cfa_offset_sf
				s, ok = r.sleb()
				m.row.CFAOff = s * m.cie.dataAlign
			case 0x14: // val_offset
				reg, _ = r.uleb()
				n, ok = r.uleb()
				*m.rule(reg) = Rule{Kind: IsOffset, Offset: int64(n) * m.cie.dataAlign}
			case 0x15: // val_offset_sf
				reg, _ = r.uleb()
				s, ok = r.sleb()
				*m.rule(reg) = Rule{Kind: IsOffset, Offset: s * m.cie.dataAlign}
			case 0x2d: // GNU_window_save; arm64: negate_ra_state
			case 0x2e: // GNU_args_size
				_, ok = r.uleb()
			default:
				return errCFI
			}
		}
		if !ok {
			return errCFI
		}
		if advance > 0 {
			next := m.location + advance*m.cie.codeAlign
			if next > pc {
				return nil
			}
			m.location = next
		}
	}
	return nil
}

func (m *machine) cfa(reg uint64, off int64) {
	m.row.CFAReg, m.row.CFAOff, m.row.CFAExpr = int(reg&0xffff), off, nil
}

func (m *machine) restore(reg uint64) {
	switch reg {
	case m.fp:
		m.row.FP = m.initial.FP
	case m.ra:
		m.row.RA = m.initial.RA
	}
}
