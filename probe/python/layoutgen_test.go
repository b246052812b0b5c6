package python

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"flag"
	"fmt"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"testing"
)

var (
	update    = flag.Bool("update", false, "write layout_table.go and recorded memory anew")
	dwarfFrom = flag.String("dwarf", "", "VERSION=FILE[:FILE…][,…]: more builds with debug information, for -update and the comparison")
)

// dwarfTypes finds struct types by tag or typedef name in the debug information of a few files.
type dwarfTypes struct {
	data  []*dwarf.Data
	found map[string]dwarf.Type
}

func loadTypes(files []string, wanted map[string]bool) (*dwarfTypes, error) {
	t := &dwarfTypes{found: map[string]dwarf.Type{}}
	for _, file := range files {
		f, err := elf.Open(file)
		if err != nil {
			return nil, err
		}
		d, err := f.DWARF()
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		// Pointers to structs that are only declared in the first unit make a type of another unit: index all, first complete one wins.
		r := d.Reader()
		for {
			e, err := r.Next()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			if e == nil {
				break
			}
			switch e.Tag {
			case dwarf.TagCompileUnit, dwarf.TagPartialUnit:
				continue
			case dwarf.TagStructType, dwarf.TagTypedef:
				name, _ := e.Val(dwarf.AttrName).(string)
				if decl, _ := e.Val(dwarf.AttrDeclaration).(bool); wanted[name] && !decl && t.found[name] == nil {
					typ, err := d.Type(e.Offset)
					if err == nil {
						if s := structOf(typ); s != nil && !s.Incomplete {
							t.found[name] = typ
						}
					}
				}
			}
			r.SkipChildren()
		}
	}
	return t, nil
}

func structOf(t dwarf.Type) *dwarf.StructType {
	for {
		switch x := t.(type) {
		case *dwarf.TypedefType:
			t = x.Type
		case *dwarf.QualType:
			t = x.Type
		case *dwarf.StructType:
			return x
		default:
			return nil
		}
	}
}

// offset resolves one alternative of a dwarf tag; ok is false when the version has no such thing.
func (t *dwarfTypes) offset(path string) (off int64, ok bool) {
	kind := ""
	if k, rest, found := strings.Cut(path, ":"); found {
		kind, path = k, rest
	}
	parts := strings.Split(path, ".")
	typ := t.found[parts[0]]
	if typ == nil {
		return 0, false
	}
	if kind == "sizeof" {
		return structOf(typ).ByteSize, true
	}
	for _, p := range parts[1:] {
		s := structOf(typ)
		if s == nil {
			return 0, false
		}
		f := member(s, p)
		if f == nil {
			return 0, false
		}
		off += f.ByteOffset
		if kind == "bit" {
			// DWARF 5 counts data_bit_offset from the start of the struct.
			if f.BitSize > 0 {
				off = off*8 + f.DataBitOffset
			} else if p == parts[len(parts)-1] {
				off *= 8
			}
		}
		typ = f.Type
	}
	return off, true
}

// member finds a member by name, also in the first members that are a base struct (ob_base) or have no name.
func member(s *dwarf.StructType, name string) *dwarf.StructField {
	for _, f := range s.Field {
		if f.Name == name {
			return f
		}
	}
	for _, f := range s.Field {
		if f.Name == "" || f.Name == "ob_base" || f.Name == "_base" || strings.HasPrefix(f.Name, "_PyGenObject") {
			if in := structOf(f.Type); in != nil {
				if g := member(in, name); g != nil {
					c := *g
					c.ByteOffset += f.ByteOffset
					return &c
				}
			}
		}
	}
	return nil
}

func layoutFromDWARF(files []string) (layout, error) {
	wanted := map[string]bool{}
	lt := reflect.TypeFor[layout]()
	for i := range lt.NumField() {
		for _, alt := range strings.Split(lt.Field(i).Tag.Get("dwarf"), "|") {
			if _, rest, ok := strings.Cut(alt, ":"); ok {
				alt = rest
			}
			wanted[strings.Split(alt, ".")[0]] = true
		}
	}
	types, err := loadTypes(files, wanted)
	if err != nil {
		return layout{}, err
	}
	var l layout
	lv := reflect.ValueOf(&l).Elem()
	for i := range lt.NumField() {
		value := int64(none)
		for _, alt := range strings.Split(lt.Field(i).Tag.Get("dwarf"), "|") {
			if off, ok := types.offset(alt); ok {
				value = off
				break
			}
		}
		lv.Field(i).SetInt(value)
	}
	if l.ThreadIdent == none || l.CodeName == none {
		return l, fmt.Errorf("%v: no CPython types in the debug information", files)
	}
	// The interpreter keeps its GIL as a pointer from 3.12; before, interp.ceval has no gil. The runtime's is a struct before.
	return l, nil
}

