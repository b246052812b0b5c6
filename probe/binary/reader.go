package binary

// A reader takes values from a record; every method reports whether there were enough bytes.
type reader struct {
	b    []byte
	pos  int
	addr uint64 // link-time address of b[0], for values relative to themselves
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b)-r.pos {
		return nil
	}
	b := r.b[r.pos : r.pos+n]
	r.pos += n
	return b
}

func (r *reader) skip(n uint64) bool {
	if n > uint64(len(r.b)-r.pos) {
		return false
	}
	r.pos += int(n)
	return true
}

func (r *reader) u8() (byte, bool) {
	if b := r.take(1); b != nil {
		return b[0], true
	}
	return 0, false
}

func (r *reader) u16() (uint16, bool) {
	if b := r.take(2); b != nil {
		return le.Uint16(b), true
	}
	return 0, false
}

func (r *reader) u32() (uint32, bool) {
	if b := r.take(4); b != nil {
		return le.Uint32(b), true
	}
	return 0, false
}

func (r *reader) u64() (uint64, bool) {
	if b := r.take(8); b != nil {
		return le.Uint64(b), true
	}
	return 0, false
}

func (r *reader) uleb() (uint64, bool) {
	var v uint64
	for shift := 0; shift < 70; shift += 7 {
		b, ok := r.u8()
		if !ok {
			return 0, false
		}
		if shift < 64 {
			v |= uint64(b&0x7f) << shift
		}
		if b&0x80 == 0 {
			return v, true
		}
	}
	return 0, false
}

func (r *reader) sleb() (int64, bool) {
	var v int64
	for shift := 0; shift < 70; shift += 7 {
		b, ok := r.u8()
		if !ok {
			return 0, false
		}
		if shift < 64 {
			v |= int64(b&0x7f) << shift
		}
		if b&0x80 == 0 {
			if shift+7 < 64 && b&0x40 != 0 {
				v |= -1 << (shift + 7)
			}
			return v, true
		}
	}
	return 0, false
}

func (r *reader) cstring() (string, bool) {
	for i := r.pos; i < len(r.b); i++ {
		if r.b[i] == 0 {
			s := string(r.b[r.pos:i])
			r.pos = i + 1
			return s, true
		}
	}
	return "", false
}

func (r *reader) block() ([]byte, bool) {
	n, ok := r.uleb()
	if !ok || n > uint64(len(r.b)-r.pos) {
		return nil, false
	}
	return r.take(int(n)), true
}

// encoded reads a pointer in one of the DW_EH_PE encodings (Linux Standard Base, section 10.5); data is the base of data-relative ones.
func (r *reader) encoded(enc byte, data uint64) (uint64, bool) {
	if enc == 0xff { // omitted
		return 0, true
	}
	at := r.addr + uint64(r.pos)
	var v uint64
	ok := false
	switch enc & 0x0f {
	case 0x00, 0x04, 0x0c: // absptr, udata8, sdata8
		v, ok = r.u64()
	case 0x01:
		v, ok = r.uleb()
	case 0x02:
		var x uint16
		x, ok = r.u16()
		v = uint64(x)
	case 0x03:
		var x uint32
		x, ok = r.u32()
		v = uint64(x)
	case 0x09:
		var x int64
		x, ok = r.sleb()
		v = uint64(x)
	case 0x0a:
		var x uint16
		x, ok = r.u16()
		v = uint64(int64(int16(x)))
	case 0x0b:
		var x uint32
		x, ok = r.u32()
		v = uint64(int64(int32(x)))
	}
	if !ok {
		return 0, false
	}
	switch enc & 0x70 {
	case 0x00:
	case 0x10:
		v += at
	case 0x30:
		v += data
	default:
		return 0, false
	}
	return v, true
}
