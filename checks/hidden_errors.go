package checks

import (
	"fmt"

	"tfguard/probe"
)

// TFG110: a log level that hides errors.
func init() {
	Register(&Check{
		ID: "TFG110", Slug: "hidden-errors",
		Title: "TF_CPP_MIN_LOG_LEVEL hides TensorFlow's errors",
		Why: "3 and above suppress ERROR messages of the C++ side: a refused variable, a peer that does not answer, an out-of-memory on the way to a hang leave no line. " +
			"2 hides warnings, which come before many hangs; 1 hides information only.",
		Proof:    "The value is 3 or more, and this TensorFlow reads the variable.",
		Fix:      "Set it to 1, or to 2 at most.",
		Links:    []string{"tensorflow/tensorflow: " + tslLogging},
		Severity: Warning, Basis: Documented,
		Live: func(s *probe.Snapshot) []Finding {
			if s.Environ == nil {
				return nil
			}
			var out []Finding
			for _, v := range judged(s) {
				n, ok := intValue(v.Value)
				if v.Name != "TF_CPP_MIN_LOG_LEVEL" || !ok || n < 3 {
					continue
				}
				f := finding(v, Warn, Proven, fmt.Sprintf("TF_CPP_MIN_LOG_LEVEL=%d hides TensorFlow's errors", n))
				f.Value, f.Limit = n, 2
				f.Evidence = append(f.Evidence, "read by "+readers(v))
				f.Remedy = []string{"set TF_CPP_MIN_LOG_LEVEL=1"}
				out = append(out, f)
			}
			if len(out) == 0 {
				return noneSet("TensorFlow's errors are not hidden")
			}
			return out
		},
	})
}
