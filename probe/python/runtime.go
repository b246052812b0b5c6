// Package python reads a CPython runtime in another process through its memory, without stopping it: threads, frames, the values on
// their stacks, and the objects that threads wait for.
//
// CPython 3.9 to 3.14 with a GIL are read; a free-threaded build is recognised and refused (ErrFreeThreaded). Offsets come from
// layout_table.go, which is generated from DWARF, and from _Py_DebugOffsets where the runtime has them (3.13+).
//
// The process runs while it is read. Every chain is bounded, every object's type is checked, frames are read twice; what did not
// hold still is marked (Thread.Stable), never presented as sure.
package python

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"

	"tfguard/probe"
	"tfguard/probe/memory"
)

var (
	// ErrNoPython is returned when no mapped module holds an initialised CPython runtime.
	ErrNoPython = errors.New("no CPython runtime")
	// ErrFreeThreaded is returned for a build without a GIL (python3.13t): its objects are laid out differently.
	ErrFreeThreaded = errors.New("free-threaded CPython is not read yet; its native frames are")
)

// A Runtime is a CPython runtime in a process. It may be kept for as long as the process lives (and has not called exec);
// it is safe for use by several goroutines, each with its own Look.
type Runtime struct {
	Version      Version
	Binary       string // the file that holds _PyRuntime
	Addr         uint64 // of _PyRuntime
	FreeThreaded bool
	// LayoutFrom says where the offsets come from: "3.11.7 table", "_Py_DebugOffsets and 3.14.10 table".
	LayoutFrom string

	mem        memory.Reader
	layout     layout
	pthreadTID atomic.Value // int

	mu    sync.Mutex
	codes map[uint64]*code
}

// maxCodes bounds what a Runtime remembers between looks.
const maxCodes = 8192

func (rt *Runtime) cachedCode(addr uint64, h codeHead) *code {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if c := rt.codes[addr]; c != nil && c.head == h {
		copied := *c // a Look fills in more of its own copy
		return &copied
	}
	return nil
}

func (rt *Runtime) keepCode(c *code) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if rt.codes == nil || len(rt.codes) >= maxCodes {
		rt.codes = map[uint64]*code{}
	}
	copied := *c
	rt.codes[c.addr] = &copied
}

// A File is an executable or library as the target sees it (through /proc/PID/root).
type File interface {
	io.ReaderAt
	io.Closer
}

// binaryName matches files that hold a CPython runtime by their name; only these and the program itself are opened, because a
// process with TensorFlow maps libraries of several hundred megabytes.
var binaryName = regexp.MustCompile(`^(lib)?python([23])(\.(\d+))?[a-z]*(\.so[.\d]*|\.exe)?$`)

// Find finds the CPython runtime of a process among its modules. exe is the path of the program, as in its modules; it is looked at
// when no module is named like Python (a program that embeds it). open opens a module's file.
// When several copies are mapped (ctypes can do that), the initialised one is taken. The error wraps ErrNoPython when there is none.
func Find(mem memory.Reader, modules []probe.Module, exe string, open func(path string) (File, error)) (*Runtime, error) {
	type candidate struct {
		module probe.Module
		minor  int
		rank   int
	}
	var candidates []candidate
	seen := map[string]map[uint64]bool{}
	for _, m := range modules {
		if seen[m.Path][m.Bias] {
			continue // one file is mapped in several pieces
		}
		if seen[m.Path] == nil {
			seen[m.Path] = map[uint64]bool{}
		}
		seen[m.Path][m.Bias] = true
		match := binaryName.FindStringSubmatch(filepath.Base(m.Path))
		switch {
		case match != nil:
			minor, _ := strconv.Atoi(match[4])
			rank := 1
			if match[1] == "lib" {
				rank = 0
			}
			candidates = append(candidates, candidate{m, minor, rank})
		case m.Path == exe:
			candidates = append(candidates, candidate{m, 0, 2})
		}
	}
	sort.SliceStable(candidates, func(i, j int) bool { return candidates[i].rank < candidates[j].rank })
	var why error
	for _, c := range candidates {
		rt, err := openModule(mem, c.module, c.minor, open)
		if err == nil || errors.Is(err, ErrFreeThreaded) {
			return rt, err
		}
		if !errors.Is(err, ErrNoPython) || why == nil {
			why = err
		}
	}
	if why == nil {
		why = fmt.Errorf("none of %d modules is named like Python: %w", len(modules), ErrNoPython)
	}
	return nil, why
}

// symbols are the addresses in the file of what Find needs.
type symbols struct{ runtime, version uint64 }

// findSymbols looks in .dynsym, then .symtab, then takes section .PyRuntime (3.10+), which a stripped static binary still has.
func findSymbols(r io.ReaderAt) (symbols, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return symbols{}, err
	}
	defer f.Close()
	var s symbols
	for _, read := range []func() ([]elf.Symbol, error){f.DynamicSymbols, f.Symbols} {
		list, err := read()
		if err != nil {
			continue // stripped
		}
		for _, sym := range list {
			if sym.Section == elf.SHN_UNDEF {
				continue
			}
			switch sym.Name {
			case "_PyRuntime":
				s.runtime = sym.Value
			case "Py_Version":
				s.version = sym.Value
			}
		}
		if s.runtime != 0 {
			return s, nil
		}
	}
	if sec := f.Section(".PyRuntime"); sec != nil {
		s.runtime = sec.Addr
		return s, nil
	}
	return s, fmt.Errorf("no symbol _PyRuntime: %w", ErrNoPython)
}

