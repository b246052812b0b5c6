package python

import (
	"encoding/binary"
	"errors"
	"fmt"

	"tfguard/probe"
	"tfguard/probe/memory"
)

const (
	maxInterps = 64
	maxThreads = 16384
	maxFrames  = 4096
	lookTries  = 3
)

// A Look is the state of a Python runtime as read at one moment. Everything that its methods read later is cached, so that one look
// stays consistent with itself: take a new one to see what changed. A Look belongs to one goroutine.
type Look struct {
	rt    *Runtime
	mem   *pages
	raw   memory.Reader
	types map[uint64]*typeInfo
	codes map[uint64]*code

	modules uint64 // dict of the main interpreter

	Threads []Thread // every interpreter's, newest first within each
	GIL     GIL      // of the main interpreter
	// MainIdent is the ident of the main thread (in a forked child, of the thread that forked); MainTID its TID, 0 when unknown.
	MainIdent uint64
	MainTID   int
	// Finalizing: Py_FinalizeEx runs; FinalizingState is the thread state that runs it, FinalizingTID its TID when it can be told.
	// threading._shutdown, which waits for non-daemon threads, runs before: it is seen in the main thread's frames.
	Finalizing      bool
	FinalizingState uint64
	FinalizingTID   int
	// Interpreters is their number: more than one means sub-interpreters.
	Interpreters int
	// Missing says what could not be read.
	Missing []string
}

// A Thread is one PyThreadState.
type Thread struct {
	TID     int    // 0: not known
	Ident   uint64 // threading.get_ident(): the pthread_t
	State   uint64 // address of the PyThreadState
	Interp  uint64 // address of its PyInterpreterState
	Frames  []Frame
	Stable  bool   // the frames were read twice and did not change in between
	Missing string // why frames are missing or the chain is cut, "" when complete
}

// PyFrames returns the frames as a snapshot holds them.
func (t *Thread) PyFrames() []probe.PyFrame {
	out := make([]probe.PyFrame, len(t.Frames))
	for i := range t.Frames {
		out[i] = t.Frames[i].PyFrame
	}
	return out
}

// A Frame is one Python frame; Addr is that of the _PyInterpreterFrame (3.11+) or PyFrameObject.
type Frame struct {
	probe.PyFrame
	Name  string // co_name; Function has the qualified name
	Code  uint64 // address of the code object
	Lasti int    // byte offset of the instruction
	code  *code
	raw   [frameRaw]byte // the head of the frame as it was read, for the second look
}

// frameRaw covers the members that a running frame changes, in every version.
const frameRaw = 120

// A GIL is the state of the global interpreter lock.
type GIL struct {
	Addr        uint64 // of struct _gil_runtime_state
	Size        uint64
	Locked      bool
	HolderState uint64 // last_holder: a PyThreadState; it holds the GIL only while Locked
	HolderTID   int    // 0: not locked, or not known
	Switches    uint64 // switch_number
}

// Contains reports whether addr lies in the GIL's struct: a futex there is a wait for the GIL.
func (g *GIL) Contains(addr uint64) bool { return g.Addr != 0 && addr >= g.Addr && addr < g.Addr+g.Size }

// Look reads threads, frames and the GIL. tids maps the TIDs that threads know themselves by (their PID namespace's) to those of this
// namespace; a thread that is not in it keeps TID 0.
func (rt *Runtime) Look(tids map[int]int) (*Look, error) {
	if rt.FreeThreaded {
		return nil, ErrFreeThreaded
	}
	l := rt.newLook()
	if err := l.runtime(); err != nil {
		return nil, fmt.Errorf("CPython %s runtime at %#x: %w", rt.Version, rt.Addr, err)
	}
	l.nativeIDs(tids)
	for i := range l.Threads {
		l.readFrames(&l.Threads[i])
	}
	for i := range l.Threads {
		t := &l.Threads[i]
		if t.Ident == l.MainIdent {
			l.MainTID = t.TID
		}
		if l.GIL.Locked && t.State == l.GIL.HolderState {
			l.GIL.HolderTID = t.TID
		}
		if l.Finalizing && t.State == l.FinalizingState {
			l.FinalizingTID = t.TID
		}
	}
	return l, nil
}

