package checks

import "tfguard/probe"

// TFG608: a server that never replaces a hung worker.
func init() {
	Register(&Check{
		ID: "TFG608", Slug: "worker-watch-off",
		Title:    "A server's watch over its workers is switched off",
		Why:      "gunicorn kills and replaces a worker that is silent for timeout seconds. With timeout 0 a hung worker keeps its requests for ever, until no worker is left.",
		Proof:    "timeout = 0 in the configuration, or --timeout 0 on the command line.",
		Fix:      "Set a timeout above the longest prediction, and load the model in the worker.",
		Links:    []string{"https://docs.gunicorn.org/en/stable/settings.html#timeout", "gunicorn#2369"},
		Severity: Warning, Basis: Documented,
		Live: func(s *probe.Snapshot) []Finding {
			applies := func(v *probe.Service) bool { return v.WorkerTimeout.Set && v.Workload != "uwsgi" }
			return eachService(s, applies, "each replaces workers that are silent", func(v *probe.Service) *Finding {
				if v.WorkerTimeout.Value != 0 {
					return nil
				}
				f := serviceFinding(v, v.WorkerTimeout.Line, v.WorkerTimeout.Column, Proven, "a hung worker is never replaced: timeout is 0")
				f.Limit, f.Unit = 0, "seconds"
				f.Remedy = []string{"set a timeout above the longest prediction"}
				return &f
			})
		},
	})
}