func openModule(mem memory.Reader, m probe.Module, minor int, open func(string) (File, error)) (*Runtime, error) {
	f, err := open(m.Path)
	if err != nil {
		return nil, fmt.Errorf("symbols of %s: %w", m.Path, err)
	}
	s, err := findSymbols(f)
	f.Close()
	if err != nil {
		return nil, fmt.Errorf("symbols of %s: %w", m.Path, err)
	}
	rt := &Runtime{Binary: m.Path, Addr: m.Bias + s.runtime, mem: mem}
	var version Version
	if s.version != 0 {
		if hex, err := memory.Uint64(mem, m.Bias+s.version); err == nil && hex>>24 == 3 {
			version = fromHex(hex)
		}
	}
	if err := rt.open(version, minor); err != nil {
		return rt, fmt.Errorf("%s: %w", m.Path, err)
	}
	return rt, nil
}

// open chooses the layout. version may be zero (not known), minor too.
func (rt *Runtime) open(version Version, minor int) error {
	d, err := readDebugOffsets(rt.mem, rt.Addr)
	if err != nil {
		return err
	}
	if d != nil {
		if version.Minor == 0 {
			version = d.version
		}
		if version.Minor != d.version.Minor {
			return fmt.Errorf("Py_Version says %s, _Py_DebugOffsets %s", version, d.version)
		}
		rt.Version, rt.FreeThreaded = version, d.freeThreaded
		if d.freeThreaded {
			return ErrFreeThreaded
		}
	}
	if version.Minor == 0 {
		version = Version{3, minor, 0}
	}
	minors := []int{version.Minor}
	if version.Minor == 0 { // a program that embeds a stripped 3.9 or 3.10: try
		minors = []int{10, 9}
	}
	var why error
	for _, n := range minors {
		v := Version{3, n, version.Patch}
		if why = rt.try(v, d); why == nil {
			break
		}
	}
	if why != nil {
		return why
	}
	// sys.hexversion is the interpreter's own word, and for 3.9 and 3.10 the only one on the patch release.
	if hex, err := rt.hexVersion(); err == nil {
		if v := fromHex(uint64(hex)); v.Minor == rt.Version.Minor && v != rt.Version {
			if err := rt.try(v, d); err != nil {
				return err
			}
		} else if v.Minor != rt.Version.Minor {
			return fmt.Errorf("read as %s, but sys.hexversion says %s", rt.Version, v)
		}
	}
	return nil
}

// try takes the layout of the nearest patch release and checks it against the process.
func (rt *Runtime) try(v Version, d *debugOffsets) error {
	near, ok := nearest(v)
	if !ok {
		return fmt.Errorf("CPython %d.%d is not known (3.9 to 3.14 are): %w", v.Major, v.Minor, ErrNoPython)
	}
	l := layouts[near]
	from := near.String() + " table"
	if d != nil {
		if err := d.apply(&l); err != nil {
			return err
		}
		from = "_Py_DebugOffsets and " + from
	}
	rt.Version, rt.layout, rt.LayoutFrom = v, l, from
	return rt.check()
}

// nearest returns the version in the table with the same minor and the closest patch.
func nearest(v Version) (Version, bool) {
	var best Version
	distance := -1
	for t := range layouts {
		if t.Minor != v.Minor || v.Major != 3 {
			continue
		}
		d := max(t.Patch-v.Patch, v.Patch-t.Patch)
		if distance < 0 || d < distance || d == distance && t.less(best) {
			best, distance = t, d
		}
	}
	return best, distance >= 0
}

// check proves the layout on the live runtime: initialised, interpreters and thread states point back, sys.modules is a dict that
// holds sys. When only sys.modules or the sys dict moved (patch releases did that), they are searched nearby.
func (rt *Runtime) check() error {
	l := rt.newLook()
	if err := l.runtime(); err != nil {
		return fmt.Errorf("layout %s does not fit: %v: %w", rt.LayoutFrom, err, ErrNoPython)
	}
	o := &rt.layout
	isModules := func(l *Look, dict uint64) bool {
		sys, err := l.DictGet(dict, "sys")
		return err == nil && l.TypeName(sys) == "module"
	}
	if !isModules(l, l.modules) {
		off, ok := l.searchInterp(o.InterpModules, isModules)
		if !ok {
			return fmt.Errorf("layout %s does not fit: no sys.modules: %w", rt.LayoutFrom, ErrNoPython)
		}
		o.InterpModules = off
		rt.LayoutFrom += ", sys.modules searched"
	}
	return nil
}

// searchInterp looks for a member of the main interpreter near where the table has it.
func (l *Look) searchInterp(near int32, fits func(*Look, uint64) bool) (int32, bool) {
	const span = 2048
	interp, err := l.mem.uint64(l.rt.Addr + uint64(l.rt.layout.RuntimeMain))
	if err != nil {
		return 0, false
	}
	for d := int32(8); d <= span; d += 8 {
		for _, off := range []int32{near + d, near - d} {
			if off < 0 {
				continue
			}
			if v, err := l.mem.uint64(interp + uint64(off)); err == nil && v != 0 && fits(l, v) {
				return off, true
			}
		}
	}
	return 0, false
}

func (rt *Runtime) hexVersion() (int64, error) {
	l := rt.newLook()
	if err := l.runtime(); err != nil {
		return 0, err
	}
	hex, err := l.ModuleAttr("sys", "hexversion")
	if err != nil {
		return 0, err
	}
	return l.Int(hex)
}

