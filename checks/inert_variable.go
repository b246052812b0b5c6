package checks

import (
	"fmt"
	"regexp"
	"strings"

	"tfguard/probe"
)

// TFG101: a variable that nothing reads.
func init() {
	Register(&Check{
		ID: "TFG101", Slug: "inert-variable",
		Title: "An environment variable is set that nothing reads",
		Why: "A variable that no installed file knows has no effect: what it was meant to cure goes on. The guides that name " +
			"TF_PROFILER_DISABLE, TF_LOGGING_LEVEL or TF_ENABLE_DEPRECATION_WARNINGS give names that TensorFlow never had " +
			"(the last is read by NVIDIA's fork alone, where 1 switches warnings on); a misspelt name fails in the same silent way.",
		Proof: "Every string of constant data in the installation's shared objects, and every string literal of its Python files, is searched for the name. " +
			"Proven: no file has it, neither as a whole string nor as the end of a longer one nor composed of two.",
		Fix:      "Use the name that this TensorFlow reads, or remove the variable.",
		Links:    []string{"tensorflow/tensorflow: tsl/platform/default/logging.cc", "tensorflow/tensorflow: tsl/profiler/lib/profiler_lock.cc", "NVIDIA TensorFlow user guide: TF_ENABLE_DEPRECATION_WARNINGS"},
		Severity: Warning, Basis: Documented,
		Live: inertVariables,
	})
}

func inertVariables(s *probe.Snapshot) []Finding {
	if s.Environ == nil {
		return nil
	}
	var out []Finding
	set := setVariables(s)
	for _, v := range set {
		switch {
		case !v.Readers.Known():
			return []Finding{{Status: Unknown, Certainty: Unsure, Summary: "who reads the variables could not be told: " + v.Readers.Missing,
				Evidence: []string{plural(len(set), "relevant variable") + " set"}}}
		case read(v):
		case v.Owned && len(v.Readers.Value) == 0:
			f := finding(v, Warn, Proven, fmt.Sprintf("nothing in %s reads %s", tensorflowName(s), v.Name))
			f.Evidence = append(f.Evidence, "no string of its shared objects and no literal of its Python files is "+v.Name)
			out = append(out, withReplacement(s, v, f))
		case v.Owned:
			f := finding(v, Warn, Likely, fmt.Sprintf("nothing in %s seems to read %s", tensorflowName(s), v.Name))
			f.Evidence = append(f.Evidence, fmt.Sprintf("the name occurs in %s, but not where a variable is read", v.Readers.Value[0].File))
			out = append(out, withReplacement(s, v, f))
		case len(v.Similar) > 0:
			f := finding(v, Warn, Likely, fmt.Sprintf("no reader of %s is known", v.Name))
			out = append(out, withReplacement(s, v, f))
		}
	}
	if len(out) == 0 {
		f := Finding{Status: Pass, Certainty: Proven, Summary: "no variable is set that nothing reads"}
		if n := len(set); n > 0 {
			f.Summary = plural(n, "relevant variable") + " set, each with a reader"
		}
		for _, v := range set {
			if r := readers(v); r != "" {
				f.Evidence = append(f.Evidence, v.Name+": read by "+r)
			}
		}
		out = append(out, f)
	}
	if guide, inert := guideEvidence(s); len(guide) > 0 {
		out = append(out, Finding{Status: Pass, Certainty: Proven, Subject: "guide", Evidence: guide,
			Summary: fmt.Sprintf("of the guide's 8 variables %d have a reader beside %s, %d have none", len(guide)-inert, tensorflowName(s), inert)})
	}
	return out
}

// insteadOf says what to use in place of names that are often copied; the variables among them are only named when this TensorFlow reads
// them, which is what Variable.Similar says.
var insteadOf = map[string]string{
	"TF_LOGGING_LEVEL":               `for Python messages: tf.get_logger().setLevel("ERROR")`,
	"TF_LOG_LEVEL":                   `for Python messages: tf.get_logger().setLevel("ERROR")`,
	"TF_ENABLE_DEPRECATION_WARNINGS": `for deprecation warnings: tf.get_logger().setLevel("ERROR"), or warnings.filterwarnings`,
	"TF_DISABLE_MKL":                 "to switch oneDNN off: TF_ENABLE_ONEDNN_OPTS=0",
	"TF_GPU_ALLOCATOR":               "it is read by GPU builds: cuda_malloc_async",
}

var gpuWords = regexp.MustCompile(`GPU|CUDA|CUDNN|CUBLAS|NCCL|TENSORRT|_TRT_`)

func withReplacement(s *probe.Snapshot, v *probe.Variable, f Finding) Finding {
	instead, known := insteadOf[v.Name]
	if len(v.Similar) > 0 {
		name := v.Similar[0]
		f.Summary += "; " + name + " is the name that is read"
		f.Remedy = append(f.Remedy, "use "+name+" in place of "+v.Name)
		if len(v.Similar) > 1 {
			f.Evidence = append(f.Evidence, "names like it that are read: "+strings.Join(v.Similar, ", "))
		}
	}
	if known {
		f.Remedy = append(f.Remedy, instead)
	}
	if s.Interpreter != nil && s.Interpreter.TensorFlow.Known() {
		dist := s.Interpreter.TensorFlow.Value.Dist
		if strings.HasSuffix(dist, "-cpu") && gpuWords.MatchString(v.Name) {
			f.Evidence = append(f.Evidence, dist+" is a CPU build; a GPU build may read it")
		}
	}
	if len(f.Remedy) == 0 {
		f.Remedy = []string{"remove " + v.Name}
	}
	return f
}

// guideNames are the eight of the guide, with its values.
var guideNames = []struct{ name, value, effect string }{
	{"TF_CPP_MIN_LOG_LEVEL", "2", "hides information and warnings of the C++ side, the ones before a hang too"},
	{"CUDA_VISIBLE_DEVICES", "-1", "hides every GPU; on a machine without one it changes nothing"},
	{"TF_NUM_INTEROP_THREADS", "1", "makes nested calls (function, py_function, function) hang"},
	{"TF_NUM_INTRAOP_THREADS", "1", "slows operations to one core; it cures no hang by itself"},
	{"TF_ENABLE_DEPRECATION_WARNINGS", "0", "does nothing"},
	{"TF_LOGGING_LEVEL", "ERROR", "does nothing"},
	{"TF_PROFILER_DISABLE", "1", "does nothing"},
	{"TF_FORCE_GPU_ALLOW_GROWTH", "false", "undoes the allow_growth=True that the guide also sets"},
}

// guideEvidence judges each of the guide's eight variables in one line, set or not, and counts those that nothing reads.
func guideEvidence(s *probe.Snapshot) (lines []string, nobody int) {
	by := map[string]*probe.Variable{}
	for i := range s.Environ {
		if v := &s.Environ[i]; by[v.Name] == nil {
			by[v.Name] = v
		}
	}
	for _, g := range guideNames {
		v := by[g.name]
		if v == nil || !v.Readers.Known() {
			continue
		}
		line := fmt.Sprintf("%s=%s ", g.name, g.value)
		switch {
		case inert(v) && len(v.Similar) > 0:
			nobody++
			line += "is read by nothing here; the name is " + v.Similar[0]
		case inert(v):
			nobody++
			line += "is read by nothing here"
		default:
			line += g.effect + "; read by " + readers(v)
		}
		lines = append(lines, line)
	}
	return lines, nobody
}
