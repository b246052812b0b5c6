package native

import (
	"encoding/binary"
	"errors"

	"golang.org/x/arch/x86/x86asm"

	elf "tfguard/probe/binary"
)

var errNoFP = errors.New("the frame pointer could not be recovered")

// recoverFP finds RBP in a function that computes its frame from it, where nothing below saved it.
//
// Two ways, which check each other. The function's prologue tells how far RBP is above the stack pointer: the registers pushed after
// `mov rbp, rsp` and the bytes reserved. And at RBP+8 stands a return address: the call before it must lead to this very function,
// directly, through a PLT stub or through a GOT slot, when it is a direct call.
func (u *unwinder) recoverFP(mod *Module, row elf.Row, sp uint64) (fp uint64, how string, err error) {
	if row.CFAOff != 16 {
		return 0, "", errNoFP
	}
	start := row.Start + mod.Bias
	if size, ok := frameSize(mod.File, row.Start); ok {
		x := sp + size
		if ra, err := u.word(x + 8); err == nil {
			switch u.callTo(ra, start) {
			case callsIt:
				return x, "rbp-call", nil
			case callsUnknown, callsOther: // indirect; or a tail call of the function that was called
				if saved, err := u.word(x); err == nil && (saved == 0 || saved > x && saved-u.stack.Base < u.limit || u.p.Mapping(saved) == nil || !u.onStack(saved)) {
					return x, "rbp-prologue", nil
				}
			}
		}
	}
	// The stack pointer may have moved inside the function (alloca, pushed arguments): search for its return address.
	for x := sp; x < sp+maxFPSearch && x-u.stack.Base+16 <= u.limit; x += 8 {
		ra, err := u.word(x + 8)
		if err != nil {
			break
		}
		if ra>>47 == 0 && ra > 1<<12 && u.callTo(ra, start) == callsIt {
			return x, "rbp-call", nil
		}
	}
	return 0, "", errNoFP
}

func (u *unwinder) onStack(addr uint64) bool {
	return addr >= u.stack.Base && addr-u.stack.Base < u.limit
}

// A callKind says what a possible return address comes after.
type callKind int

const (
	noCall       callKind = iota
	callsIt               // a call whose target is the function
	callsOther            // a direct call of another function
	callsUnknown          // an indirect call
)

// callTo decodes the call before a return address.
func (u *unwinder) callTo(ra, function uint64) callKind {
	m := u.p.Mapping(ra)
	if m == nil || !m.Executable() {
		return noCall
	}
	mod, err := u.p.module(m)
	if err != nil {
		return noCall
	}
	b := mod.File.Bytes(ra-8-mod.Bias, 8)
	if b == nil {
		return noCall
	}
	if b[3] == 0xe8 { // call rel32
		target := ra + uint64(int64(int32(binary.LittleEndian.Uint32(b[4:]))))
		if target == function || u.stubTarget(target) == function {
			return callsIt
		}
		return callsOther
	}
	if b[2] == 0xff && b[3] == 0x15 { // call [rip+rel32]
		slot := ra + uint64(int64(int32(binary.LittleEndian.Uint32(b[4:]))))
		if v, err := u.word(slot); err == nil && v == function {
			return callsIt
		}
		return callsUnknown
	}
	if indirectCall(b) {
		return callsUnknown
	}
	return noCall
}

// stubTarget follows a PLT stub: [endbr64] [bnd] jmp [rip+rel32].
func (u *unwinder) stubTarget(addr uint64) uint64 {
	mod, err := u.p.Module(addr)
	if err != nil {
		return 0
	}
	b := mod.File.Bytes(addr-mod.Bias, 16)
	if b == nil {
		return 0
	}
	at := addr
	if b[0] == 0xf3 && b[1] == 0x0f && b[2] == 0x1e && b[3] == 0xfa {
		b, at = b[4:], at+4
	}
	if b[0] == 0xf2 {
		b, at = b[1:], at+1
	}
	if b[0] == 0xe9 { // jmp rel32: a thunk
		return at + 5 + uint64(int64(int32(binary.LittleEndian.Uint32(b[1:]))))
	}
	if b[0] != 0xff || b[1] != 0x25 {
		return 0
	}
	slot := at + 6 + uint64(int64(int32(binary.LittleEndian.Uint32(b[2:]))))
	v, err := u.word(slot)
	if err != nil {
		return 0
	}
	return v
}

// indirectCall reports whether the 8 bytes end in FF /2 of any length (Intel SDM, volume 2, CALL).
func indirectCall(b []byte) bool {
	for _, n := range []int{2, 3, 4, 6, 7} { // reg; [reg+rex or SIB]; disp8 with SIB; disp32; disp32 with SIB
		c := b[8-n:]
		if c[0] == 0xff && c[1]>>3&7 == 2 && callLength(c[1], c[2:]) == n {
			return true
		}
	}
	return false
}

// callLength is the length of FF /2 with that ModRM byte.
func callLength(modrm byte, rest []byte) int {
	n := 2
	mod, rm := modrm>>6, modrm&7
	if mod == 3 {
		return n
	}
	if rm == 4 {
		n++
		if mod == 0 && len(rest) > 0 && rest[0]&7 == 5 {
			n += 4
		}
	}
	switch {
	case mod == 1:
		n++
	case mod == 2, mod == 0 && rm == 5:
		n += 4
	}
	return n
}

// maxPrologue bounds the instructions that are decoded of a function.
const maxPrologue = 48

// frameSize decodes a prologue: push rbp; mov rbp, rsp; pushes; sub rsp, n. It returns how far RBP is above the stack pointer in the
// function's body. Other instructions may stand in between, early exits too (a conditional branch falls through to the body);
// another change of RSP ends it without an answer.
func frameSize(f *elf.File, start uint64) (uint64, bool) {
	code := f.Bytes(start, 256)
	if code == nil {
		if code = f.Bytes(start, 64); code == nil {
			return 0, false
		}
	}
	established := false
	var size uint64
	for i := 0; i < maxPrologue && len(code) >= 15; i++ {
		if len(code) > 4 && code[0] == 0xf3 && code[1] == 0x0f && code[2] == 0x1e && code[3] == 0xfa { // endbr64
			code = code[4:]
			continue
		}
		in, err := x86asm.Decode(code, 64)
		if err != nil {
			return size, established && size > 0
		}
		code = code[in.Len:]
		switch in.Op {
		case x86asm.PUSH:
			if established {
				size += 8
			}
		case x86asm.MOV:
			if in.Args[0] == x86asm.RBP && in.Args[1] == x86asm.RSP {
				established = true
			}
			if in.Args[0] == x86asm.RSP {
				return 0, false
			}
		case x86asm.SUB:
			if in.Args[0] == x86asm.RSP {
				n, ok := in.Args[1].(x86asm.Imm)
				if !ok || n < 0 || n > maxFPSearch || !established {
					return 0, false
				}
				return size + uint64(n), true
			}
		case x86asm.AND:
			if in.Args[0] == x86asm.RSP {
				return 0, false // aligned: the distance depends on the caller
			}
		case x86asm.POP, x86asm.LEAVE, x86asm.ENTER:
			return 0, false
		case x86asm.CALL:
			return size, established // no bytes reserved: the pushes are the frame
		case x86asm.RET, x86asm.JMP:
			return size, established && size > 0
		}
	}
	return size, established && size > 0
}
