package binary

import "errors"

var errExpr = errors.New("DWARF expression that is not supported")

// Evaluate computes a DWARF expression as call frame information uses them: PLT stubs and signal trampolines.
// cfa is pushed first when push is set (rules other than the CFA's). reg and read give registers and memory.
func Evaluate(expr []byte, push bool, cfa uint64, reg func(int) (uint64, bool), read func(uint64) (uint64, error)) (uint64, error) {
	var stack []uint64
	if push {
		stack = append(stack, cfa)
	}
	r := &reader{b: expr}
	pop := func() (uint64, bool) {
		if len(stack) == 0 {
			return 0, false
		}
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		return v, true
	}
	for steps := 0; r.pos < len(r.b); steps++ {
		if steps > 256 || len(stack) > 64 {
			return 0, errExpr
		}
		op, _ := r.u8()
		switch {
		case op == 0x06: // deref
			a, ok := pop()
			if !ok {
				return 0, errExpr
			}
			v, err := read(a)
			if err != nil {
				return 0, err
			}
			stack = append(stack, v)
		case op == 0x08 || op == 0x09: // const1u, const1s
			b, ok := r.u8()
			if !ok {
				return 0, errExpr
			}
			v := uint64(b)
			if op == 0x09 {
				v = uint64(int64(int8(b)))
			}
			stack = append(stack, v)
		case op == 0x0a || op == 0x0b: // const2u, const2s
			b, ok := r.u16()
			if !ok {
				return 0, errExpr
			}
			v := uint64(b)
			if op == 0x0b {
				v = uint64(int64(int16(b)))
			}
			stack = append(stack, v)
		case op == 0x10: // constu
			v, ok := r.uleb()
			if !ok {
				return 0, errExpr
			}
			stack = append(stack, v)
		case op == 0x11: // consts
			v, ok := r.sleb()
			if !ok {
				return 0, errExpr
			}
			stack = append(stack, uint64(v))
		case op == 0x12: // dup
			v, ok := pop()
			if !ok {
				return 0, errExpr
			}
			stack = append(stack, v, v)
		case op == 0x23: // plus_uconst
			v, ok := pop()
			n, ok2 := r.uleb()
			if !ok || !ok2 {
				return 0, errExpr
			}
			stack = append(stack, v+n)
		case op == 0x1a || op == 0x1c || op == 0x21 || op == 0x22 || op == 0x24 || op == 0x2a: // and, minus, or, plus, shl, ge
			b, ok := pop()
			a, ok2 := pop()
			if !ok || !ok2 {
				return 0, errExpr
			}
			var v uint64
			switch op {
			case 0x1a:
				v = a & b
			case 0x1c:
				v = a - b
			case 0x21:
				v = a | b
			case 0x22:
				v = a + b
			case 0x24:
				if b < 64 {
					v = a << b
				}
			case 0x2a:
				if int64(a) >= int64(b) {
					v = 1
				}
			}
			stack = append(stack, v)
		case op >= 0x30 && op <= 0x4f: // lit0 … lit31
			stack = append(stack, uint64(op-0x30))
		case op >= 0x70 && op <= 0x8f: // breg0 … breg31
			n, ok := r.sleb()
			v, ok2 := reg(int(op - 0x70))
			if !ok || !ok2 {
				return 0, errExpr
			}
			stack = append(stack, v+uint64(n))
		default:
			return 0, errExpr
		}
	}
	v, ok := pop()
	if !ok {
		return 0, errExpr
	}
	return v, nil
}
