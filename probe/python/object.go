package python

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"tfguard/probe/memory"
)

// Bounds on what is read of one object: real ones are far below, garbage is far above.
const (
	maxTypeName = 256
	maxItems    = 1 << 16
	maxDict     = 1 << 22 // entries of a dict that is searched
	maxMRO      = 64
)

// tp_flags
const (
	flagInlineValues = 1 << 2 // 3.13+
	flagManagedDict  = 1 << 4 // 3.11+
	flagHeapType     = 1 << 9
	flagLong         = 1 << 24
	flagList         = 1 << 25
	flagTuple        = 1 << 26
	flagBytes        = 1 << 27
	flagUnicode      = 1 << 28
	flagDict         = 1 << 29
	flagType         = 1 << 31
)

var (
	// ErrNotFound is returned when an object has no such key or attribute.
	ErrNotFound = errors.New("not found")
	errNotType  = errors.New("not a Python object")
)

// An Object is a Python object in the other process: its address and the name of its type (tp_name: "_thread.lock", "Condition").
type Object struct {
	Addr uint64
	Type string
}

// typeInfo is what is read of a PyTypeObject.
type typeInfo struct {
	addr       uint64
	name       string
	basicSize  int64
	itemSize   int64
	flags      uint64
	dictOffset int64
	base       uint64
	dict       uint64
	mro        uint64
}

// typeAt reads the type object at addr. It is one only if its own type is a subclass of type.
func (l *Look) typeAt(addr uint64) (*typeInfo, error) {
	if t, ok := l.types[addr]; ok {
		if t == nil {
			return nil, errNotType
		}
		return t, nil
	}
	t, err := l.readType(addr)
	if err != nil {
		l.types[addr] = nil
		return nil, err
	}
	l.types[addr] = t
	return t, nil
}

func (l *Look) readType(addr uint64) (*typeInfo, error) {
	if addr%8 != 0 || addr < pageSize {
		return nil, errNotType
	}
	o := l.rt.layout
	size := int(max(o.TypeDictOff, o.TypeFlags, o.TypeMRO)) + 8
	b, err := l.mem.bytes(addr, size)
	if err != nil {
		return nil, err
	}
	word := func(off int32) uint64 { return binary.LittleEndian.Uint64(b[off:]) }
	meta := word(o.ObjectType)
	if meta%8 != 0 || meta < pageSize {
		return nil, errNotType
	}
	metaFlags, err := l.mem.uint64(meta + uint64(o.TypeFlags))
	if err != nil || metaFlags&flagType == 0 {
		return nil, errNotType
	}
	t := &typeInfo{
		addr: addr, basicSize: int64(word(o.TypeBasicSize)), itemSize: int64(word(o.TypeItemSize)), flags: word(o.TypeFlags),
		dictOffset: int64(word(o.TypeDictOff)), base: word(o.TypeBase), dict: word(o.TypeDict), mro: word(o.TypeMRO),
	}
	if t.basicSize < int64(o.ObjectSize) || t.basicSize > 1<<20 {
		return nil, errNotType
	}
	t.name, err = memory.CString(l.mem, word(o.TypeName), maxTypeName)
	if err != nil || t.name == "" || !utf8.ValidString(t.name) {
		return nil, errNotType
	}
	return t, nil
}

// typeOf reads the type of the object at addr.
func (l *Look) typeOf(addr uint64) (*typeInfo, error) {
	if addr%8 != 0 || addr < pageSize {
		return nil, errNotType
	}
	t, err := l.mem.uint64(addr + uint64(l.rt.layout.ObjectType))
	if err != nil {
		return nil, err
	}
	return l.typeAt(t)
}

// expect checks the type flags of the object at addr; what names the type in the error.
func (l *Look) expect(addr, flag uint64, what string) (*typeInfo, error) {
	t, err := l.typeOf(addr)
	if err != nil {
		return nil, fmt.Errorf("%#x is no %s: %w", addr, what, err)
	}
	if t.flags&flag == 0 {
		return nil, fmt.Errorf("%#x is a %s, not a %s", addr, t.name, what)
	}
	return t, nil
}

// expectName checks the type's own name.
func (l *Look) expectName(addr uint64, names ...string) (*typeInfo, error) {
	t, err := l.typeOf(addr)
	if err != nil {
		return nil, fmt.Errorf("%#x is no %s: %w", addr, names[0], err)
	}
	for _, n := range names {
		if t.name == n {
			return t, nil
		}
	}
	return nil, fmt.Errorf("%#x is a %s, not a %s", addr, t.name, names[0])
}

