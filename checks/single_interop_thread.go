package checks

import (
	"tfguard/probe"
)

// TFG103: one inter-op thread.
func init() {
	Register(&Check{
		ID: "TFG103", Slug: "single-interop-thread",
		Title: "One inter-op thread: nested calls can wait for each other for ever",
		Why: "With TF_NUM_INTEROP_THREADS=1 an operation that waits for another operation keeps the only thread that could run it. A tf.function that calls a " +
			"py_function that calls a tf.function, py_func that runs a session, and two py_functions that wait for each other then never end; with two to four threads they do. " +
			"Several guides give this setting as a cure for hangs.",
		Proof:    "The value is 1, and this TensorFlow reads the variable. That it does hang is seen by tfguard inspect (TFG406) or tfguard canary --compare.",
		Fix:      "Leave the variable out, or give it at least 4. A program that nests no calls is safe with 1.",
		Links:    []string{"tensorflow/tensorflow#32454", "tensorflow/tensorflow#38969", "tensorflow/tensorflow#10369"},
		Severity: Warning, Basis: Reproduced,
		Live: func(s *probe.Snapshot) []Finding {
			if s.Environ == nil {
				return nil
			}
			var out []Finding
			for _, v := range judged(s) {
				if n, ok := intValue(v.Value); v.Name != "TF_NUM_INTEROP_THREADS" || !ok || n != 1 || v.InEffect != nil && v.InEffect.Value != "1" {
					continue
				}
				f := finding(v, Warn, Likely, "TF_NUM_INTEROP_THREADS=1 makes nested calls wait for each other for ever")
				f.Evidence = append(f.Evidence, "read by "+readers(v))
				f.Remedy = []string{"remove it, or set it to 4 or more", "tfguard canary --compare shows what it does to this installation"}
				out = append(out, f)
			}
			if len(out) == 0 {
				return noneSet("the inter-op pool is not held to one thread")
			}
			return out
		},
	})
}