func (rt *Runtime) newLook() *Look {
	return &Look{rt: rt, mem: newPages(rt.mem), raw: rt.mem, types: map[uint64]*typeInfo{}, codes: map[uint64]*code{}}
}

// Runtime returns the runtime that was looked at.
func (l *Look) Runtime() *Runtime { return l.rt }

// Thread returns the thread with that TID, or nil.
func (l *Look) Thread(tid int) *Thread {
	for i := range l.Threads {
		if l.Threads[i].TID == tid && tid != 0 {
			return &l.Threads[i]
		}
	}
	return nil
}

// ThreadByIdent returns the thread with that threading ident, or nil: an owner that is not there has ended.
func (l *Look) ThreadByIdent(ident uint64) *Thread {
	for i := range l.Threads {
		if l.Threads[i].Ident == ident && ident != 0 {
			return &l.Threads[i]
		}
	}
	return nil
}

func (l *Look) runtime() error {
	o, rt := l.rt.layout, l.rt.Addr
	var err error
	var interp uint64
	if interp, err = l.mem.uint64(rt + uint64(o.RuntimeHead)); err != nil {
		return err
	}
	if interp == 0 {
		return errors.New("not initialised")
	}
	if l.MainIdent, err = l.mem.uint64(rt + uint64(o.RuntimeMainThread)); err != nil {
		return err
	}
	mainInterp, err := l.mem.uint64(rt + uint64(o.RuntimeMain))
	if err != nil {
		return err
	}
	if l.FinalizingState, err = l.mem.uint64(rt + uint64(o.RuntimeFinalizing)); err != nil {
		return err
	}
	l.Finalizing = l.FinalizingState != 0
	seen := map[uint64]bool{}
	for interp != 0 && !seen[interp] {
		if len(seen) == maxInterps {
			l.Missing = append(l.Missing, fmt.Sprintf("more than %d interpreters", maxInterps))
			break
		}
		seen[interp] = true
		if back, err := l.mem.uint64(interp + uint64(o.InterpRuntime)); err != nil || back != rt {
			return fmt.Errorf("interpreter at %#x does not point back", interp)
		}
		if err := l.threads(interp); err != nil {
			return err
		}
		if interp == mainInterp {
			if l.modules, err = l.mem.uint64(interp + uint64(o.InterpModules)); err != nil {
				return err
			}
			if err := l.gil(interp); err != nil {
				l.Missing = append(l.Missing, "GIL: "+err.Error())
			}
		}
		if interp, err = l.mem.uint64(interp + uint64(o.InterpNext)); err != nil {
			return err
		}
	}
	l.Interpreters = len(seen)
	return nil
}

func (l *Look) threads(interp uint64) error {
	o := l.rt.layout
	state, err := l.mem.uint64(interp + uint64(o.InterpThreads))
	if err != nil {
		return err
	}
	seen := map[uint64]bool{}
	prev := uint64(0)
	for state != 0 {
		if seen[state] || len(l.Threads) >= maxThreads {
			return fmt.Errorf("thread list of interpreter %#x does not end", interp)
		}
		seen[state] = true
		b, err := l.mem.bytes(state, int(o.ThreadInterp)+8)
		if err != nil {
			// The list changed under us: what was read is right, the rest is unknown.
			l.Missing = append(l.Missing, fmt.Sprintf("thread list cut at %#x: %v", state, err))
			return nil
		}
		if binary.LittleEndian.Uint64(b[o.ThreadInterp:]) != interp || binary.LittleEndian.Uint64(b[o.ThreadPrev:]) != prev {
			if prev == 0 {
				return fmt.Errorf("thread state %#x does not point back", state)
			}
			l.Missing = append(l.Missing, fmt.Sprintf("thread list cut at %#x: it does not point back", state))
			return nil
		}
		ident, err := l.mem.uint64(state + uint64(o.ThreadIdent))
		if err != nil {
			return err
		}
		l.Threads = append(l.Threads, Thread{Ident: ident, State: state, Interp: interp})
		prev, state = state, binary.LittleEndian.Uint64(b[o.ThreadNext:])
	}
	return nil
}

