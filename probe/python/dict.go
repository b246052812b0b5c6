package python

import (
	"encoding/binary"
	"fmt"
)

// A keysTable is a PyDictKeysObject: the entries of a dict, or the attribute names of a type's instances.
type keysTable struct {
	entries uint64 // address of the first entry
	n       int
	stride  uint64 // 24: hash, key, value; 16: key, value (all keys are str, 3.11+)
	key     uint64 // offset of the key in an entry
}

func (l *Look) keysAt(addr uint64) (keysTable, error) {
	o := l.rt.layout
	k := keysTable{stride: 24, key: 8}
	if addr%8 != 0 {
		return k, fmt.Errorf("dict keys at %#x", addr)
	}
	n, err := l.mem.int64(addr + uint64(o.KeysNEntries))
	if err != nil {
		return k, err
	}
	var indices int64 // bytes
	if o.KeysSize != none {
		size, err := l.mem.int64(addr + uint64(o.KeysSize))
		if err != nil {
			return k, err
		}
		if size < 0 || size > maxDict*2 || size&(size-1) != 0 || n > size {
			return k, fmt.Errorf("dict keys at %#x: size %d, entries %d", addr, size, n)
		}
		switch {
		case size <= 0xff:
			indices = size
		case size <= 0xffff:
			indices = 2 * size
		default:
			indices = 4 * size
		}
	} else {
		b, err := l.mem.bytes(addr+uint64(o.KeysLog2Size), 3)
		if err != nil {
			return k, err
		}
		size, bytes, kind := b[0], b[o.KeysLog2Bytes-o.KeysLog2Size], b[o.KeysKind-o.KeysLog2Size]
		if size > 23 || bytes > 26 || kind > 2 || n > 1<<size {
			return k, fmt.Errorf("dict keys at %#x: 2^%d slots, kind %d, entries %d", addr, size, kind, n)
		}
		indices = 1 << bytes
		if kind != 0 { // unicode or split
			k.stride, k.key = 16, 0
		}
	}
	if n < 0 || n > maxDict {
		return k, fmt.Errorf("dict keys at %#x: %d entries", addr, n)
	}
	k.entries, k.n = addr+uint64(o.KeysIndices)+uint64(indices), int(n)
	return k, nil
}

// each calls f with the index, key and value of each entry in insertion order until f returns false.
func (l *Look) each(k keysTable, f func(i int, key, value uint64) bool) error {
	const batch = 1024 // a dict may be large, and the wanted key is mostly near its start
	for i := 0; i < k.n; i += batch {
		n := min(batch, k.n-i)
		b, err := l.mem.bytes(k.entries+uint64(i)*k.stride, n*int(k.stride))
		if err != nil {
			return err
		}
		for j := range n {
			e := b[uint64(j)*k.stride:]
			key := binary.LittleEndian.Uint64(e[k.key:])
			if key == 0 {
				continue // deleted
			}
			if !f(i+j, key, binary.LittleEndian.Uint64(e[k.key+8:])) {
				return nil
			}
		}
	}
	return nil
}

// sameStr reports whether the object at addr is a str equal to want; anything else is no match.
func (l *Look) sameStr(addr uint64, want string) bool {
	if addr%8 != 0 || addr < pageSize {
		return false
	}
	n, err := l.mem.int64(addr + uint64(l.rt.layout.StrLength))
	if err != nil || n != int64(len(want)) {
		return false // keys that are looked up are ASCII
	}
	s, err := l.Str(addr, len(want))
	return err == nil && s == want
}

// values returns the address of the first of the dict's values when its table is split, else 0.
func (l *Look) values(dict uint64) (uint64, error) {
	o := l.rt.layout
	v, err := l.mem.uint64(dict + uint64(o.DictValues))
	if err != nil || v == 0 {
		return 0, err
	}
	if o.ValuesItems != none {
		v += uint64(o.ValuesItems)
	}
	return v, nil
}

