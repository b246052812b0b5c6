package environ

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"tfguard/probe"
)

func scan(t testing.TB, data []byte) []string {
	t.Helper()
	marks := map[nameKind]string{wholeName: "", tailName: "~", flagName: "--", mentionName: "?"}
	var out []string
	err := scanStrings(iotest.HalfReader(bytes.NewReader(data)), func(name string, kind nameKind) { out = append(out, marks[kind]+name) })
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestScanStrings(t *testing.T) {
	long := strings.Repeat("x", chunkLen-5)
	for _, tt := range []struct {
		name, data string
		want       []string
	}{
		{"whole", "\x00TF_CONFIG\x00", []string{"TF_CONFIG"}},
		{"at the start", "TF_CONFIG\x00", []string{"TF_CONFIG"}},
		{"not terminated", "\x00TF_CONFIG", nil},
		{"embedded", "\x00set TF_CONFIG=1 please\x00", nil},
		{"tail of a sentence", "\x00please set TF_CONFIG\x00", []string{"~TF_CONFIG"}},
		{"tail of another name", "\x00xTF_CONFIG\x00", []string{"~TF_CONFIG"}},
		{"no underscore", "\x00VERBOSE\x00", nil},
		{"too short", "\x00A_\x00", nil},
		{"lower case", "\x00tf_config\x00", []string{"--tf_config"}},
		{"flag", "\x00xla_dump_to\x00xla_dump to\x00", []string{"--xla_dump_to"}},
		{"across chunks", long + "\x00TF_ACROSS\x00", []string{"TF_ACROSS"}},
		{"a long string's tail is no whole name", "y" + strings.Repeat("x", 3*chunkLen) + "TF_TAIL\x00TF_NEXT\x00", []string{"~TF_TAIL", "TF_NEXT"}},
		{"a name of any length", "\x00" + strings.Repeat("A_", 200) + "\x00", nil},
	} {
		if diff := cmp.Diff(tt.want, scan(t, []byte(tt.data))); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

// FuzzScanStrings compares the chunked scanner with a plain split.
func FuzzScanStrings(f *testing.F) {
	f.Add([]byte("\x00TF_A_B\x00x TF_C\x00"), 3)
	f.Fuzz(func(t *testing.T, data []byte, pad int) {
		if pad > 0 && pad < 64 { // move the data over a chunk's end
			data = append(append(bytes.Repeat([]byte{0}, chunkLen-pad), data...), 0)
		}
		var want []string
		parts := bytes.Split(data, []byte{0})
		for _, p := range parts[:len(parts)-1] {
			if len(p) >= minName {
				classify(p, false, func(n string, k nameKind) { want = append(want, n) })
			}
		}
		var got []string
		if err := scanStrings(bytes.NewReader(data), func(n string, k nameKind) { got = append(got, n) }); err != nil {
			t.Fatal(err)
		}
		if len(data) < chunkLen/2 || pad > 0 && pad < 64 && len(data) < chunkLen+64 {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

func FuzzScanBinary(f *testing.F) {
	f.Add([]byte("\x7fELF\x02\x01\x01"))
	f.Add([]byte("\xcf\xfa\xed\xfe"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "x.so")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		scanFile(path, foundFile{rel: "x.so", native: true})
		buildID(path)
	})
}

func TestScanPython(t *testing.T) {
	text := `import os
# TF_COMMENT
x = os.environ.get("TF_PLAIN", 'x')
_NAME = 'TF_CONSTANT'
doc = "set TF_SENTENCE=1"
bad = "TF_HALF'
y = os.getenv(b"TF_BYTES")
`
	got := map[string]nameKind{}
	scanPython([]byte(text), func(n string, k nameKind) { got[n] = k })
	want := map[string]nameKind{"TF_PLAIN": wholeName, "TF_CONSTANT": wholeName, "TF_BYTES": wholeName}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got = map[string]nameKind{}
	scanPython([]byte(`NAME = "TF_FAR"`), func(n string, k nameKind) { got[n] = k })
	if diff := cmp.Diff(map[string]nameKind{"TF_FAR": mentionName}, got); diff != "" {
		t.Error(diff)
	}
}

// installation is a site-packages folder with a TensorFlow of the given files.
func installation(t *testing.T, files map[string]string) probe.Interpreter {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	site := filepath.Join(t.TempDir(), "site-packages")
	for name, text := range files {
		write(t, filepath.Join(site, name), text)
	}
	dir := filepath.Join(site, "tensorflow")
	return probe.Interpreter{SitePackages: []string{site}, TensorFlow: probe.Of(probe.TFInstall{Dir: dir, Version: "9"}, dir)}
}

func TestReaders(t *testing.T) {
	in := installation(t, map[string]string{
		"tensorflow/__init__.py":  `import os; os.environ.get("TF_READ_ME")`,
		"tensorflow/names.py":     `X = "TF_ONLY_MENTIONED"`,
		"keras/a.py":              `import os; os.getenv("KERAS_HOME"); os.getenv("TF_READ_ME")`,
		"other/b.py":              `import os; os.getenv("TF_NOT_OURS")`,
		"tensorflow/include/x.py": `os.getenv("TF_IN_A_HEADER")`,
		"tensorflow/c.py":         `os.environ["TF_PREFIX_" + "AND_REST"]`,
		"tensorflow/fake.so":      "not a shared object",
	})
	r, err := FindReaders(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	how := func(name string) string {
		who := r.Who(name)
		if len(who) == 0 {
			return "nobody"
		}
		return who[0].Package + " " + who[0].How
	}
	for name, want := range map[string]string{
		"TF_READ_ME": "tensorflow ", "KERAS_HOME": "keras ", "TF_NOT_OURS": "nobody", "TF_IN_A_HEADER": "nobody", "TF_ONLY_MENTIONED": "tensorflow mention",
		"TF_PREFIX_AND_REST": "tensorflow composed", "CUDA_VISIBLE_DEVICES": "CUDA driver documented", "TF_NOBODY": "nobody",
	} {
		if got := how(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if r.Reads("TF_ONLY_MENTIONED") {
		t.Error("a mention is no reader")
	}
	if diff := cmp.Diff([]string{"TF_READ_ME"}, r.Similar("TF_RAED_ME", 3)); diff != "" {
		t.Error(diff)
	}

	// The kept index answers the same; a changed file makes it again.
	again, err := FindReaders(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(names(r), names(again)); diff != "" {
		t.Error(diff)
	}
	write(t, filepath.Join(in.TensorFlow.Value.Dir, "new.py"), `import os; os.getenv("TF_NOBODY")`)
	if r, _ := FindReaders(context.Background(), in); !r.Reads("TF_NOBODY") {
		t.Error("a new file was not seen")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := FindReaders(ctx, in); err == nil {
		t.Error("a cancelled context gave an index")
	}
}

func names(r *Readers) []string {
	var out []string
	for n := range r.names {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

func TestKeptIndexIsPrivateAndBounded(t *testing.T) {
	installation(t, map[string]string{"tensorflow/__init__.py": ""})
	dir, err := indexDir()
	if err != nil {
		t.Fatal(err)
	}
	x := &nameIndex{files: []indexedFile{{path: "a.py"}}, names: map[string][]ref{"TF_A": {{0, wholeName}}}}
	for i := range maxIndexes + 20 {
		saveIndex(strings.Repeat("0", 10)+string(rune('a'+i%26))+string(rune('a'+i/26)), x)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != maxIndexes {
		t.Errorf("%d kept, want %d (%v)", len(entries), maxIndexes, err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", e.Name(), info.Mode())
		}
	}
	if st, _ := os.Stat(dir); st.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v", st.Mode())
	}
}

func FuzzDecodeIndex(f *testing.F) {
	f.Add([]byte(indexFormat + "\nF1 a.so\nN TF_A 0.0 0.2\nend\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if x := decodeIndex(text); x != nil {
			for _, refs := range x.names {
				for _, q := range refs {
					if q.file >= len(x.files) {
						t.Fatal("a reference past the files")
					}
				}
			}
		}
	})
}

func TestLikeness(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		like bool
	}{
		{"TF_PROFILER_DISABLE", "TF_DISABLE_PROFILING", true},
		{"TF_NUM_INTEROP_THREAD", "TF_NUM_INTEROP_THREADS", true},
		{"TF_CPP_MIN_LOG_LEVLE", "TF_CPP_MIN_LOG_LEVEL", true},
		{"TF_ENABLE_DEPRECATION_WARNINGS", "TF_ENABLE_ONEDNN_OPTS", false},
		{"TF_GPU_ALLOCATOR", "TF_GPU_THREAD_MODE", false},
	} {
		if got := likeness(tt.a, tt.b); (got >= 0.75) != tt.like {
			t.Errorf("%s %s: %.2f", tt.a, tt.b, got)
		}
	}
	for _, tt := range []struct {
		a, b string
		d    int
	}{{"", "", 0}, {"a", "", 1}, {"ab", "ba", 1}, {"kitten", "sitting", 3}} {
		if d := distance(tt.a, tt.b); d != tt.d {
			t.Errorf("distance %s %s: %d", tt.a, tt.b, d)
		}
	}
}

// TestReadersReal asks the TensorFlow of the tests about the guide's eight: four that it reads, one that the driver reads, three that nothing reads.
func TestReadersReal(t *testing.T) {
	in, err := FindInterpreter(context.Background(), tensorflowPython(t))
	if err != nil {
		t.Fatal(err)
	}
	r, err := FindReaders(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"TF_CPP_MIN_LOG_LEVEL": true, "CUDA_VISIBLE_DEVICES": true, "TF_NUM_INTEROP_THREADS": true, "TF_NUM_INTRAOP_THREADS": true, "TF_FORCE_GPU_ALLOW_GROWTH": true,
		"TF_ENABLE_DEPRECATION_WARNINGS": false, "TF_LOGGING_LEVEL": false, "TF_PROFILER_DISABLE": false,
		"TF_DISABLE_PROFILING": true, "TF_CONFIG": true, "TF_CPP_VMODULE": true, "TF_SYNC_ON_FINISH": true,
	} {
		if r.Reads(name) != want {
			t.Errorf("%s in TensorFlow %s: read %v, want %v", name, in.TensorFlow.Value.Version, !want, want)
		}
	}
	if s := r.Similar("TF_PROFILER_DISABEL", 1); len(s) != 1 || s[0] != "TF_DISABLE_PROFILING" {
		t.Errorf("similar: %v", s)
	}
	if !r.HasFlag("xla_dump_to") || r.HasFlag("xla_no_such_flag") {
		t.Error("flags of XLA")
	}
}
