package native

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"

	"tfguard/probe"
	elf "tfguard/probe/binary"
)

// Registers are what is known of a blocked thread: /proc/PID/task/TID/syscall has no frame pointer.
type Registers struct {
	PC, SP uint64
	FP     uint64
	HasFP  bool // known, as from a core file or a sample
}

// A Stack is an unwound native stack, with the copy of the memory that it was unwound from.
type Stack struct {
	Frames   []probe.NativeFrame // innermost first
	Complete bool                // it ends where threads begin
	Why      string              // why it is not complete
	Bytes    []byte              // from Base upward
	Base     uint64
}

// Bounds of one stack.
const (
	maxFrames   = 1024
	firstCopy   = 16 << 10 // bytes; most stacks of blocked threads fit
	maxCopy     = 8 << 20
	maxFPSearch = 256 << 10 // bytes that a frame pointer is searched in
)

// Unwind walks a blocked thread's stack. It never fails: what could be found is there, and Why says what ended it.
func (p *Process) Unwind(r Registers) (s Stack) {
	defer func(old bool) { debug.SetPanicOnFault(old) }(debug.SetPanicOnFault(true))
	var fault error
	defer func() {
		if fault != nil {
			s.Complete, s.Why = false, fault.Error()
		}
	}()
	defer recoverFault(&fault)

	u := &unwinder{p: p, stack: &s, arm: p.machine() == elf.ARM64}
	s.Base = r.SP &^ 7
	limit := uint64(maxCopy)
	if m := p.Mapping(r.SP); m != nil {
		limit = min(limit, m.End-s.Base)
	} else {
		s.Why = fmt.Sprintf("the stack pointer %#x is not mapped", r.SP)
		return s
	}
	u.limit = limit
	u.grow(firstCopy)
	u.walk(r)
	return s
}

type unwinder struct {
	p     *Process
	stack *Stack
	limit uint64 // bytes from Base to the end of the stack's mapping
	arm   bool
}

// grow copies at least n bytes of the stack, or all there is.
func (u *unwinder) grow(n uint64) {
	n = min(max(n, 2*uint64(len(u.stack.Bytes))), u.limit)
	if n <= uint64(len(u.stack.Bytes)) {
		return
	}
	b := make([]byte, n)
	copy(b, u.stack.Bytes)
	have := uint64(len(u.stack.Bytes))
	if u.p.Mem.ReadMemory(b[have:], u.stack.Base+have) == nil {
		u.stack.Bytes = b
	}
}

// word reads a word of the stack, from the copy where it holds it.
func (u *unwinder) word(addr uint64) (uint64, error) {
	off := addr - u.stack.Base
	if addr < u.stack.Base || off >= u.limit {
		var b [8]byte
		if err := u.p.Mem.ReadMemory(b[:], addr); err != nil {
			return 0, err
		}
		return binary.LittleEndian.Uint64(b[:]), nil
	}
	if off+8 > uint64(len(u.stack.Bytes)) {
		u.grow(off + 8)
	}
	if off+8 > uint64(len(u.stack.Bytes)) {
		return 0, errors.New("the stack can't be read that far")
	}
	return binary.LittleEndian.Uint64(u.stack.Bytes[off:]), nil
}