func (l *Look) gil(interp uint64) error {
	o := l.rt.layout
	addr := l.rt.Addr + uint64(o.RuntimeGIL)
	if o.InterpGIL != none && l.rt.Version.Minor >= 12 {
		var err error
		if addr, err = l.mem.uint64(interp + uint64(o.InterpGIL)); err != nil {
			return err
		}
	}
	b, err := l.mem.bytes(addr, int(o.GILSize))
	if err != nil {
		return err
	}
	holder := binary.LittleEndian.Uint64(b[o.GILHolder:])
	locked := int32(binary.LittleEndian.Uint32(b[o.GILLocked:]))
	if locked < -1 || locked > 1 {
		return fmt.Errorf("locked = %d", locked)
	}
	l.GIL = GIL{
		Addr: addr, Size: uint64(o.GILSize), Locked: locked == 1, HolderState: holder,
		Switches: binary.LittleEndian.Uint64(b[o.GILSwitches:]),
	}
	return nil
}

// nativeIDs sets the TID of each thread: native_thread_id from 3.11, before that struct pthread.tid, which glibc keeps at an offset
// that no header tells: it is the one where every thread's ident has a different TID of this process.
func (l *Look) nativeIDs(tids map[int]int) {
	o := l.rt.layout
	if o.ThreadNativeID != none {
		for i := range l.Threads {
			id, err := l.mem.uint64(l.Threads[i].State + uint64(o.ThreadNativeID))
			if err != nil {
				continue
			}
			l.Threads[i].TID = tids[int(id)]
		}
		return
	}
	offset, ok := l.rt.pthreadTID.Load().(int)
	if !ok {
		if offset, ok = l.findPthreadTID(tids); !ok {
			l.Missing = append(l.Missing, "TIDs: no offset of struct pthread.tid fits every thread")
			return
		}
		l.rt.pthreadTID.Store(offset)
	}
	for i := range l.Threads {
		if id, err := l.mem.int32(l.Threads[i].Ident + uint64(offset)); err == nil {
			l.Threads[i].TID = tids[int(id)]
		}
	}
}

func (l *Look) findPthreadTID(tids map[int]int) (int, bool) {
	const span = 0x600 // struct pthread.tid is at 0x2d0 in glibc 2.3–2.40, and below 0x600 in every libc known
	heads := make([][]byte, 0, len(l.Threads))
	for _, t := range l.Threads {
		if t.Ident < pageSize || t.Ident%8 != 0 {
			continue
		}
		if b, err := l.mem.bytes(t.Ident, span); err == nil {
			heads = append(heads, b)
		}
	}
	if len(heads) == 0 {
		return 0, false
	}
	for off := 0; off+4 <= span; off += 4 {
		used := make(map[int32]bool, len(heads))
		fits := true
		for _, b := range heads {
			id := int32(binary.LittleEndian.Uint32(b[off:]))
			if _, known := tids[int(id)]; !known || used[id] {
				fits = false
				break
			}
			used[id] = true
		}
		if fits {
			return off, true
		}
	}
	return 0, false
}

// readFrames reads the frames of a thread, then the heads of the frames again past the cache. A running thread changes them:
// it is tried a few times, and if it never held still the last reading is kept with Stable false.
func (l *Look) readFrames(t *Thread) {
	mem := l.mem
	defer func() { l.mem = mem }()
	for try := range lookTries {
		if try > 0 {
			l.mem = newPages(l.raw) // see the stack anew; names come from the caches
		}
		t.Frames, t.Missing = l.walk(t.State)
		if t.Stable = l.unchanged(t); t.Stable {
			return
		}
	}
}

// frameHead reads the address of the thread's innermost frame with r.
func (l *Look) frameHead(r memory.Reader, state uint64) (uint64, error) {
	o := l.rt.layout
	at := state + uint64(o.ThreadFrame)
	if o.ThreadFrame == none {
		cframe, err := memory.Uint64(r, state+uint64(o.ThreadCFrame))
		if err != nil || cframe == 0 {
			return 0, err
		}
		at = cframe + uint64(o.CFrameFrame)
	}
	return memory.Uint64(r, at)
}

