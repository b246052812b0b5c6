package environ

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"tfguard/probe"
	"tfguard/probe/memory"
)

// ErrNoProcess is returned for a PID that no process has.
var ErrNoProcess = errors.New("no such process")

// A Process is the environment of a live process.
type Process struct {
	PID       int
	Variables []probe.Variable
	// Package is the folder of the TensorFlow that it has mapped, "" when it has none.
	Package string
	// Missing says why what it set after its start could not be read; then Variables are those of its start.
	Missing string
}

// FromProcess reads the relevant variables of a live process: those it was started with (/proc/PID/environ) and those it has now, read from
// libc's environ in its memory. It does not stop the process. Errors wrap ErrNoProcess or fs.ErrPermission.
func FromProcess(pid int) (*Process, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	start, err := os.ReadFile(dir + "/environ")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("process %d: %w", pid, ErrNoProcess)
	case err != nil:
		return nil, fmt.Errorf("read %s/environ: %w", dir, cause(err))
	}
	p := &Process{PID: pid}
	origin := probe.Origin{Kind: "process", PID: pid}
	before := FromEnviron(splitZero(start), origin)
	maps, err := readMaps(dir)
	if err != nil {
		p.Variables, p.Missing = before, err.Error()
		return p, nil
	}
	p.Package = mappedTensorFlow(dir, maps)
	now, err := currentEnviron(dir, maps, memory.Process(pid))
	if err != nil {
		p.Variables, p.Missing = before, err.Error()
	} else {
		p.Variables = merge(before, FromEnviron(now, origin))
	}
	effects(dir, p.Variables)
	return p, nil
}

func splitZero(b []byte) []string {
	var out []string
	for _, s := range bytes.Split(b, []byte{0}) {
		if len(s) > 0 {
			out = append(out, string(s))
		}
	}
	return out
}

// merge marks what the process changed since its start; a variable that it removed is left out.
func merge(before, now []probe.Variable) []probe.Variable {
	was := map[string]string{}
	for _, v := range before {
		was[v.Name] = v.Value
	}
	for i := range now {
		v := &now[i]
		old, had := was[v.Name]
		v.Before, v.Changed = old, !had || old != v.Value
	}
	return now
}

// A mapping is one line of /proc/PID/maps that is backed by a file.
type mapping struct {
	start, end, offset uint64
	path               string
}

// readMaps parses lines such as
//
//	7f5c1c000000-7f5c1c021000 r-xp 00002000 08:01 1234  /usr/lib/x86_64-linux-gnu/libc.so.6
func readMaps(dir string) ([]mapping, error) {
	text, err := os.ReadFile(dir + "/maps")
	if err != nil {
		return nil, fmt.Errorf("read %s/maps: %w", dir, cause(err))
	}
	var out []mapping
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimRight(line, "\n"), " ", 6)
		if len(fields) < 6 {
			continue
		}
		path := strings.TrimLeft(fields[5], " ")
		from, to, ok := strings.Cut(fields[0], "-")
		if !ok || !strings.HasPrefix(path, "/") {
			continue
		}
		start, err1 := strconv.ParseUint(from, 16, 64)
		end, err2 := strconv.ParseUint(to, 16, 64)
		offset, err3 := strconv.ParseUint(fields[2], 16, 64)
		if err1 == nil && err2 == nil && err3 == nil && start < end {
			out = append(out, mapping{start, end, offset, path})
		}
	}
	return out, nil
}

// mappedTensorFlow is the package's folder of the framework library that the process has mapped, as seen from here.
func mappedTensorFlow(dir string, maps []mapping) string {
	for _, m := range maps {
		base := filepath.Base(m.path)
		if !strings.HasPrefix(base, "libtensorflow_framework.") && !strings.HasPrefix(base, "_pywrap_tensorflow_internal.") {
			continue
		}
		for folder := filepath.Dir(m.path); folder != "/"; folder = filepath.Dir(folder) {
			if filepath.Base(folder) != "tensorflow" {
				continue
			}
			for _, seen := range []string{folder, dir + "/root" + folder} {
				if _, err := os.Stat(filepath.Join(seen, "__init__.py")); err == nil {
					return seen
				}
			}
		}
	}
	return ""
}

const (
	maxEnviron = 16384   // variables
	maxEntry   = 1 << 17 // bytes of one: MAX_ARG_STRLEN
	maxTotal   = 8 << 20
)