// debugBuilds lists builds with debug information: version → files.
func debugBuilds(t *testing.T) map[string][]string {
	builds := map[string][]string{}
	for _, py := range findPythons() {
		out, err := exec.Command(py, "-c", "import sys,sysconfig,os;print('%d.%d.%d'%sys.version_info[:3]);print(os.path.join(sysconfig.get_config_var('LIBDIR'),sysconfig.get_config_var('LDLIBRARY')));print(os.path.realpath(sys.executable))\nfor n in '_multiprocessing','_socket','_queue','_functools':\n  try: print(__import__(n).__file__)\n  except (AttributeError, ImportError): pass").Output()
		if err != nil {
			t.Logf("%s: %v", py, err)
			continue
		}
		lines := strings.Fields(string(out))
		var files []string
		for _, f := range lines[1:] {
			if e, err := elf.Open(f); err == nil {
				if e.Section(".debug_info") != nil {
					files = append(files, f)
				}
				e.Close()
			}
		}
		if len(files) > 0 && builds[lines[0]] == nil {
			builds[lines[0]] = files
		}
	}
	if *dwarfFrom != "" {
		for _, b := range strings.Split(*dwarfFrom, ",") {
			v, files, _ := strings.Cut(b, "=")
			builds[v] = strings.Split(files, ":")
		}
	}
	return builds
}

// TestLayoutTable compares layout_table.go with the debug information of every Python found; with -update it writes the table.
func TestLayoutTable(t *testing.T) {
	if testing.Short() && !*update {
		t.Skip("reads the debug information of whole interpreters")
	}
	builds := debugBuilds(t)
	if len(builds) == 0 {
		t.Skip("no Python with debug information found")
	}
	got := map[Version]layout{}
	for v, files := range builds {
		version, err := parseVersion(v)
		if err != nil {
			t.Fatal(err)
		}
		l, err := layoutFromDWARF(files)
		if err != nil {
			t.Logf("%s: %v", v, err)
			continue
		}
		got[version] = l
	}
	if *update {
		for v, l := range layouts {
			if _, ok := got[v]; !ok {
				got[v] = l
			}
		}
		if err := os.WriteFile("layout_table.go", tableSource(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for v, l := range got {
		want, ok := layouts[v]
		if !ok {
			t.Logf("%v is not in the table", v)
			continue
		}
		if want != l {
			lv, wv := reflect.ValueOf(l), reflect.ValueOf(want)
			for i := range lv.NumField() {
				// A build without a module's debug information can't speak of it.
				if a, b := lv.Field(i).Int(), wv.Field(i).Int(); a != b && a != none {
					t.Errorf("%v %s: table has %d, debug information %d", v, lv.Type().Field(i).Name, b, a)
				}
			}
		}
	}
}

func tableSource(table map[Version]layout) []byte {
	var versions []Version
	for v := range table {
		versions = append(versions, v)
	}
	sort.Slice(versions, func(i, j int) bool { return versions[i].less(versions[j]) })
	var b bytes.Buffer
	b.WriteString("// Code generated by TestLayoutTable -update from the DWARF of CPython builds. DO NOT EDIT.\n\npackage python\n\nvar layouts = map[Version]layout{\n")
	for _, v := range versions {
		fmt.Fprintf(&b, "{%d, %d, %d}: {\n", v.Major, v.Minor, v.Patch)
		lv := reflect.ValueOf(table[v])
		for i := range lv.NumField() {
			n := fmt.Sprint(lv.Field(i).Int())
			if n == "-1" {
				n = "none"
			}
			fmt.Fprintf(&b, "%s: %s,\n", lv.Type().Field(i).Name, n)
		}
		b.WriteString("},\n")
	}
	b.WriteString("}\n")
	src, err := format.Source(b.Bytes())
	if err != nil {
		panic(err)
	}
	return src
}

// findPythons lists the CPython 3.9–3.14 interpreters of this machine: on PATH, and in pyenv's and common folders.
func findPythons() []string {
	var dirs []string
	root := os.Getenv("PYENV_ROOT")
	if root == "" {
		if home, err := os.UserHomeDir(); err == nil {
			root = filepath.Join(home, ".pyenv")
		}
	}
	for minor := 9; minor <= 14; minor++ {
		found, _ := filepath.Glob(filepath.Join(root, "versions", fmt.Sprintf("3.%d.*", minor), "bin"))
		dirs = append(dirs, found...)
	}
	dirs = append(dirs, "/usr/bin", "/usr/local/bin")
	for _, d := range filepath.SplitList(os.Getenv("PATH")) {
		if !strings.HasSuffix(d, "shims") {
			dirs = append(dirs, d)
		}
	}
	seen := map[string]bool{}
	var out []string
	for _, d := range dirs {
		for minor := 9; minor <= 14; minor++ {
			p := filepath.Join(d, fmt.Sprintf("python3.%d", minor))
			real, err := filepath.EvalSymlinks(p)
			if err != nil || seen[real] {
				continue
			}
			seen[real] = true
			out = append(out, p)
		}
	}
	return out
}
