package binary

import (
	"debug/elf"
	"sort"
)

// A Symbol is a defined symbol of a file.
type Symbol struct {
	Name  string
	Value uint64 // link-time address
	Size  uint64
}

const symbolSize = 24 // Elf64_Sym

// eachSymbol passes over the symbol tables without loading them: 24-byte records in the mapped file, names only when asked for.
func (f *File) eachSymbol(visit func(info byte, value, size uint64, name func() string)) {
	for _, s := range f.Sections {
		if elf.SectionType(s.Type) != elf.SHT_SYMTAB && elf.SectionType(s.Type) != elf.SHT_DYNSYM || int(s.Link) >= len(f.Sections) {
			continue
		}
		table := f.at(s.Offset, s.Size)
		strings := f.at(f.Sections[s.Link].Offset, f.Sections[s.Link].Size)
		for ; len(table) >= symbolSize; table = table[symbolSize:] {
			value := le.Uint64(table[8:])
			if value == 0 || le.Uint16(table[6:]) == uint16(elf.SHN_UNDEF) {
				continue
			}
			name := le.Uint32(table)
			visit(table[4], value, le.Uint64(table[16:]), func() string { return cstring(strings, uint64(name)) })
		}
	}
}

// Resolve finds the function around each address in one pass over the file. Addresses must be link-time addresses; those that no
// symbol covers are absent from the answer. Functions without a size (hand-written assembly) count only at their first bytes.
func (f *File) Resolve(addrs []uint64) map[uint64]Symbol {
	sorted := append([]uint64(nil), addrs...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i] < sorted[j] })
	found := map[uint64]Symbol{}
	f.eachSymbol(func(info byte, value, size uint64, name func() string) {
		kind := elf.SymType(info & 0xf)
		if kind != elf.STT_FUNC && kind != elf.STT_GNU_IFUNC && kind != elf.STT_NOTYPE || size == 0 || size > 1<<32 {
			return
		}
		i := sort.Search(len(sorted), func(i int) bool { return sorted[i] >= value })
		for ; i < len(sorted) && sorted[i]-value < size; i++ {
			old, ok := found[sorted[i]]
			// The innermost symbol wins; of two alike, the global one, which is the better known name.
			if ok && (old.Size < size || old.Size == size && info>>4 == byte(elf.STB_LOCAL)) {
				continue
			}
			found[sorted[i]] = Symbol{name(), value, size}
		}
	})
	return found
}

// Lookup finds defined symbols by their exact names.
func (f *File) Lookup(names ...string) map[string]Symbol {
	want := map[string]bool{}
	for _, n := range names {
		want[n] = true
	}
	found := map[string]Symbol{}
	f.eachSymbol(func(_ byte, value, size uint64, name func() string) {
		if len(found) == len(want) {
			return
		}
		if n := name(); want[n] {
			if _, ok := found[n]; !ok {
				found[n] = Symbol{n, value, size}
			}
		}
	})
	return found
}