// Object returns the object at addr with the name of its type.
// An address that holds no object gives an error; one that holds a freed object may not.
func (l *Look) Object(addr uint64) (Object, error) {
	t, err := l.typeOf(addr)
	if err != nil {
		return Object{}, fmt.Errorf("object at %#x: %w", addr, err)
	}
	return Object{addr, t.name}, nil
}

// TypeName returns tp_name of the type of the object at addr, "" when there is no object.
func (l *Look) TypeName(addr uint64) string {
	o, _ := l.Object(addr)
	return o.Type
}

// Bases returns the names of the object's type and of those it derives from (tp_base), nearest first.
func (l *Look) Bases(addr uint64) []string {
	t, err := l.typeOf(addr)
	var names []string
	for n := 0; err == nil && n < maxMRO; n++ {
		names = append(names, t.name)
		if t.base == 0 {
			break
		}
		t, err = l.typeAt(t.base)
	}
	return names
}

// Is reports whether the object's type has that name or derives from one that has.
func (l *Look) Is(addr uint64, name string) bool {
	for _, n := range l.Bases(addr) {
		if n == name {
			return true
		}
	}
	return false
}

// Str reads a str of at most limit characters; a longer one is cut.
func (l *Look) Str(addr uint64, limit int) (string, error) {
	if _, err := l.expect(addr, flagUnicode, "str"); err != nil {
		return "", err
	}
	return l.str(addr, limit)
}

func (l *Look) str(addr uint64, limit int) (string, error) {
	o := l.rt.layout
	length, err := l.mem.int64(addr + uint64(o.StrLength))
	if err != nil {
		return "", err
	}
	state, err := l.mem.int32(addr + uint64(o.StrState))
	if err != nil {
		return "", err
	}
	if length < 0 {
		return "", fmt.Errorf("str at %#x: length %d", addr, length)
	}
	n := int(min(length, int64(limit)))
	base := o.StrState * 8
	kind := int(uint32(state)>>(o.StrKindBit-base)) & 7
	compact := uint32(state)>>(o.StrCompact-base)&1 == 1
	ascii := uint32(state)>>(o.StrASCIIBit-base)&1 == 1
	data := addr + uint64(o.StrUnicode)
	switch {
	case compact && ascii:
		data = addr + uint64(o.StrASCII)
	case !compact:
		// A legacy string (a subclass of str): the data is where PyUnicodeObject.data says, after the compact head.
		if data, err = l.mem.uint64(data); err != nil {
			return "", err
		}
	}
	if kind != 1 && kind != 2 && kind != 4 {
		return "", fmt.Errorf("str at %#x: kind %d", addr, kind)
	}
	b, err := l.mem.bytes(data, n*kind)
	if err != nil {
		return "", err
	}
	if ascii {
		return string(b), nil
	}
	out := make([]rune, n)
	for i := range out {
		switch kind {
		case 1:
			out[i] = rune(b[i])
		case 2:
			out[i] = rune(binary.LittleEndian.Uint16(b[2*i:]))
		case 4:
			out[i] = rune(binary.LittleEndian.Uint32(b[4*i:]))
		}
	}
	return string(out), nil
}

// Int reads an int (or bool) that fits 64 bits.
func (l *Look) Int(addr uint64) (int64, error) {
	if _, err := l.expect(addr, flagLong, "int"); err != nil {
		return 0, err
	}
	o := l.rt.layout
	var digits int64
	negative := false
	if o.IntTag != none {
		tag, err := l.mem.uint64(addr + uint64(o.IntTag))
		if err != nil {
			return 0, err
		}
		digits, negative = int64(tag>>3), tag&3 == 2
		if tag&3 == 1 { // zero
			return 0, nil
		}
	} else {
		var err error
		if digits, err = l.mem.int64(addr + uint64(o.VarSize)); err != nil {
			return 0, err
		}
		if digits < 0 {
			digits, negative = -digits, true
		}
	}
	if digits < 0 || digits > 3 {
		return 0, fmt.Errorf("int at %#x has %d digits", addr, digits)
	}
	b, err := l.mem.bytes(addr+uint64(o.IntDigits), int(digits)*4)
	if err != nil {
		return 0, err
	}
	var v uint64
	for i := int(digits) - 1; i >= 0; i-- {
		d := uint64(binary.LittleEndian.Uint32(b[4*i:]))
		if d >= 1<<30 || v>>34 != 0 {
			return 0, fmt.Errorf("int at %#x does not fit 64 bits", addr)
		}
		v = v<<30 | d
	}
	if negative {
		return -int64(v), nil
	}
	return int64(v), nil
}

