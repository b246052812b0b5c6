package checks

import "tfguard/probe"

// TFG602: no CPU limit.
func init() {
	Register(&Check{
		ID: "TFG602", Slug: "cpu-unlimited",
		Title: "A service has no CPU limit",
		Why: "TensorFlow makes as many pool threads as it sees CPUs, so that two services without limits on one machine ask for twice what there is. " +
			"A limit alone does not shrink the pools (TensorFlow looks at affinity, not at the quota): set TF_NUM_INTRAOP_THREADS with it.",
		Proof:    "The file is read as its engine reads it; the service has no limit in any of the places that can set one.",
		Fix:      "compose: deploy.resources.limits.cpus; Kubernetes: resources.limits.cpu; systemd: CPUQuota=.",
		Links:    []string{"https://docs.docker.com/reference/compose-file/deploy/#resources", "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/", "systemd.resource-control(5)"},
		Severity: Warning, Basis: Documented,
		Live: func(s *probe.Snapshot) []Finding {
			return eachService(s, func(v *probe.Service) bool { return v.CPU.Applies }, "each has a CPU limit", func(v *probe.Service) *Finding {
				if v.CPU.Set {
					return nil
				}
				f := serviceFinding(v, 0, 0, Proven, "no CPU limit")
				f.Remedy = []string{limitRemedy(v, "cpu")}
				return &f
			})
		},
	})
}
