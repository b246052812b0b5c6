package environ

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"

	"tfguard/probe"
)

// Readers says which files of one Python environment contain which variable names.
type Readers struct {
	names map[string][]ref
	flags map[string]bool // names of flags inside XLA_FLAGS and TF_XLA_FLAGS
	files []indexedFile
	// Binaries and Sources count the files that the index stands for.
	Binaries, Sources int
	// Unread are files that could not be read, with why: then "nothing reads it" is not proven.
	Unread []string
}

type ref struct {
	file int
	kind nameKind
}

type indexedFile struct {
	pkg, path string // path is absolute
	native    bool
}

// readerPackages are the folders of site-packages whose variables matter to a TensorFlow program. A pattern may match several.
var readerPackages = []string{
	"tensorflow", "keras", "tf_keras", "tensorflow_*", "tensorflow-plugins", "tensorflow_cpu.libs", "tensorflow.libs",
	"absl", "grpc", "google/protobuf", "google/_upb", "numpy", "numpy.libs", "scipy.libs", "h5py", "horovod", "nvidia/nccl", "jax_plugins", "libtpu",
	"intel_extension_for_tensorflow", "mkl", "torch/lib",
}

// FindReaders indexes the names in the installation's own files: every string of constant data in its shared objects, every
// string literal of its Python files. The index of each package is kept on disk and made again when a file's size or time changes.
// It is an error when there is no TensorFlow.
func FindReaders(ctx context.Context, in probe.Interpreter) (*Readers, error) {
	if !in.TensorFlow.Known() {
		return nil, fmt.Errorf("no TensorFlow for %s: %s", in.Path, in.TensorFlow.Missing)
	}
	site := filepath.Dir(in.TensorFlow.Value.Dir)
	r := &Readers{names: map[string][]ref{}, flags: map[string]bool{}}
	seen := map[string]bool{}
	for _, dir := range append([]string{site}, in.SitePackages...) {
		if dir != site {
			if b := filepath.Base(dir); b != "site-packages" && b != "dist-packages" {
				continue // the standard library
			}
		}
		for _, pattern := range readerPackages {
			matches, _ := filepath.Glob(filepath.Join(escapeGlob(dir), pattern))
			for _, m := range matches {
				rel, _ := filepath.Rel(dir, m)
				if seen[rel] || strings.HasSuffix(m, "-info") {
					continue // an earlier folder of the path wins
				}
				seen[rel] = true
				index, err := packageIndex(ctx, dir, rel)
				if err != nil {
					return nil, err
				}
				r.add(dir, rel, index)
			}
		}
	}
	return r, nil
}

func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

func (r *Readers) add(site, pkg string, x *nameIndex) {
	base := len(r.files)
	for _, f := range x.files {
		r.files = append(r.files, indexedFile{pkg: pkg, path: filepath.Join(site, f.path), native: f.native})
		if f.native {
			r.Binaries++
		} else {
			r.Sources++
		}
	}
	for name, refs := range x.names {
		for _, q := range refs {
			if q.kind == flagName {
				r.flags[name] = true
				continue
			}
			r.names[name] = append(r.names[name], ref{base + q.file, q.kind})
		}
	}
	r.Unread = append(r.Unread, x.unread...)
}

// Who lists the files that contain the name as a whole literal, tensorflow's own first, then documented readers outside
// Python packages. Reader.How is empty for a whole literal; "composed" when only a prefix and the rest are literals of one file;
// "tail" and "mention" are weaker and listed only when there is nothing better.
func (r *Readers) Who(name string) []probe.Reader {
	var sure, weak []probe.Reader
	for _, q := range r.names[name] {
		reader := r.reader(q.file)
		switch q.kind {
		case wholeName:
			sure = append(sure, reader)
		case tailName:
			reader.How = "tail"
			weak = append(weak, reader)
		case mentionName:
			reader.How = "mention"
			weak = append(weak, reader)
		}
	}
	if d, ok := documentedReader(name); ok {
		sure = append(sure, d)
	}
	if len(sure) == 0 {
		sure = r.composed(name)
	}
	if len(sure) == 0 {
		sure = weak
	}
	sort.SliceStable(sure, func(i, j int) bool { return rank(sure[i]) < rank(sure[j]) })
	return sure
}

func rank(r probe.Reader) int {
	switch {
	case r.How == "documented":
		return -1
	case r.Package == "tensorflow" && r.Native:
		return 0
	case r.Package == "tensorflow":
		return 1
	case strings.HasPrefix(r.Package, "keras"), r.Package == "tf_keras":
		return 2
	}
	return 3
}