// Bool reads a bool, or the truth of an int.
func (l *Look) Bool(addr uint64) (bool, error) {
	v, err := l.Int(addr)
	return v != 0, err
}

// Float reads a float, or an int as one.
func (l *Look) Float(addr uint64) (float64, error) {
	t, err := l.typeOf(addr)
	if err != nil {
		return 0, err
	}
	if t.name != "float" {
		v, err := l.Int(addr)
		return float64(v), err
	}
	v, err := l.mem.uint64(addr + uint64(l.rt.layout.FloatValue))
	return float64frombits(v), err
}

// IsNone reports whether the object is None.
func (l *Look) IsNone(addr uint64) bool { return l.TypeName(addr) == "NoneType" }

func (l *Look) bytesAt(addr uint64, limit int64) ([]byte, error) {
	if _, err := l.expect(addr, flagBytes, "bytes"); err != nil {
		return nil, err
	}
	n, err := l.mem.int64(addr + uint64(l.rt.layout.VarSize))
	if err != nil {
		return nil, err
	}
	if n < 0 || n > limit {
		return nil, fmt.Errorf("bytes at %#x: length %d", addr, n)
	}
	return l.mem.bytes(addr+uint64(l.rt.layout.BytesData), int(n))
}

// Items returns the addresses of the items of a tuple or list, at most limit of them.
func (l *Look) Items(addr uint64, limit int) ([]uint64, error) {
	t, err := l.expect(addr, flagTuple|flagList, "tuple or list")
	if err != nil {
		return nil, err
	}
	o := l.rt.layout
	n, err := l.mem.int64(addr + uint64(o.VarSize))
	if err != nil {
		return nil, err
	}
	if n < 0 || n > 1<<40 {
		return nil, fmt.Errorf("%s at %#x: length %d", t.name, addr, n)
	}
	n = min(n, int64(limit), maxItems)
	data := addr + uint64(o.TupleItems)
	if t.flags&flagList != 0 {
		if data, err = l.mem.uint64(addr + uint64(o.ListItems)); err != nil {
			return nil, err
		}
	}
	return l.words(data, int(n))
}

// Len returns the length of a tuple, list, dict, set, bytes or deque.
func (l *Look) Len(addr uint64) (int, error) {
	t, err := l.typeOf(addr)
	if err != nil {
		return 0, err
	}
	off := l.rt.layout.VarSize
	switch {
	case t.flags&(flagTuple|flagList|flagBytes) != 0, l.Is(addr, "collections.deque"):
	case t.flags&flagDict != 0:
		off = l.rt.layout.DictUsed
	case t.name == "set" || t.name == "frozenset":
		off = l.rt.layout.SetUsed
	default:
		return 0, fmt.Errorf("%#x is a %s, which has no length", addr, t.name)
	}
	n, err := l.mem.int64(addr + uint64(off))
	if err == nil && (n < 0 || n > 1<<40) {
		err = fmt.Errorf("%s at %#x: length %d", t.name, addr, n)
	}
	return int(n), err
}

// SetItems returns the members of a set, at most limit of them.
func (l *Look) SetItems(addr uint64, limit int) ([]uint64, error) {
	if _, err := l.expectName(addr, "set", "frozenset"); err != nil {
		return nil, err
	}
	o := l.rt.layout
	mask, err := l.mem.int64(addr + uint64(o.SetMask))
	if err != nil {
		return nil, err
	}
	table, err := l.mem.uint64(addr + uint64(o.SetTable))
	if err != nil {
		return nil, err
	}
	if mask < 0 || mask >= maxItems {
		return nil, fmt.Errorf("set at %#x: mask %d", addr, mask)
	}
	entries, err := l.words(table, 2*(int(mask)+1)) // key, hash
	if err != nil {
		return nil, err
	}
	var out []uint64
	for i := 0; i < len(entries) && len(out) < limit; i += 2 {
		// An unused entry is NULL, a removed one the dummy object with hash −1.
		if entries[i] != 0 && entries[i+1] != ^uint64(0) {
			out = append(out, entries[i])
		}
	}
	return out, nil
}

func (l *Look) words(addr uint64, n int) ([]uint64, error) {
	b, err := l.mem.bytes(addr, n*8)
	if err != nil {
		return nil, err
	}
	out := make([]uint64, n)
	for i := range out {
		out[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return out, nil
}
