// Package fixes holds the environments that tfguard launches a program with: env prints them, exec sets them, canary tries them.
package fixes

import (
	"fmt"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"tfguard/probe"
	"tfguard/probe/environ"
)

// A Fix is one variable of a launch environment.
type Fix struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Why    string `json:"why"`               // what it does for the program
	ReadBy string `json:"read_by,omitempty"` // who reads it: "tensorflow (libtensorflow_framework.so.2)"; empty: nothing that is installed
	// Warning is what speaks against it: nothing reads it, or it can do harm.
	Warning string `json:"warning,omitempty"`
}

// Index answers who reads a variable; *environ.Readers does.
type Index interface {
	Reads(name string) bool
	Who(name string) []probe.Reader
}

// Profiles are the names that Profile takes, and what each is.
var Profiles = []struct{ Name, Doc string }{
	{"safe", "only variables that this TensorFlow reads and that do no harm (default)"},
	{"guide", "the eight of the guide, each with the warning that it deserves"},
	{"none", "nothing"},
}

// Profile returns the fixes of a profile for the interpreter, in a fixed order. cores is how many CPUs the program may use
// (affinity and cgroup quota; below 1 counts as 1). TensorFlow itself sizes its pools by affinity alone, so that under a quota
// it makes a thread for each CPU of the host.
func Profile(name string, in probe.Interpreter, r Index, cores int) ([]Fix, error) {
	cores = max(cores, 1)
	switch name {
	case "safe":
		return safe(r, cores), nil
	case "guide":
		return guide(in, r), nil
	case "none":
		return nil, nil
	}
	return nil, fmt.Errorf("unknown profile %q: safe, guide or none", name)
}

// minInterOp is the least number of inter-op threads that lets a function call a py_function that calls a function again:
// with one, the outer call keeps the only thread that the inner needs.
const minInterOp = 4

func safe(r Index, cores int) []Fix {
	wanted := []Fix{
		{Name: "TF_NUM_INTEROP_THREADS", Value: strconv.Itoa(max(minInterOp, cores)),
			Why: fmt.Sprintf("one thread for each of the %s this program may use, and never fewer than %d, so that nested calls cannot starve", cpus(cores), minInterOp)},
		{Name: "TF_NUM_INTRAOP_THREADS", Value: strconv.Itoa(cores),
			Why: fmt.Sprintf("one thread for each of the %s this program may use, not one for each of the host's", cpus(cores))},
		{Name: "TF_CPP_MIN_LOG_LEVEL", Value: "1", Why: "hides information messages; warnings and errors stay"},
		{Name: "PYTHONFAULTHANDLER", Value: "1", Why: "a crash prints every thread's Python stack"},
	}
	// Only where the library itself is installed, not merely documented.
	for _, reader := range r.Who("NCCL_DEBUG") {
		if reader.Native && reader.How == "" {
			wanted = append(wanted, Fix{Name: "NCCL_DEBUG", Value: "WARN", Why: "NCCL says which peer or interface fails"})
			break
		}
	}
	var out []Fix
	for _, f := range wanted {
		if r.Reads(f.Name) {
			f.ReadBy = readBy(r, f.Name)
			out = append(out, f)
		}
	}
	return out
}

func guide(in probe.Interpreter, r Index) []Fix {
	var out []Fix
	for _, g := range environ.GuideVariables {
		f := Fix{Name: g.Name, Value: g.Value, Why: guideSays[g.Name], ReadBy: readBy(r, g.Name)}
		switch {
		case !r.Reads(g.Name):
			f.Warning = "nothing in TensorFlow " + in.TensorFlow.Value.Version + " reads it"
			if instead := guideInstead[g.Name]; instead != "" && (!strings.HasPrefix(instead, "TF_") || r.Reads(instead)) {
				f.Warning += "; what does this is " + instead
			}
		default:
			f.Warning = guideHarm[g.Name]
		}
		out = append(out, f)
	}
	return out
}

var guideSays = map[string]string{
	"TF_CPP_MIN_LOG_LEVEL":           "hides information and warning messages of the C++ side",
	"CUDA_VISIBLE_DEVICES":           "hides every GPU from the program",
	"TF_NUM_INTEROP_THREADS":         "one thread for independent operations",
	"TF_NUM_INTRAOP_THREADS":         "one thread inside an operation",
	"TF_ENABLE_DEPRECATION_WARNINGS": "meant to hide deprecation warnings",
	"TF_LOGGING_LEVEL":               "meant to show errors only",
	"TF_PROFILER_DISABLE":            "meant to turn the profiler off",
	"TF_FORCE_GPU_ALLOW_GROWTH":      "makes TensorFlow take all GPU memory at once",
}

var guideInstead = map[string]string{
	"TF_ENABLE_DEPRECATION_WARNINGS": "tf.get_logger().setLevel(\"ERROR\")",
	"TF_LOGGING_LEVEL":               "TF_CPP_MIN_LOG_LEVEL",
	"TF_PROFILER_DISABLE":            "TF_DISABLE_PROFILING",
}

var guideHarm = map[string]string{
	"TF_CPP_MIN_LOG_LEVEL":      "hides the warnings that come before many hangs",
	"CUDA_VISIBLE_DEVICES":      "turns every GPU off",
	"TF_NUM_INTEROP_THREADS":    "with one inter-op thread a function that calls a py_function that calls a function never ends",
	"TF_NUM_INTRAOP_THREADS":    "an operation uses one core",
	"TF_FORCE_GPU_ALLOW_GROWTH": "overrides allow_growth=True of the program, which the guide also sets",
}

func cpus(n int) string {
	if n == 1 {
		return "1 CPU"
	}
	return strconv.Itoa(n) + " CPUs"
}

func readBy(r Index, name string) string {
	if !r.Reads(name) {
		return ""
	}
	who := r.Who(name)[0]
	if who.How == "documented" {
		return who.Package
	}
	return who.Package + " (" + filepath.Base(who.File) + ")"
}

// Apply lays changes over a profile: set holds NAME=value to add or replace, drop the names to leave out.
func Apply(profile []Fix, set, drop []string, r Index) ([]Fix, error) {
	out := append([]Fix(nil), profile...)
	for _, name := range drop {
		kept := out[:0]
		for _, f := range out {
			if f.Name != name {
				kept = append(kept, f)
			}
		}
		if len(kept) == len(out) {
			return nil, fmt.Errorf("--no-fix %s: no such fix in this profile; it has %s", name, names(out))
		}
		out = kept
	}
	for _, s := range set {
		name, value, ok := strings.Cut(s, "=")
		if !ok || !ValidName(name) || strings.ContainsRune(value, 0) {
			return nil, fmt.Errorf("--set %q: want NAME=value", s)
		}
		f := Fix{Name: name, Value: value, Why: "set by --set"}
		if r != nil {
			f.ReadBy = readBy(r, name)
			if environ.Owned(name) && f.ReadBy == "" {
				f.Warning = "nothing that is installed reads it"
			}
		}
		replaced := false
		for i := range out {
			if out[i].Name == name {
				out[i], replaced = f, true
			}
		}
		if !replaced {
			out = append(out, f)
		}
	}
	return out, nil
}

func names(fixes []Fix) string {
	if len(fixes) == 0 {
		return "none"
	}
	var out []string
	for _, f := range fixes {
		out = append(out, f.Name)
	}
	sort.Strings(out)
	return strings.Join(out, ", ")
}

// ValidName reports whether a name is one that every shell can export: letters, digits and underscores, no digit first.
func ValidName(name string) bool {
	for i, c := range name {
		if !(c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || i > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return name != ""
}
