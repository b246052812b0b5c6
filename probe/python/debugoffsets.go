package python

import (
	"encoding/binary"
	"fmt"

	"tfguard/probe/memory"
)

// debugOffsets is struct _Py_DebugOffsets, which CPython keeps at the start of _PyRuntime from 3.13 on
// (Include/internal/pycore_debug_offsets.h).
type debugOffsets struct {
	version      Version
	freeThreaded bool
	bytes        []byte
}

// debugMembers says where a member of the layout stands in _Py_DebugOffsets of 3.13 and of 3.14; 0: not there.
var debugMembers = []struct {
	member   func(*layout) *int32
	v13, v14 int
}{
	{func(l *layout) *int32 { return &l.RuntimeSize }, 24, 24},
	{func(l *layout) *int32 { return &l.RuntimeFinalizing }, 32, 32},
	{func(l *layout) *int32 { return &l.RuntimeHead }, 40, 40},
	{func(l *layout) *int32 { return &l.InterpID }, 56, 56},
	{func(l *layout) *int32 { return &l.InterpNext }, 64, 64},
	{func(l *layout) *int32 { return &l.InterpThreads }, 72, 72},
	{func(l *layout) *int32 { return &l.InterpModules }, 88, 96},
	{func(l *layout) *int32 { return &l.InterpSysDict }, 96, 104},
	{func(l *layout) *int32 { return &l.InterpGIL }, 112, 120},
	{func(l *layout) *int32 { return &l.ThreadPrev }, 160, 184},
	{func(l *layout) *int32 { return &l.ThreadNext }, 168, 192},
	{func(l *layout) *int32 { return &l.ThreadInterp }, 176, 200},
	{func(l *layout) *int32 { return &l.ThreadFrame }, 184, 208},
	{func(l *layout) *int32 { return &l.ThreadIdent }, 192, 216},
	{func(l *layout) *int32 { return &l.ThreadNativeID }, 200, 224},
	{func(l *layout) *int32 { return &l.FrameBack }, 232, 256},
	{func(l *layout) *int32 { return &l.FrameCode }, 240, 264},
	{func(l *layout) *int32 { return &l.FrameLasti }, 248, 272},
	{func(l *layout) *int32 { return &l.FrameLocals }, 256, 280},
	{func(l *layout) *int32 { return &l.FrameOwner }, 264, 288},
	{func(l *layout) *int32 { return &l.FrameStackPtr }, 0, 296},
	{func(l *layout) *int32 { return &l.CodeFilename }, 280, 320},
	{func(l *layout) *int32 { return &l.CodeName }, 288, 328},
	{func(l *layout) *int32 { return &l.CodeQualname }, 296, 336},
	{func(l *layout) *int32 { return &l.CodeLineTable }, 304, 344},
	{func(l *layout) *int32 { return &l.CodeFirstLine }, 312, 352},
	{func(l *layout) *int32 { return &l.CodeArgCount }, 320, 360},
	{func(l *layout) *int32 { return &l.CodeLocalNames }, 328, 368},
	{func(l *layout) *int32 { return &l.CodeLocalKinds }, 336, 376},
	{func(l *layout) *int32 { return &l.CodeCode }, 344, 384},
	{func(l *layout) *int32 { return &l.ObjectSize }, 352, 400},
	{func(l *layout) *int32 { return &l.ObjectType }, 360, 408},
	{func(l *layout) *int32 { return &l.TypeName }, 376, 424},
	{func(l *layout) *int32 { return &l.TypeFlags }, 392, 440},
	{func(l *layout) *int32 { return &l.TupleItems }, 408, 456},
	{func(l *layout) *int32 { return &l.VarSize }, 416, 464},
	{func(l *layout) *int32 { return &l.ListItems }, 432, 480},
	{func(l *layout) *int32 { return &l.SetUsed }, 0, 504},
	{func(l *layout) *int32 { return &l.SetTable }, 0, 512},
	{func(l *layout) *int32 { return &l.SetMask }, 0, 520},
	{func(l *layout) *int32 { return &l.DictKeys }, 456, 536},
	{func(l *layout) *int32 { return &l.DictValues }, 464, 544},
	{func(l *layout) *int32 { return &l.FloatValue }, 480, 560},
	{func(l *layout) *int32 { return &l.IntTag }, 496, 576},
	{func(l *layout) *int32 { return &l.IntDigits }, 504, 584},
	{func(l *layout) *int32 { return &l.BytesData }, 528, 608},
	{func(l *layout) *int32 { return &l.StrState }, 544, 624},
	{func(l *layout) *int32 { return &l.StrLength }, 552, 632},
	{func(l *layout) *int32 { return &l.StrASCII }, 560, 640},
	{func(l *layout) *int32 { return &l.GenFrame }, 0, 680},
	{func(l *layout) *int32 { return &l.GenState }, 0, 688},
}

const debugOffsetsSize = 760 // of 3.14; 3.13 has 584 bytes, and more of _PyRuntime behind

// readDebugOffsets returns nil when the runtime has none.
func readDebugOffsets(mem memory.Reader, runtime uint64) (*debugOffsets, error) {
	b := make([]byte, debugOffsetsSize)
	if err := mem.ReadMemory(b[:8], runtime); err != nil {
		return nil, fmt.Errorf("_PyRuntime at %#x: %w", runtime, err)
	}
	if string(b[:8]) != "xdebugpy" {
		return nil, nil
	}
	if err := mem.ReadMemory(b, runtime); err != nil {
		return nil, fmt.Errorf("_Py_DebugOffsets at %#x: %w", runtime, err)
	}
	free := binary.LittleEndian.Uint64(b[16:])
	hex := binary.LittleEndian.Uint64(b[8:])
	d := &debugOffsets{version: fromHex(hex), freeThreaded: free != 0, bytes: b}
	if hex>>32 != 0 || d.version.Major != 3 || d.version.Minor < 13 || free > 1 {
		return nil, fmt.Errorf("_Py_DebugOffsets at %#x: version %#x, free_threaded %d", runtime, hex, free)
	}
	return d, nil
}

// apply puts the runtime's own offsets into l, which comes from the table of the nearest version. Members that _Py_DebugOffsets lacks
// move along with a neighbour that it has. It refuses offsets that no CPython could have.
func (d *debugOffsets) apply(l *layout) error {
	table := *l
	for _, m := range debugMembers {
		at := m.v13
		if d.version.Minor >= 14 {
			at = m.v14
		}
		if at == 0 {
			continue
		}
		v := binary.LittleEndian.Uint64(d.bytes[at:])
		if v > 1<<24 {
			return fmt.Errorf("_Py_DebugOffsets: %d at byte %d", v, at)
		}
		p := m.member(l)
		// What is read of a frame's head and of small structs has fixed bounds.
		if *p < 512 && v > 1024 {
			return fmt.Errorf("_Py_DebugOffsets: %d at byte %d, where %d is expected", v, at, *p)
		}
		*p = int32(v)
	}
	if max(l.FrameBack, l.FrameCode, l.FrameLasti, l.FrameOwner) > frameRaw-8 {
		return fmt.Errorf("_Py_DebugOffsets: frame members beyond %d bytes", frameRaw)
	}
	shift := l.RuntimeHead - table.RuntimeHead
	l.RuntimeMain += shift
	l.RuntimeMainThread += shift
	shift = l.InterpThreads - table.InterpThreads
	l.InterpRuntime += shift
	return nil
}