func (u *unwinder) walk(r Registers) {
	s := u.stack
	pc, sp, fp, hasFP := r.PC, r.SP, r.FP, r.HasFP
	how := "syscall"
	exact := true // the PC is where the thread is, not a return address
	for len(s.Frames) < maxFrames {
		if pc == 0 {
			s.Complete = len(s.Frames) > 1
			return
		}
		at := pc
		if !exact {
			at-- // a return address may be the first byte of the next function
		}
		frame := probe.NativeFrame{PC: pc, SP: sp, How: how}
		mod, err := u.p.Module(at)
		if err != nil {
			if len(s.Frames) > 0 && how != "syscall" {
				s.Why = fmt.Sprintf("the return address %#x is in no file: %v", pc, err)
			} else {
				s.Why = fmt.Sprintf("%#x: %v", pc, err)
			}
			s.Frames = append(s.Frames, frame)
			return
		}
		frame.Module, frame.Path, frame.Offset = filepath.Base(mod.Path), mod.Path, at-mod.Bias
		s.Frames = append(s.Frames, frame)
		row, err := mod.File.Row(at - mod.Bias)
		if err != nil {
			if u.arm && hasFP {
				if fp, pc, err = u.frameRecord(fp); err == nil {
					how, exact = "fp", false
					continue
				}
			}
			s.Why = fmt.Sprintf("%s+%#x: %v", frame.Module, at-mod.Bias, err)
			return
		}
		if row.RA.Kind == elf.Undefined {
			s.Complete = true
			return
		}
		how = "cfi"
		var cfa uint64
		switch {
		case row.CFAExpr != nil:
			cfa, err = elf.Evaluate(row.CFAExpr, false, 0, func(n int) (uint64, bool) { return u.register(n, pc, sp, fp, hasFP) }, u.word)
			if err != nil {
				s.Why = fmt.Sprintf("%s+%#x: %v", frame.Module, at-mod.Bias, err)
				return
			}
		case row.IsSP:
			cfa = sp + uint64(row.CFAOff)
		case row.IsFP:
			if !hasFP {
				var proof string
				fp, proof, err = u.recoverFP(mod, row, sp)
				if err != nil {
					s.Why = fmt.Sprintf("%s+%#x: %v", frame.Module, at-mod.Bias, err)
					return
				}
				how, hasFP = proof, true
			}
			cfa = fp + uint64(row.CFAOff)
		default:
			s.Why = fmt.Sprintf("%s+%#x: its frame is found through register %d", frame.Module, at-mod.Bias, row.CFAReg)
			return
		}
		if cfa <= sp && !(u.arm && exact && cfa == sp) {
			s.Why = fmt.Sprintf("%s+%#x: the stack does not grow", frame.Module, at-mod.Bias)
			return
		}
		var ra uint64
		switch row.RA.Kind {
		case elf.AtOffset:
			ra, err = u.word(cfa + uint64(row.RA.Offset))
		case elf.SameValue:
			if !u.arm {
				err = errors.New("no rule for the return address")
				break
			}
			// The link register of a leaf function is not known: go on by the frame records above.
			if fp, ra, err = u.findRecord(sp); err == nil {
				how, hasFP, cfa = "fp", true, sp
			}
		case elf.AtExpr, elf.IsExpr:
			var a uint64
			a, err = elf.Evaluate(row.RA.Expr, true, cfa, func(n int) (uint64, bool) { return u.register(n, pc, sp, fp, hasFP) }, u.word)
			if err == nil && row.RA.Kind == elf.AtExpr {
				a, err = u.word(a)
			}
			ra = a
		default:
			err = errors.New("the return address is in a register")
		}
		if err != nil {
			s.Why = fmt.Sprintf("%s+%#x: %v", frame.Module, at-mod.Bias, err)
			return
		}
		switch row.FP.Kind {
		case elf.AtOffset:
			if v, err := u.word(cfa + uint64(row.FP.Offset)); err == nil {
				fp, hasFP = v, true
			} else {
				hasFP = false
			}
		case elf.AtExpr:
			a, err := elf.Evaluate(row.FP.Expr, true, cfa, func(n int) (uint64, bool) { return u.register(n, pc, sp, fp, hasFP) }, u.word)
			if err == nil {
				a, err = u.word(a)
			}
			fp, hasFP = a, err == nil
		case elf.Undefined, elf.InRegister, elf.IsExpr, elf.IsOffset:
			hasFP = false
		}
		if u.arm {
			ra = stripPAC(ra)
		}
		pc, sp, exact = ra, cfa, row.Signal
	}
	s.Why = fmt.Sprintf("more than %d frames", maxFrames)
}

func (u *unwinder) register(n int, pc, sp, fp uint64, hasFP bool) (uint64, bool) {
	if u.arm {
		switch n {
		case 29:
			return fp, hasFP
		case 31:
			return sp, true
		}
		return 0, false
	}
	switch n {
	case 6:
		return fp, hasFP
	case 7:
		return sp, true
	case 16:
		return pc, true
	}
	return 0, false
}

// stripPAC removes the pointer authentication code from a return address (48-bit addresses).
func stripPAC(pc uint64) uint64 { return pc & (1<<48 - 1) }

// frameRecord reads an arm64 frame record {next, return address} (AAPCS64, section 6.4.6).
func (u *unwinder) frameRecord(fp uint64) (next, ra uint64, err error) {
	if fp%8 != 0 || fp < u.stack.Base {
		return 0, 0, errors.New("no frame record")
	}
	if next, err = u.word(fp); err != nil {
		return 0, 0, err
	}
	ra, err = u.word(fp + 8)
	return next, stripPAC(ra), err
}

// findRecord looks upward for the first frame record: a pointer further up the stack, then a return address after a call.
func (u *unwinder) findRecord(sp uint64) (fp, ra uint64, err error) {
	for x := sp &^ 7; x < sp+maxFPSearch && x-u.stack.Base+16 <= u.limit; x += 8 {
		next, err := u.word(x)
		if err != nil {
			break
		}
		if next != 0 && (next <= x || next-u.stack.Base >= u.limit) || next%8 != 0 {
			continue
		}
		ret, err := u.word(x + 8)
		if err != nil {
			break
		}
		ret = stripPAC(ret)
		if u.afterCallARM(ret) {
			return x, ret, nil // the record's own frame pointer: its CFI rules go on from it
		}
	}
	return 0, 0, errors.New("no frame record found")
}

// afterCallARM reports whether the instruction before a return address is BL or BLR.
func (u *unwinder) afterCallARM(ret uint64) bool {
	mod, err := u.p.Module(ret - 4)
	if err != nil || ret%4 != 0 {
		return false
	}
	b := mod.File.Bytes(ret-4-mod.Bias, 4)
	if b == nil {
		return false
	}
	in := binary.LittleEndian.Uint32(b)
	return in>>26 == 0x25 || in&0xfffffc1f == 0xd63f0000
}
