package checks

import (
	"fmt"

	"tfguard/probe"
)

// PreloadForks is the part of TFG401 that deployment files show: a server that loads the application, and with it TensorFlow, and
// then forks its workers. Whether that hangs depends on what the application does while it is loaded, so it is never proven here.
func PreloadForks(s *probe.Snapshot) []Finding {
	var out []Finding
	for i := range s.Services {
		v := &s.Services[i]
		if !v.Preload.Value || v.Workload == "uwsgi" && v.Workers.Value < 2 {
			continue // one uwsgi process without a master does not fork
		}
		at := v.Preload
		if v.Workload == "uwsgi" && v.Workers.Line > 0 {
			at.Line, at.Column = v.Workers.Line, v.Workers.Column
		}
		workers := "its workers"
		if v.Workers.Value > 0 {
			workers = plural(v.Workers.Value, "worker")
		}
		f := serviceFinding(v, at.Line, at.Column, Likely, fmt.Sprintf("the application is loaded before %s are forked: TensorFlow used by then hangs in each", workers))
		f.Evidence = []string{"a forked child has none of the threads that TensorFlow made in its parent (gunicorn#2369)"}
		f.Remedy = []string{"preload_app = False, or import tensorflow and load the model in post_fork"}
		if v.Workload == "uwsgi" {
			f.Remedy = []string{"lazy-apps = true"}
		}
		out = append(out, f)
	}
	return out
}
