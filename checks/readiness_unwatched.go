package checks

import "tfguard/probe"

// TFG605: traffic before the model is loaded.
func init() {
	Register(&Check{
		ID: "TFG605", Slug: "readiness-unwatched",
		Title:    "A service has no readiness probe",
		Why:      "Importing TensorFlow and loading a model takes seconds to minutes. Without a readiness probe requests arrive before that, wait, and pile up.",
		Proof:    "The container belongs to a workload that serves (Deployment, StatefulSet, DaemonSet, …) and has no readinessProbe.",
		Fix:      "Add a readinessProbe that answers once the model has made its first prediction.",
		Links:    []string{"https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/"},
		Severity: Warning, Basis: Documented,
		Live: func(s *probe.Snapshot) []Finding {
			return eachService(s, func(v *probe.Service) bool { return v.Readiness.Applies && longRunning(v) }, "each says when it is ready", func(v *probe.Service) *Finding {
				if v.Readiness.Set {
					return nil
				}
				f := serviceFinding(v, 0, 0, Proven, "no readiness probe")
				f.Remedy = []string{"add a readinessProbe"}
				return &f
			})
		},
	})
}
