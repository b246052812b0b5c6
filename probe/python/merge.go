package python

import (
	"strings"

	"tfguard/probe"
)

// A MergedFrame is a frame of the merged view: a native or a Python one.
type MergedFrame struct {
	Native *probe.NativeFrame
	Python *probe.PyFrame
}

// interpreterLoop reports whether a native frame is CPython's interpreter loop.
func interpreterLoop(f *probe.NativeFrame) bool {
	name := f.Mangled
	if name == "" {
		name = f.Symbol
	}
	return strings.HasPrefix(name, "_PyEval_EvalFrameDefault")
}

// Merge puts Python frames in the place of the interpreter-loop frames that run them, innermost first. Each entry of the loop runs the
// Python frames down to and including the next one marked Entry. exact is false when the two stacks do not fit each other (the thread
// ran between the readings, or native symbols are missing): then the Python frames follow their loops as far as they can and the rest
// stands at the outer end, so that none is lost.
func Merge(native []probe.NativeFrame, py []probe.PyFrame) (merged []MergedFrame, exact bool) {
	loops, entries := 0, 0
	for i := range native {
		if interpreterLoop(&native[i]) {
			loops++
		}
	}
	for i := range py {
		if py[i].Entry {
			entries++
		}
	}
	exact = loops == entries && (len(py) == 0 || py[len(py)-1].Entry)
	next := 0
	for i := range native {
		if !interpreterLoop(&native[i]) {
			merged = append(merged, MergedFrame{Native: &native[i]})
			continue
		}
		loops--
		for next < len(py) {
			f := &py[next]
			next++
			merged = append(merged, MergedFrame{Python: f})
			if f.Entry && loops > 0 {
				break
			}
		}
	}
	for ; next < len(py); next++ {
		merged = append(merged, MergedFrame{Python: &py[next]})
	}
	return merged, exact
}
