package probe

// Collisions are pairs of shared objects in one site-packages that define the same symbol the dynamic linker would merge.
type Collisions struct {
	Dir     string      `json:"dir"`
	Files   int         `json:"files"` // shared objects looked at
	Pairs   []Collision `json:"pairs,omitempty"`
	Missing string      `json:"missing,omitempty"`
}

// A Collision is one pair of files and the symbols that they share.
type Collision struct {
	A       string   `json:"a"`
	B       string   `json:"b"`
	Symbols []string `json:"symbols"` // demangled, at most a few
	Count   int      `json:"count"`
	Binding string   `json:"binding"` // weak, unique
	Runtime string   `json:"runtime"` // protobuf, abseil
	Format  string   `json:"format"`  // ELF, Mach-O
	// Merges says whether this loader would really bind both to one copy, and why.
	Merges bool   `json:"merges"`
	Reason string `json:"reason,omitempty"`
}