func (r *Readers) reader(file int) probe.Reader {
	f := r.files[file]
	return probe.Reader{Package: f.pkg, File: f.path, Native: f.native}
}

// composed finds names that a program puts together, as oneDNN does with "ONEDNN_" and "VERBOSE".
// The rest must be a name by itself or the prefix too long to be an accident.
func (r *Readers) composed(name string) []probe.Reader {
	var out []probe.Reader
	for i := len(name) - 1; i >= minName; i-- {
		if name[i-1] != '_' {
			continue
		}
		prefix, rest := name[:i], name[i:]
		for _, q := range r.names[prefix] {
			if q.kind != wholeName || !r.whole(rest, q.file) {
				continue
			}
			reader := r.reader(q.file)
			reader.How = "composed"
			out = append(out, reader)
		}
	}
	return out
}

func (r *Readers) whole(name string, file int) bool {
	for _, q := range r.names[name] {
		if q.file == file && q.kind == wholeName {
			return true
		}
	}
	return false
}

// Reads reports whether something in the installation, or a documented reader outside it, can read the name.
func (r *Readers) Reads(name string) bool {
	who := r.Who(name)
	return len(who) > 0 && (who[0].How == "" || who[0].How == "composed" || who[0].How == "documented")
}

// HasFlag reports whether a native file holds the name of a flag of XLA_FLAGS or TF_XLA_FLAGS as a whole literal.
func (r *Readers) HasFlag(flag string) bool { return r.flags[flag] }

// nameIndex is what one package's files contain.
type nameIndex struct {
	files  []indexedFile // path is relative to site-packages
	names  map[string][]ref
	unread []string
}

type foundFile struct {
	rel    string
	size   int64
	mtime  int64
	native bool
}

// listFiles walks a package for shared objects and Python files. Links to folders are not followed.
func listFiles(ctx context.Context, site, pkg string) ([]foundFile, error) {
	var files []foundFile
	err := filepath.WalkDir(filepath.Join(site, pkg), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		base := d.Name()
		if d.IsDir() {
			if base == "__pycache__" || base == "include" || base == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		native := strings.HasSuffix(base, ".so") || strings.Contains(base, ".so.") || strings.HasSuffix(base, ".dylib")
		if !native && !strings.HasSuffix(base, ".py") {
			return nil
		}
		st, err := os.Stat(path) // a link to a file is followed
		if err != nil || !st.Mode().IsRegular() {
			return nil
		}
		rel, err := filepath.Rel(site, path)
		if err != nil {
			return err
		}
		files = append(files, foundFile{rel, st.Size(), st.ModTime().UnixNano(), native})
		return nil
	})
	return files, err
}

func packageIndex(ctx context.Context, site, pkg string) (*nameIndex, error) {
	files, err := listFiles(ctx, site, pkg)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	fmt.Fprintln(h, indexFormat, site, pkg)
	for _, f := range files {
		fmt.Fprintln(h, f.rel, f.size, f.mtime)
	}
	key := hex.EncodeToString(h.Sum(nil))
	if x := loadIndex(key); x != nil {
		return x, nil
	}
	x, err := buildIndex(ctx, site, files)
	if err != nil {
		return nil, err
	}
	if len(x.unread) == 0 {
		saveIndex(key, x)
	}
	return x, nil
}

func buildIndex(ctx context.Context, site string, files []foundFile) (*nameIndex, error) {
	// Large files first, so that one worker does not end with the largest.
	sort.SliceStable(files, func(i, j int) bool { return files[i].size > files[j].size })
	x := &nameIndex{names: map[string][]ref{}}
	found := make([]map[string]nameKind, len(files))
	failed := make([]error, len(files))
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range next {
				found[i], failed[i] = scanFile(filepath.Join(site, files[i].rel), files[i])
			}
		}()
	}
	for i := range files {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	for i, f := range files {
		if err := failed[i]; err != nil && !errors.Is(err, errNotBinary) {
			x.unread = append(x.unread, err.Error())
		}
		x.files = append(x.files, indexedFile{path: f.rel, native: f.native})
		for name, kind := range found[i] {
			x.names[name] = append(x.names[name], ref{i, kind})
		}
	}
	return x, nil
}