// currentEnviron reads the array that libc's environ points to. The executable's own copy of the symbol (a copy relocation) comes first,
// as for the dynamic linker.
func currentEnviron(dir string, maps []mapping, r memory.Reader) ([]string, error) {
	exe, err := os.Readlink(dir + "/exe")
	if err != nil {
		return nil, fmt.Errorf("read %s/exe: %w", dir, cause(err))
	}
	candidates := []string{exe}
	seen := map[string]bool{exe: true}
	for _, m := range maps {
		base := filepath.Base(m.path)
		if !seen[m.path] && (strings.HasPrefix(base, "libc.so") || strings.HasPrefix(base, "libc-2.") || strings.HasPrefix(base, "ld-musl-") || strings.HasPrefix(base, "libc.musl-")) {
			seen[m.path] = true
			candidates = append(candidates, m.path)
		}
	}
	for i, path := range candidates {
		file := dir + "/root" + path
		if i == 0 {
			file = dir + "/exe"
		}
		addr, err := environAddress(file, path, maps)
		if err != nil || addr == 0 {
			continue
		}
		array, err := memory.Uint64(r, addr)
		if err != nil {
			return nil, fmt.Errorf("read its environ: %w", err)
		}
		return readEnviron(r, array)
	}
	return nil, errors.New("no environ symbol in its executable or its libc")
}

func readEnviron(r memory.Reader, array uint64) ([]string, error) {
	var out []string
	total := 0
	for i := uint64(0); array != 0 && i < maxEnviron; i++ {
		p, err := memory.Uint64(r, array+8*i)
		if err != nil {
			return nil, fmt.Errorf("read its environ: %w", err)
		}
		if p == 0 {
			return out, nil
		}
		s, err := memory.CString(r, p, maxEntry)
		if err != nil {
			return nil, fmt.Errorf("read its environ: %w", err)
		}
		if total += len(s); total > maxTotal {
			return nil, errors.New("read its environ: more than 8 MiB")
		}
		out = append(out, s)
	}
	return out, nil
}

// environAddress is where a mapped file's environ lies in the process, 0 when the file does not define it.
func environAddress(file, path string, maps []mapping) (uint64, error) {
	f, err := elf.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if f.Class != elf.ELFCLASS64 || f.ByteOrder.String() != "LittleEndian" {
		return 0, fmt.Errorf("%s: not a 64-bit little-endian ELF file", path)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return 0, err
	}
	for _, s := range symbols {
		if s.Name != "environ" && s.Name != "__environ" && s.Name != "_environ" || s.Section == elf.SHN_UNDEF {
			continue
		}
		if f.Type == elf.ET_EXEC {
			return s.Value, nil
		}
		for _, p := range f.Progs {
			if p.Type != elf.PT_LOAD {
				continue
			}
			for _, m := range maps {
				if m.path == path && m.offset == p.Off&^4095 {
					return m.start - p.Vaddr&^4095 + s.Value, nil
				}
			}
			break // the first segment is mapped, or nothing can be said
		}
	}
	return 0, nil
}

// poolThreads are the names of the threads whose number a variable decides. TF 2.21 names its inter-op pool; 2.15 names none, and
// neither names the intra-op pool, so that nothing is said there.
var poolThreads = map[string]string{"TF_NUM_INTEROP_THREADS": "tf_Compute"}

// effects says how many threads the pools really have that a variable sizes; nothing when the pool does not exist yet.
func effects(dir string, vars []probe.Variable) {
	tasks, err := os.ReadDir(dir + "/task")
	if err != nil {
		return
	}
	count := map[string]int{}
	for _, t := range tasks {
		if comm, err := os.ReadFile(dir + "/task/" + t.Name() + "/comm"); err == nil {
			count[strings.TrimSpace(string(comm))]++
		}
	}
	for i := range vars {
		if thread := poolThreads[vars[i].Name]; thread != "" && count[thread] > 0 {
			fact := probe.Of(strconv.Itoa(count[thread]), fmt.Sprintf("%s/task: %d threads named %s", dir, count[thread], thread))
			vars[i].InEffect = &fact
		}
	}
}

// InterpreterOf describes the Python environment that a TensorFlow package folder belongs to; the interpreter itself is not asked.
func InterpreterOf(tensorflow string) probe.Interpreter {
	site := filepath.Dir(tensorflow)
	in := probe.Interpreter{Path: tensorflow, SitePackages: []string{site}, TensorFlow: findTensorFlow([]string{site})}
	in.Packages = distributions(in.SitePackages)
	for _, p := range in.Packages {
		if normalize(p.Name) == "keras" {
			in.Keras = p.Version
		}
	}
	// …/lib/python3.11/site-packages
	if v, ok := strings.CutPrefix(filepath.Base(filepath.Dir(site)), "python"); ok {
		in.Version = v
	}
	sort.Slice(in.Packages, func(i, j int) bool { return in.Packages[i].Name < in.Packages[j].Name })
	return in
}
