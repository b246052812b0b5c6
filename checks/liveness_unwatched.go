package checks

import "tfguard/probe"

// TFG604: nothing notices a hang.
func init() {
	Register(&Check{
		ID: "TFG604", Slug: "liveness-unwatched",
		Title:    "A service has no liveness check, so a hang is never noticed",
		Why:      "A hung TensorFlow process is alive for its engine: it has a PID and uses no CPU. Only a probe that does real work, or tfguard watch's /healthz, tells it from a healthy one.",
		Proof:    "The service is meant to stay (no job, no init container) and has no probe.",
		Fix:      "Kubernetes: livenessProbe; compose: healthcheck. Point it at tfguard watch's /healthz, which is unhealthy only when a hang is proven.",
		Links:    []string{"https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/", "https://docs.docker.com/reference/compose-file/services/#healthcheck"},
		Severity: Warning, Basis: Documented,
		Live: func(s *probe.Snapshot) []Finding {
			return eachService(s, func(v *probe.Service) bool { return v.Health.Applies && longRunning(v) }, "each is watched", func(v *probe.Service) *Finding {
				if v.Health.Set {
					return nil
				}
				f := serviceFinding(v, v.Health.Line, v.Health.Column, Proven, "no liveness check")
				f.Remedy = []string{"add a livenessProbe"}
				if v.Workload == "compose" {
					f.Summary, f.Remedy = v.Origin.Scope+": no healthcheck", []string{"add a healthcheck"}
				}
				return &f
			})
		},
	})
}
