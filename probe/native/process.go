// Package native unwinds the native stacks of another process from outside, without stopping it: it works over a memory.Reader,
// so that a recorded stack with its mappings is a unit test.
package native

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"

	"tfguard/probe"
	"tfguard/probe/binary"
	"tfguard/probe/memory"
	"tfguard/probe/proc"
)

// A Process is what unwinding needs of a process: its mappings, its files, its memory.
type Process struct {
	PID      int
	Mem      memory.Reader
	Mappings []proc.Mapping

	fs      proc.FS
	cache   *binary.Cache
	mu      sync.Mutex
	modules map[moduleKey]*Module
	vdso    *Module
}

type moduleKey struct {
	path   string
	device string
	inode  uint64
}

// A Module is a mapped ELF file.
type Module struct {
	Path string
	File *binary.File // nil when it could not be read
	Err  error
	// Bias is address − link-time address.
	Bias   uint64
	biased bool
}

// Open reads the mappings of a live process.
func Open(pid int, fs proc.FS, cache *binary.Cache) (*Process, error) {
	maps, err := fs.Maps(pid)
	if err != nil {
		return nil, err
	}
	return New(pid, memory.Process(pid), maps, fs, cache), nil
}

// New is a process whose mappings and memory are given.
func New(pid int, mem memory.Reader, maps []proc.Mapping, fs proc.FS, cache *binary.Cache) *Process {
	if cache == nil {
		cache = binary.NewCache("")
	}
	return &Process{PID: pid, Mem: mem, Mappings: maps, fs: fs, cache: cache, modules: map[moduleKey]*Module{}}
}

// Close unmaps the files.
func (p *Process) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.modules {
		if m.File != nil {
			m.File.Close()
		}
	}
	p.modules = map[moduleKey]*Module{}
}

// Mapping finds the mapping that holds an address.
func (p *Process) Mapping(addr uint64) *proc.Mapping {
	i := sort.Search(len(p.Mappings), func(i int) bool { return p.Mappings[i].End > addr })
	if i < len(p.Mappings) && p.Mappings[i].Start <= addr {
		return &p.Mappings[i]
	}
	return nil
}

// ErrNoModule is returned for an address that no file is mapped at.
var ErrNoModule = errors.New("no module is mapped there")

// Module finds the file mapped at an address.
func (p *Process) Module(addr uint64) (*Module, error) {
	m := p.Mapping(addr)
	if m == nil {
		return nil, ErrNoModule
	}
	return p.module(m)
}

func (p *Process) module(m *proc.Mapping) (*Module, error) {
	if m.Path == "[vdso]" {
		return p.vdsoModule(m)
	}
	if !strings.HasPrefix(m.Path, "/") {
		return nil, ErrNoModule
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key := moduleKey{m.Path, m.Device, m.Inode}
	mod := p.modules[key]
	if mod == nil {
		mod = &Module{Path: m.Path}
		mod.File, mod.Err = p.openFile(m)
		p.modules[key] = mod
	}
	if mod.Err != nil {
		return nil, mod.Err
	}
	if !mod.biased {
		bias, ok := mod.File.Bias(m.Start, m.Offset)
		if !ok {
			return nil, fmt.Errorf("%s: no segment is mapped from offset %#x", m.Path, m.Offset)
		}
		mod.Bias, mod.biased = bias, true
	}
	return mod, nil
}

// openFile opens the very file that is mapped: through map_files, which works for deleted files and other mount namespaces but needs
// CAP_CHECKPOINT_RESTORE; else below the process's root.
func (p *Process) openFile(m *proc.Mapping) (*binary.File, error) {
	f, err := binary.Open(p.fs.Path(fmt.Sprint(p.PID), "map_files", fmt.Sprintf("%x-%x", m.Start, m.End)))
	if err == nil {
		return f, nil
	}
	if m.Deleted {
		return nil, fmt.Errorf("%s was deleted, and map_files can't be read: %w", m.Path, err)
	}
	return binary.Open(filepath.Join(p.fs.Path(fmt.Sprint(p.PID), "root"), m.Path))
}

// vdsoModule reads the kernel's shared object, which is in memory alone.
func (p *Process) vdsoModule(m *proc.Mapping) (*Module, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.vdso != nil {
		return p.vdso, p.vdso.Err
	}
	p.vdso = &Module{Path: m.Path}
	data := make([]byte, min(m.End-m.Start, 64<<10))
	if p.vdso.Err = p.Mem.ReadMemory(data, m.Start); p.vdso.Err == nil {
		p.vdso.File, p.vdso.Err = binary.Parse(data)
	}
	if p.vdso.Err == nil {
		p.vdso.Bias, _ = p.vdso.File.Bias(m.Start, 0)
	}
	return p.vdso, p.vdso.Err
}

// Modules lists the files mapped with execute permission.
func (p *Process) Modules() []probe.Module {
	var out []probe.Module
	index := map[string]int{}
	for i := range p.Mappings {
		m := &p.Mappings[i]
		if !strings.HasPrefix(m.Path, "/") {
			continue
		}
		j, seen := index[m.Path]
		if seen {
			out[j].End = max(out[j].End, m.End)
			continue
		}
		if !m.Executable() && !p.laterExecutable(i) {
			continue
		}
		mod := probe.Module{Path: m.Path, Start: m.Start, End: m.End}
		if f, err := p.module(m); err == nil {
			mod.BuildID, mod.Bias = f.File.BuildID, f.Bias
		}
		index[m.Path] = len(out)
		out = append(out, mod)
	}
	return out
}

// laterExecutable reports whether one of the next mappings of the same file holds code: the first one of a file usually does not.
func (p *Process) laterExecutable(i int) bool {
	for j := i + 1; j < len(p.Mappings) && j < i+16; j++ {
		if p.Mappings[j].Path == p.Mappings[i].Path && p.Mappings[j].Executable() {
			return true
		}
	}
	return false
}

// FindModule returns the first mapped file whose base name has the prefix.
func (p *Process) FindModule(prefix string) (*Module, error) {
	for i := range p.Mappings {
		m := &p.Mappings[i]
		if strings.HasPrefix(filepath.Base(m.Path), prefix) && strings.HasPrefix(m.Path, "/") {
			return p.module(m)
		}
	}
	return nil, fmt.Errorf("%s*: %w", prefix, os.ErrNotExist)
}

// Lookup finds the addresses of symbols of a module, in this process.
func (p *Process) Lookup(m *Module, names ...string) map[string]uint64 {
	out := map[string]uint64{}
	defer recoverFault(nil)
	for n, s := range p.cache.Lookup(m.File, names...) {
		out[n] = s.Value + m.Bias
	}
	return out
}

// recoverFault turns the SIGBUS of a file that was truncated while it was mapped into an error.
func recoverFault(err *error) {
	if r := recover(); r != nil {
		fault, ok := r.(interface{ Addr() uintptr })
		if !ok {
			panic(r)
		}
		if err != nil {
			*err = fmt.Errorf("a mapped file changed while it was read (fault at %#x)", fault.Addr())
		}
	}
}

// machine is the instruction set of the process, from its first readable file.
func (p *Process) machine() binary.Machine {
	for i := range p.Mappings {
		if p.Mappings[i].Executable() {
			if m, err := p.module(&p.Mappings[i]); err == nil {
				return m.File.Machine
			}
		}
	}
	if runtime.GOARCH == "arm64" {
		return binary.ARM64
	}
	return binary.AMD64
}
