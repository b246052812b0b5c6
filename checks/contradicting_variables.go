package checks

import (
	"fmt"
	"sort"
	"strings"

	"tfguard/probe"
)

// TFG106: settings that contradict each other.
func init() {
	Register(&Check{
		ID: "TFG106", Slug: "contradicting-variables",
		Title: "Two settings of one program contradict each other",
		Why: "One of them has no effect, and which one is easy to get wrong: a name set twice in one file counts once (the last), verbose logging is cut off by the minimum level, " +
			"settings for a GPU that is hidden do nothing.",
		Proof:    "Both settings are read from the same environment, and this TensorFlow reads both.",
		Fix:      "Keep the one that is meant.",
		Links:    []string{"tensorflow/tensorflow: tsl/platform/default/logging.cc", "CUDA C++ Programming Guide, CUDA Environment Variables"},
		Severity: Warning, Basis: Documented,
		Live: contradictions,
	})
}

func contradictions(s *probe.Snapshot) []Finding {
	if s.Environ == nil {
		return nil
	}
	out := setTwice(s)
	places, vars := effective(s)
	for _, p := range places {
		env := vars[p]
		usable := func(name string) *probe.Variable {
			if v := env[name]; v != nil && !v.Unresolved && !inert(v) {
				return v
			}
			return nil
		}
		add := func(loser, winner *probe.Variable, summary, remedy string) {
			f := finding(loser, Warn, Proven, summary)
			f.Evidence = append(f.Evidence, origin(winner))
			f.Remedy = []string{remedy}
			out = append(out, f)
		}
		if level := usable("TF_CPP_MIN_LOG_LEVEL"); level != nil {
			if n, ok := intValue(level.Value); ok && n > 0 {
				if v := usable("TF_CPP_MAX_VLOG_LEVEL"); v != nil {
					if m, ok := intValue(v.Value); ok && m > 0 {
						add(v, level, fmt.Sprintf("TF_CPP_MAX_VLOG_LEVEL=%d shows nothing: TF_CPP_MIN_LOG_LEVEL=%d hides verbose messages", m, n), "set TF_CPP_MIN_LOG_LEVEL=0 while debugging")
					}
				}
				if v := usable("TF_CPP_VMODULE"); v != nil && v.Value != "" {
					add(v, level, fmt.Sprintf("TF_CPP_VMODULE shows nothing: TF_CPP_MIN_LOG_LEVEL=%d hides verbose messages", n), "set TF_CPP_MIN_LOG_LEVEL=0 while debugging")
				}
			}
		}
		if cuda := usable("CUDA_VISIBLE_DEVICES"); cuda != nil && hidesAllGPUs(cuda.Value) {
			for _, name := range gpuOnly {
				if v := usable(name); v != nil {
					add(v, cuda, fmt.Sprintf("%s has no effect: CUDA_VISIBLE_DEVICES=%s hides every GPU", name, quoteEmpty(cuda.Value)), "remove one of the two")
				}
			}
			if v := env["NVIDIA_VISIBLE_DEVICES"]; v != nil && v.Value != "" && v.Value != "none" && v.Value != "void" {
				add(v, cuda, fmt.Sprintf("NVIDIA_VISIBLE_DEVICES=%s puts GPUs into the container that CUDA_VISIBLE_DEVICES=%s hides", v.Value, quoteEmpty(cuda.Value)), "remove one of the two")
			}
		}
		if v := usable("TF_USE_LEGACY_KERAS"); v != nil && isOn(v.Value) {
			if k := usable("KERAS_BACKEND"); k != nil && k.Value != "tensorflow" && k.Value != "" {
				add(k, v, fmt.Sprintf("KERAS_BACKEND=%s has no effect on tf.keras: TF_USE_LEGACY_KERAS selects Keras 2", k.Value), "remove one of the two")
			}
		}
	}
	if len(out) == 0 {
		return noneSet("no two settings contradict each other")
	}
	return out
}

// gpuOnly are variables that do nothing when no GPU is visible.
var gpuOnly = []string{"TF_FORCE_GPU_ALLOW_GROWTH", "TF_GPU_ALLOCATOR", "TF_GPU_THREAD_COUNT", "TF_GPU_THREAD_MODE", "TF_CUDNN_USE_AUTOTUNE", "TF_FORCE_UNIFIED_MEMORY", "TF_GPU_HOST_MEM_LIMIT_IN_MB"}

func hidesAllGPUs(v string) bool {
	v = strings.TrimSpace(v)
	return v == "" || v == "NoDevFiles" || strings.HasPrefix(v, "-1")
}

// setTwice finds names that one file gives two values in one place.
func setTwice(s *probe.Snapshot) []Finding {
	type key struct{ place, file, name string }
	seen := map[key][]*probe.Variable{}
	for _, v := range setVariables(s) {
		switch v.Origin.Kind {
		case "dotenv", "systemd", "gunicorn", "uwsgi": // elsewhere a later stage, a merge key or a container overrides on purpose
			k := key{place(v), v.Origin.File, v.Name}
			seen[k] = append(seen[k], v)
		}
	}
	var out []Finding
	for _, list := range seen {
		last := list[len(list)-1]
		for _, v := range list[:len(list)-1] {
			if v.Value != last.Value {
				f := finding(v, Warn, Proven, fmt.Sprintf("%s is set twice; %s here is replaced by %s", v.Name, quoteEmpty(v.Value), quoteEmpty(last.Value)))
				f.Evidence = append(f.Evidence, origin(last))
				f.Remedy = []string{"keep the one that is meant"}
				out = append(out, f)
			}
		}
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i].Where, out[j].Where
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
	return out
}