// DictGet returns the value for a key that is an ASCII str. It returns ErrNotFound when there is none.
func (l *Look) DictGet(dict uint64, key string) (uint64, error) {
	var found uint64
	err := l.DictEach(dict, func(k, v uint64) bool {
		if l.sameStr(k, key) {
			found = v
			return false
		}
		return true
	})
	if err == nil && found == 0 {
		err = fmt.Errorf("key %q of dict %#x: %w", key, dict, ErrNotFound)
	}
	return found, err
}

// DictEach calls f with the key and value of each item in insertion order until f returns false.
func (l *Look) DictEach(dict uint64, f func(key, value uint64) bool) error {
	if _, err := l.expect(dict, flagDict, "dict"); err != nil {
		return err
	}
	keys, err := l.mem.uint64(dict + uint64(l.rt.layout.DictKeys))
	if err != nil {
		return err
	}
	k, err := l.keysAt(keys)
	if err != nil {
		return err
	}
	values, err := l.values(dict)
	if err != nil {
		return err
	}
	return l.eachValue(k, values, f)
}

// eachValue goes over a table whose values stand beside the keys (values 0) or in their own array.
func (l *Look) eachValue(k keysTable, values uint64, f func(key, value uint64) bool) error {
	var split []uint64
	if values != 0 {
		var err error
		if split, err = l.words(values, min(k.n, 1<<12)); err != nil {
			return err
		}
	}
	return l.each(k, func(i int, key, value uint64) bool {
		if values != 0 {
			if i >= len(split) {
				return false
			}
			value = split[i]
		}
		return value == 0 || f(key, value)
	})
}

// attributes goes over the instance attributes of an object: its __dict__, or the values kept in or beside the object.
func (l *Look) attributes(obj uint64, t *typeInfo, f func(key, value uint64) bool) error {
	o := l.rt.layout
	minor := l.rt.Version.Minor
	if minor >= 11 && t.flags&flagManagedDict != 0 {
		var values, dict uint64
		var err error
		switch {
		case minor == 11:
			// _PyObject_ValuesPointer: word −4, _PyObject_ManagedDictPointer: word −3.
			if values, err = l.mem.uint64(obj - 32); err != nil {
				return err
			}
			if dict, err = l.mem.uint64(obj - 24); err != nil {
				return err
			}
		case minor == 12:
			// _PyDictOrValues: the low bit says values, which start one byte further.
			w, err := l.mem.uint64(obj - 24)
			if err != nil {
				return err
			}
			if w&1 != 0 {
				values = w - 1
			} else {
				dict = w
			}
		default:
			if dict, err = l.mem.uint64(obj - 24); err != nil {
				return err
			}
			if t.flags&flagInlineValues != 0 {
				values = obj + uint64(t.basicSize)
				valid, err := l.mem.byte(values + uint64(o.ValuesValid))
				if err != nil {
					return err
				}
				if valid == 0 {
					values = 0
				}
			}
		}
		if values != 0 {
			keys, err := l.mem.uint64(t.addr + uint64(o.HeapKeys))
			if err != nil {
				return err
			}
			k, err := l.keysAt(keys)
			if err != nil {
				return err
			}
			if o.ValuesCap != none {
				n, err := l.mem.byte(values + uint64(o.ValuesCap))
				if err != nil {
					return err
				}
				k.n = min(k.n, int(n))
			}
			return l.eachValue(k, values+uint64(o.ValuesItems), f)
		}
		if dict == 0 {
			return nil
		}
		return l.DictEach(dict, f)
	}
	off := t.dictOffset
	if off == 0 {
		return nil
	}
	if off < 0 {
		// Variable size: the dict pointer stands behind the items (PyObject_GetDictPtr).
		n, err := l.mem.int64(obj + uint64(o.VarSize))
		if err != nil {
			return err
		}
		if n < 0 {
			n = -n
		}
		if n > maxItems || t.itemSize < 0 || t.itemSize > 1<<12 {
			return fmt.Errorf("%s at %#x: size %d", t.name, obj, n)
		}
		off += (t.basicSize + n*t.itemSize + 7) &^ 7
	}
	if off <= 0 || off > 1<<20 {
		return fmt.Errorf("%s at %#x: __dict__ at offset %d", t.name, obj, off)
	}
	dict, err := l.mem.uint64(obj + uint64(off))
	if err != nil || dict == 0 {
		return err
	}
	return l.DictEach(dict, f)
}

