package native

import (
	"runtime/debug"
	"sync"

	"github.com/ianlancetaylor/demangle"
)

// Symbolize names the frames of all stacks, with one pass over each file for all of them.
func (p *Process) Symbolize(stacks ...*Stack) {
	wanted := map[string]map[uint64]bool{}
	modules := map[string]*Module{}
	for _, s := range stacks {
		for i := range s.Frames {
			f := &s.Frames[i]
			if f.Path == "" {
				continue
			}
			if wanted[f.Path] == nil {
				wanted[f.Path] = map[uint64]bool{}
				if m, err := p.Module(f.PC - 1); err == nil {
					modules[f.Path] = m
				}
			}
			wanted[f.Path][f.Offset] = true
		}
	}
	names := map[string]map[uint64]string{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for path, set := range wanted {
		m := modules[path]
		if m == nil || m.File == nil {
			continue
		}
		addrs := make([]uint64, 0, len(set))
		for a := range set {
			addrs = append(addrs, a)
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			debug.SetPanicOnFault(true) // for this goroutine, which ends here
			defer recoverFault(nil)
			found := map[uint64]string{}
			for a, s := range p.cache.Resolve(m.File, addrs) {
				found[a] = s.Name
			}
			mu.Lock()
			names[path] = found
			mu.Unlock()
		}()
	}
	wg.Wait()
	plain := map[string]string{}
	for _, s := range stacks {
		for i := range s.Frames {
			f := &s.Frames[i]
			f.Mangled = names[f.Path][f.Offset]
			if f.Mangled == "" {
				continue
			}
			d, ok := plain[f.Mangled]
			if !ok {
				d = Demangle(f.Mangled)
				plain[f.Mangled] = d
			}
			f.Symbol = d
		}
	}
}

// maxDemangled bounds a demangled name: TensorFlow has some of tens of thousands of characters.
const maxDemangled = 1024

// Demangle is a symbol's name for people, without arguments; names that are not mangled stay as they are.
func Demangle(name string) string {
	s := demangle.Filter(name, demangle.NoParams, demangle.MaxLength(10))
	if len(s) > maxDemangled {
		s = s[:maxDemangled]
	}
	return s
}
