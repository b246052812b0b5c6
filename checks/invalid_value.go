package checks

import (
	"fmt"
	"strings"

	"tfguard/probe"
)

// TFG102: a value that the reader does not accept.
func init() {
	Register(&Check{
		ID: "TFG102", Slug: "invalid-value",
		Title: "An environment variable has a value that its reader does not accept",
		Why: "TensorFlow parses its variables strictly and mostly without a word: a thread count that is no number is dropped, a boolean that is neither 0, 1, true nor false " +
			"keeps the default, TF_FORCE_GPU_ALLOW_GROWTH takes only true or false in small letters, and an unknown flag in XLA_FLAGS ends the process.",
		Proof:    "The value is parsed as the reader does. Flags of XLA_FLAGS and TF_XLA_FLAGS are looked up among the strings of the installed binaries.",
		Fix:      "Give a value that is accepted, or remove the variable.",
		Links:    []string{"tensorflow/tensorflow: " + tslEnvVar, "tensorflow/tensorflow: " + processUse, "openxla/xla: xla/parse_flags_from_env.cc"},
		Severity: Error, Basis: Documented,
		Live: invalidValues,
	})
}

func invalidValues(s *probe.Snapshot) []Finding {
	if s.Environ == nil {
		return nil
	}
	var out []Finding
	checked := 0
	for _, v := range judged(s) {
		rule, ok := valueRules[v.Name]
		if !ok {
			continue
		}
		checked++
		switch {
		case !rule.accepts(v.Value):
			f := finding(v, Fail, Proven, fmt.Sprintf("%s=%s is not accepted: %s", v.Name, quoteEmpty(v.Value), rule.else_))
			f.Evidence = append(f.Evidence, describeRule(rule))
			f.Remedy = []string{"set " + v.Name + " to " + rule.want}
			out = append(out, f)
		case len(v.UnknownFlags) > 0:
			f := finding(v, Fail, Likely, fmt.Sprintf("%s has a flag that %s does not know: %s", v.Name, tensorflowName(s), strings.Join(v.UnknownFlags, ", ")))
			f.Evidence = append(f.Evidence, "no installed binary holds a string of that name", "an unknown flag ends the process at the first use of XLA")
			f.Remedy = []string{"remove the flag"}
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		return noneSet(fmt.Sprintf("%s checked, none is refused", plural(checked, "value")))
	}
	return out
}

func quoteEmpty(s string) string {
	if s == "" || strings.ContainsAny(s, " \t\n") {
		return fmt.Sprintf("%q", s)
	}
	return s
}