func scanFile(path string, f foundFile) (names map[string]nameKind, err error) {
	names = map[string]nameKind{}
	add := func(name string, kind nameKind) {
		if old, ok := names[name]; !ok || kind < old {
			names[name] = kind
		}
	}
	defer func() {
		// debug/elf and debug/macho are robust, but their input here is anybody's file.
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: malformed: %v", path, p)
		}
	}()
	if f.native {
		return names, scanBinary(path, add)
	}
	const maxSource = 32 << 20
	if f.size > maxSource {
		return names, fmt.Errorf("%s: %d bytes of Python", path, f.size)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return names, err
	}
	scanPython(text, add)
	return names, nil
}

// indexFormat is the first line of a kept index; another format is made again.
const indexFormat = "tfguard names v1"

// maxIndexes bounds the folder of kept indexes: some twelve packages an environment, for several environments.
const maxIndexes = 160

func indexDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(base, "tfguard", "names"), nil
}

// loadIndex reads a kept index, or returns nil: whatever is wrong with it, it is made again.
func loadIndex(key string) *nameIndex {
	dir, err := indexDir()
	if err != nil {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(dir, key))
	if err != nil || len(text) > 64<<20 {
		return nil
	}
	return decodeIndex(text)
}

// decodeIndex reads the form that encodeIndex writes:
//
//	tfguard names v1
//	F1 tensorflow/libtensorflow_cc.so.2      (1: native)
//	N TF_CONFIG 0.0 17.3                     (file.kind)
//	end
func decodeIndex(text []byte) *nameIndex {
	body, ok := bytes.CutPrefix(text, []byte(indexFormat+"\n"))
	if !ok || !bytes.HasSuffix(body, []byte("\nend\n")) {
		return nil
	}
	x := &nameIndex{names: make(map[string][]ref, 1<<15)}
	for line := range strings.Lines(string(body[:len(body)-len("end\n")])) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "F1 "), strings.HasPrefix(line, "F0 "):
			x.files = append(x.files, indexedFile{path: line[3:], native: line[1] == '1'})
		case strings.HasPrefix(line, "N "):
			name, rest, _ := strings.Cut(line[2:], " ")
			refs := make([]ref, 0, strings.Count(rest, " ")+1)
			for rest != "" {
				var one string
				one, rest, _ = strings.Cut(rest, " ")
				file, kind, _ := strings.Cut(one, ".")
				f, err1 := strconv.Atoi(file)
				k, err2 := strconv.Atoi(kind)
				if err1 != nil || err2 != nil || f < 0 || f >= len(x.files) || k < 0 || k > int(mentionName) {
					return nil
				}
				refs = append(refs, ref{f, nameKind(k)})
			}
			x.names[name] = refs
		default:
			return nil
		}
	}
	return x
}

func encodeIndex(w *bufio.Writer, x *nameIndex) {
	fmt.Fprintln(w, indexFormat)
	for _, f := range x.files {
		native := 0
		if f.native {
			native = 1
		}
		fmt.Fprintf(w, "F%d %s\n", native, f.path)
	}
	for name, refs := range x.names {
		w.WriteString("N " + name)
		for _, q := range refs {
			w.WriteString(" " + strconv.Itoa(q.file) + "." + strconv.Itoa(int(q.kind)))
		}
		w.WriteByte('\n')
	}
	w.WriteString("end\n")
}

// saveIndex keeps an index, or does not: it is only a cache. Runs side by side each write a file of their own and rename it.
func saveIndex(key string, x *nameIndex) {
	for _, f := range x.files {
		if strings.ContainsAny(f.path, "\n\r") {
			return
		}
	}
	dir, err := indexDir()
	if err != nil || os.MkdirAll(dir, 0o700) != nil {
		return
	}
	tmp, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return
	}
	defer os.Remove(tmp.Name())
	w := bufio.NewWriter(tmp)
	encodeIndex(w, x)
	err = w.Flush()
	if cerr := tmp.Close(); err != nil || cerr != nil {
		return
	}
	if os.Rename(tmp.Name(), filepath.Join(dir, key)) == nil {
		pruneIndexes(dir)
	}
}

// pruneIndexes removes the oldest indexes above maxIndexes.
func pruneIndexes(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) <= maxIndexes {
		return
	}
	type aged struct {
		name string
		at   int64
	}
	var all []aged
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			all = append(all, aged{e.Name(), info.ModTime().UnixNano()})
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].at < all[j].at })
	for i := 0; i < len(all)-maxIndexes; i++ {
		os.Remove(filepath.Join(dir, all[i].name))
	}
}