func (l *Look) unchanged(t *Thread) bool {
	head, err := l.frameHead(l.raw, t.State)
	if err != nil {
		return false
	}
	if len(t.Frames) == 0 {
		return t.Missing == "" && head == 0
	}
	var now [frameRaw]byte
	for i := range t.Frames {
		f := &t.Frames[i]
		if i == 0 && f.Addr != head {
			// A shim frame may stand above the innermost Python frame.
			if back, err := memory.Uint64(l.raw, head+uint64(l.rt.layout.FrameBack)); err != nil || back != f.Addr {
				return false
			}
		}
		if l.raw.ReadMemory(now[:], f.Addr) != nil || l.differs(&now, &f.raw) {
			return false
		}
	}
	return true
}

// differs compares what decides a frame: its code, its instruction, its caller.
func (l *Look) differs(a, b *[frameRaw]byte) bool {
	o := l.rt.layout
	word := func(x *[frameRaw]byte, off int32) uint64 { return binary.LittleEndian.Uint64(x[off:]) }
	return word(a, o.FrameCode) != word(b, o.FrameCode) || word(a, o.FrameLasti) != word(b, o.FrameLasti) || word(a, o.FrameBack) != word(b, o.FrameBack)
}

// Owners of a _PyInterpreterFrame (enum _frameowner): from this one on it is no Python frame, but marks an entry of the interpreter loop.
const ownedByCStack = 3

// walk reads the chain of frames, innermost first; missing says why it is not complete.
func (l *Look) walk(state uint64) (frames []Frame, missing string) {
	o := l.rt.layout
	minor := l.rt.Version.Minor
	addr, err := l.frameHead(l.mem, state)
	if err != nil {
		return nil, "no frame: " + err.Error()
	}
	seen := 0
	for addr != 0 {
		if seen++; seen > maxFrames {
			return frames, fmt.Sprintf("more than %d frames", maxFrames)
		}
		if addr%8 != 0 {
			return frames, fmt.Sprintf("frame at %#x", addr)
		}
		var f Frame
		if err := l.mem.ReadMemory(f.raw[:], addr); err != nil {
			return frames, fmt.Sprintf("frame at %#x: %v", addr, err)
		}
		word := func(off int32) uint64 { return binary.LittleEndian.Uint64(f.raw[off:]) }
		back := word(o.FrameBack)
		if o.FrameOwner != none && f.raw[o.FrameOwner] >= ownedByCStack {
			if len(frames) > 0 {
				frames[len(frames)-1].Entry = true
			}
			addr = back
			continue
		}
		f.Addr = addr
		f.Code = word(o.FrameCode)
		if minor >= 14 {
			f.Code &^= 3 // _PyStackRef keeps a tag in the low bits
		}
		c, err := l.codeAt(f.Code)
		if err != nil {
			return frames, fmt.Sprintf("frame at %#x: %v", addr, err)
		}
		f.code = c
		switch {
		case minor <= 9:
			f.Lasti = int(int32(word(o.FrameLasti)))
			f.Entry = true // every call of a Python function enters the interpreter loop anew
		case minor == 10:
			f.Lasti = 2 * int(int32(word(o.FrameLasti)))
			f.Entry = true
		default:
			// Before the first instruction prev_instr stands one unit before the code.
			d := int64(word(o.FrameLasti) - f.Code - uint64(o.CodeCode))
			if d < -2 || d > 1<<28 {
				return frames, fmt.Sprintf("frame at %#x: instruction %d bytes from its code", addr, d)
			}
			f.Lasti = int(d)
			if o.FrameEntry != none {
				f.Entry = f.raw[o.FrameEntry] != 0
			}
		}
		f.Name, f.Function, f.File = c.name, c.qualname, c.file
		f.Line, _ = c.line(l.rt.Version, f.Lasti)
		frames = append(frames, f)
		addr = back
	}
	return frames, ""
}