// Attr returns an instance attribute: from __dict__ or the object's inline values, else from a slot (__slots__).
// Class attributes and properties are not looked at. It returns ErrNotFound when there is none.
func (l *Look) Attr(obj uint64, name string) (uint64, error) {
	t, err := l.typeOf(obj)
	if err != nil {
		return 0, fmt.Errorf("attribute %s of %#x: %w", name, obj, err)
	}
	var found uint64
	err = l.attributes(obj, t, func(k, v uint64) bool {
		if l.sameStr(k, name) {
			found = v
			return false
		}
		return true
	})
	if err != nil {
		return 0, fmt.Errorf("attribute %s of %s at %#x: %w", name, t.name, obj, err)
	}
	if found != 0 {
		return found, nil
	}
	if v, ok := l.slot(obj, t, name); ok {
		return v, nil
	}
	return 0, fmt.Errorf("attribute %s of %s at %#x: %w", name, t.name, obj, ErrNotFound)
}

// slot finds a member descriptor of an object slot (T_OBJECT or T_OBJECT_EX) in the type or its bases.
func (l *Look) slot(obj uint64, t *typeInfo, name string) (uint64, bool) {
	const object, objectEx = 6, 16
	o := l.rt.layout
	for n := 0; n < maxMRO; n++ {
		if t.flags&flagHeapType != 0 && t.dict != 0 {
			if d, err := l.DictGet(t.dict, name); err == nil && l.TypeName(d) == "member_descriptor" {
				def, err := l.mem.uint64(d + uint64(o.MemberDescr))
				if err != nil {
					return 0, false
				}
				kind, err := l.mem.int32(def + uint64(o.MemberType))
				if err != nil || kind != object && kind != objectEx {
					return 0, false
				}
				off, err := l.mem.int64(def + uint64(o.MemberOffset))
				if err != nil || off < int64(o.ObjectSize) || off > 1<<20 {
					return 0, false
				}
				v, err := l.mem.uint64(obj + uint64(off))
				return v, err == nil && v != 0
			}
		}
		if t.base == 0 {
			return 0, false
		}
		var err error
		if t, err = l.typeAt(t.base); err != nil {
			return 0, false
		}
	}
	return 0, false
}

// AttrPath follows attributes: AttrPath(queue, "mutex").
func (l *Look) AttrPath(obj uint64, names ...string) (uint64, error) {
	var err error
	for _, n := range names {
		if obj, err = l.Attr(obj, n); err != nil {
			return 0, err
		}
	}
	return obj, nil
}

// Module returns the module object of that name from the main interpreter's sys.modules.
func (l *Look) Module(name string) (uint64, error) {
	if l.modules == 0 {
		return 0, fmt.Errorf("sys.modules: %w", ErrNotFound)
	}
	return l.DictGet(l.modules, name)
}

// ModuleAttr returns a global of a module that the process has imported.
func (l *Look) ModuleAttr(module, name string) (uint64, error) {
	m, err := l.Module(module)
	if err != nil {
		return 0, err
	}
	if !l.Is(m, "module") {
		return 0, fmt.Errorf("module %s: %#x is a %s", module, m, l.TypeName(m))
	}
	d, err := l.mem.uint64(m + uint64(l.rt.layout.ModuleDict))
	if err != nil {
		return 0, err
	}
	return l.DictGet(d, name)
}
