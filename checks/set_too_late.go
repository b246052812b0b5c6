package checks

import (
	"fmt"

	"tfguard/probe"
)

// TFG107: a variable that was set after its reader had read it.
func init() {
	Register(&Check{
		ID: "TFG107", Slug: "set-too-late",
		Title: "A variable was set after TensorFlow had read it",
		Why: "TensorFlow reads most variables once: the log level when its library is loaded, the thread counts when the first operation makes the pools. " +
			"os.environ[…] = … after that changes nothing, and nothing says so.",
		Proof: "For a live process: its environment at the start (/proc/PID/environ) is compared with the one in its memory now, and the pool's threads are counted. " +
			"Proven when the program set the count itself and the pool has another size.",
		Fix:      "Set variables before the first import of tensorflow, best outside the program: tfguard exec, or tfguard env.",
		Links:    []string{"tensorflow/tensorflow: " + processUse, "tensorflow/tensorflow: " + tslLogging, "proc_pid_environ(5)"},
		Severity: Warning, Basis: Documented,
		Live: setTooLate,
	})
}

func setTooLate(s *probe.Snapshot) []Finding {
	if s.Environ == nil {
		return nil
	}
	var out []Finding
	var changed []string
	live := false
	for _, v := range judged(s) {
		live = live || v.Origin.PID != 0
		if v.Changed {
			changed = append(changed, origin(v))
		}
		if v.InEffect == nil || !v.InEffect.Known() || v.InEffect.Value == v.Value || v.Value == "0" {
			continue
		}
		certainty, summary := Likely, fmt.Sprintf("%s=%s is not in effect: the pool has %s threads", v.Name, v.Value, v.InEffect.Value)
		if v.Changed {
			certainty, summary = Proven, fmt.Sprintf("%s=%s was set too late: TensorFlow had made its pool of %s threads", v.Name, v.Value, v.InEffect.Value)
		}
		f := finding(v, Warn, certainty, summary)
		f.Evidence = append(f.Evidence, v.InEffect.Source)
		if !v.Changed {
			f.Evidence = append(f.Evidence, "a thread count that the program sets itself (tf.config.threading, ConfigProto) wins over the variable")
		}
		f.Remedy = []string{"set it before the first import of tensorflow", "tfguard exec -- CMD sets it from outside"}
		out = append(out, f)
	}
	if len(out) > 0 {
		return out
	}
	if !live {
		return []Finding{{Status: Skip, Certainty: Unsure, Summary: "only a live process can tell: tfguard audit --pid PID"}}
	}
	f := Finding{Status: Pass, Certainty: Likely, Summary: "no variable is seen to have been set too late", Evidence: changed}
	return []Finding{f}
}
