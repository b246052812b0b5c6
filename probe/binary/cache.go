package binary

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sort"
)

// A Cache remembers symbols by build ID on disk, since one pass over TensorFlow's symbol table costs tens of milliseconds.
// It is bounded, tolerates any content, and is safe for concurrent runs: files are replaced whole, and a lost update costs only time.
type Cache struct{ dir string }

// Bounds of the cache.
const (
	maxCacheFile    = 4 << 20 // bytes
	maxCacheFiles   = 64
	maxCacheEntries = 20000
)

// NewCache keeps its files in dir; "" is a cache that remembers nothing.
func NewCache(dir string) *Cache { return &Cache{dir} }

// UserCache is the cache of the user that runs tfguard.
func UserCache() *Cache {
	dir, err := os.UserCacheDir()
	if err != nil {
		return &Cache{}
	}
	return &Cache{filepath.Join(dir, "tfguard", "symbols")}
}

// cached is one file: what is known of the binary with that build ID.
type cached struct {
	// Addrs maps an address to its symbol; an empty name says that none covers it.
	Addrs map[uint64]Symbol `json:"addrs"`
	// Names maps a name to its symbol; a zero value says that the file has none.
	Names map[string]Symbol `json:"names"`
}

func (c *Cache) path(id string) string {
	if c.dir == "" || len(id) < 8 {
		return ""
	}
	for _, r := range id {
		if (r < '0' || r > '9') && (r < 'a' || r > 'f') {
			return ""
		}
	}
	return filepath.Join(c.dir, id+".json")
}

func (c *Cache) load(id string) cached {
	e := cached{Addrs: map[uint64]Symbol{}, Names: map[string]Symbol{}}
	path := c.path(id)
	if path == "" {
		return e
	}
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() || info.Size() > maxCacheFile {
		return e
	}
	b, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(b, &e) != nil || e.Addrs == nil || e.Names == nil {
		return cached{Addrs: map[uint64]Symbol{}, Names: map[string]Symbol{}}
	}
	return e
}

func (c *Cache) store(id string, e cached) {
	path := c.path(id)
	if path == "" || len(e.Addrs)+len(e.Names) > maxCacheEntries {
		return
	}
	b, err := json.Marshal(e)
	if err != nil || len(b) > maxCacheFile || os.MkdirAll(c.dir, 0o700) != nil {
		return
	}
	f, err := os.CreateTemp(c.dir, ".new-*")
	if err != nil {
		return
	}
	_, err = f.Write(b)
	if f.Close() != nil || err != nil || os.Rename(f.Name(), path) != nil {
		os.Remove(f.Name())
		return
	}
	c.trim()
}

// trim removes the oldest files beyond the bound.
func (c *Cache) trim() {
	entries, err := os.ReadDir(c.dir)
	if err != nil || len(entries) <= maxCacheFiles {
		return
	}
	age := func(e os.DirEntry) int64 {
		info, err := e.Info()
		if err != nil {
			return 0
		}
		return info.ModTime().UnixNano()
	}
	sort.Slice(entries, func(i, j int) bool { return age(entries[i]) < age(entries[j]) })
	for _, e := range entries[:len(entries)-maxCacheFiles] {
		os.Remove(filepath.Join(c.dir, e.Name()))
	}
}

// Resolve is File.Resolve with what earlier runs found.
func (c *Cache) Resolve(f *File, addrs []uint64) map[uint64]Symbol {
	e := c.load(f.Key)
	out := map[uint64]Symbol{}
	var missing []uint64
	for _, a := range addrs {
		if s, ok := e.Addrs[a]; ok {
			if s.Name != "" {
				out[a] = s
			}
			continue
		}
		missing = append(missing, a)
	}
	if len(missing) == 0 {
		return out
	}
	found := f.Resolve(missing)
	for _, a := range missing {
		if s, ok := found[a]; ok {
			out[a] = s
		}
		e.Addrs[a] = found[a]
	}
	c.store(f.Key, e)
	return out
}

// Lookup is File.Lookup with what earlier runs found.
func (c *Cache) Lookup(f *File, names ...string) map[string]Symbol {
	e := c.load(f.Key)
	out := map[string]Symbol{}
	var missing []string
	for _, n := range names {
		if s, ok := e.Names[n]; ok {
			if s.Name != "" {
				out[n] = s
			}
			continue
		}
		missing = append(missing, n)
	}
	if len(missing) == 0 {
		return out
	}
	found := f.Lookup(missing...)
	for _, n := range missing {
		if s, ok := found[n]; ok {
			out[n] = s
		}
		e.Names[n] = found[n]
	}
	c.store(f.Key, e)
	return out
}
