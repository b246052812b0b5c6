package python

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Kinds of Slot.
const (
	SlotLocal = "local" // a local variable or argument, a cell or free variable dereferenced
	SlotStack = "stack" // an entry of the value stack
)

// A Slot is one value of a frame.
type Slot struct {
	Object
	Kind string
	Name string // of a local; "" on the stack
	// Index counts from the first local, or from the bottom of the value stack.
	Index int
	// Live: the frame owns this reference now. Slots of the value stack above the depth that can be proven are given with Live false:
	// arguments of the call in progress are among them, and stale copies of values that are gone.
	Live bool
}

// Slots returns the locals of a frame that are set, and its value stack from the bottom up.
//
// A running frame does not store the depth of its value stack (to 3.13). What is live is then bounded from below: by the handler that
// covers the instruction (co_exceptiontable, 3.11+; the block stack in 3.9 and 3.10), and that is enough for what a with statement keeps
// there. When the depth is stored (a frame that called another Python function; 3.14 at every call) it is exact.
func (l *Look) Slots(f *Frame) ([]Slot, error) {
	if f.code == nil {
		return nil, fmt.Errorf("frame at %#x was not read by this look", f.Addr)
	}
	o := l.rt.layout
	c := f.code
	names, err := l.locals(c)
	if err != nil {
		return nil, fmt.Errorf("locals of %s: %w", f.Function, err)
	}
	nlocals := len(names)
	if o.CodeNLocalsP != none {
		nlocals = int(c.head.nlocalsPlus)
	}
	words, err := l.words(f.Addr+uint64(o.FrameLocals), nlocals+int(c.head.stackSize))
	if err != nil {
		// The stack chunk may end after the live part.
		if words, err = l.words(f.Addr+uint64(o.FrameLocals), nlocals); err != nil {
			return nil, fmt.Errorf("locals of %s: %w", f.Function, err)
		}
	}
	var out []Slot
	for i, w := range words[:nlocals] {
		w = l.untag(w)
		if w == 0 || i >= len(names) {
			continue
		}
		s := Slot{Kind: SlotLocal, Name: names[i].name, Index: i, Live: true}
		s.Addr = w
		s.Type = l.TypeName(w)
		// An argument that is also a cell stands as itself until MAKE_CELL has run.
		if names[i].cell && s.Type == "cell" {
			if s.Addr, err = l.mem.uint64(w + uint64(o.CellRef)); err != nil || s.Addr == 0 {
				continue
			}
			s.Type = l.TypeName(s.Addr)
		}
		if s.Type != "" {
			out = append(out, s)
		}
	}
	stack := words[nlocals:]
	live, exact := l.liveDepth(f, nlocals)
	if exact {
		stack = stack[:min(max(live, 0), len(stack))]
	}
	for i, w := range stack {
		w = l.untag(w)
		if w == 0 {
			continue
		}
		if t := l.TypeName(w); t != "" {
			out = append(out, Slot{Object: Object{w, t}, Kind: SlotStack, Index: i, Live: i < live})
		}
	}
	return out, nil
}

// untag takes the tag off a _PyStackRef (3.14).
func (l *Look) untag(w uint64) uint64 {
	if l.rt.Version.Minor >= 14 {
		if w&3 == 3 {
			return 0 // a tagged int
		}
		return w &^ 3
	}
	return w
}

// liveDepth returns how many slots of the value stack are surely live, and whether that is the exact depth.
func (l *Look) liveDepth(f *Frame, nlocals int) (int, bool) {
	o := l.rt.layout
	stack := f.Addr + uint64(o.FrameLocals) + uint64(nlocals)*8
	stored := func(top uint64) (int, bool) {
		if top < stack || (top-stack)%8 != 0 || top-stack > uint64(f.code.head.stackSize)*8 {
			return 0, false
		}
		return int((top - stack) / 8), true
	}
	switch {
	case o.FrameStackPtr != none:
		if top, err := l.mem.uint64(f.Addr + uint64(o.FrameStackPtr)); err == nil && top != 0 {
			if n, ok := stored(top); ok {
				return n, true
			}
		}
	case o.FrameStackTop != none:
		if n, err := l.mem.int32(f.Addr + uint64(o.FrameStackTop)); err == nil && int(n) >= nlocals {
			if d, ok := stored(stack + uint64(int(n)-nlocals)*8); ok {
				return d, true
			}
		}
	case o.FrameStackDepth != none:
		if n, err := l.mem.int32(f.Addr + uint64(o.FrameStackDepth)); err == nil && n >= 0 && n <= f.code.head.stackSize {
			return int(n), true
		}
	case o.FrameStackTop39 != none:
		if top, err := l.mem.uint64(f.Addr + uint64(o.FrameStackTop39)); err == nil && top != 0 {
			if n, ok := stored(top); ok {
				return n, true
			}
		}
	}
	if o.FrameBlocks != none {
		// PyTryBlock is {int b_type, b_handler, b_level}; the innermost block's level counts from the bottom of the stack.
		const maxBlocks, blockSize, level = 20, 12, 8
		n, err := l.mem.int32(f.Addr + uint64(o.FrameIBlock))
		if err != nil || n <= 0 || n > maxBlocks {
			return 0, false
		}
		depth, err := l.mem.int32(f.Addr + uint64(o.FrameBlocks) + uint64(n-1)*blockSize + level)
		if err != nil || depth < 0 || depth > f.code.head.stackSize {
			return 0, false
		}
		return int(depth), false
	}
	table, err := l.excTable(f.code)
	if err != nil {
		return 0, false
	}
	depth, ok := handlerDepth(table, f.Lasti)
	if !ok || depth > int(f.code.head.stackSize) {
		return 0, false
	}
	return depth, false
}

// FindOnStack returns the objects of the given types whose addresses stand in a thread's native stack; stack was read from base up.
// With no names it returns every object. Each is given once, in the order of its first (lowest) appearance, where the callee's
// registers were saved. An address there may be stale: the caller must prove that the object takes part in the call.
func (l *Look) FindOnStack(stack []byte, base uint64, typeNames ...string) []Object {
	var out []Object
	seen := map[uint64]bool{}
	first := int((8 - base%8) % 8)
	for i := first; i+8 <= len(stack); i += 8 {
		w := binary.LittleEndian.Uint64(stack[i:])
		if w < pageSize || w >= 1<<47 || w%8 != 0 || seen[w] {
			continue
		}
		seen[w] = true
		t, err := l.typeOf(w)
		if err != nil || len(typeNames) > 0 && !slices.Contains(typeNames, t.name) {
			continue
		}
		out = append(out, Object{w, t.name})
	}
	return out
}
