package checks

import "tfguard/probe"

// TFG601: no memory limit.
func init() {
	Register(&Check{
		ID: "TFG601", Slug: "memory-unlimited",
		Title: "A service has no memory limit",
		Why: "A process that grows without a limit takes the machine down with it: everything on it stalls in reclaim and swap before the kernel's out-of-memory killer picks a victim, " +
			"often another one. With a limit the process that grows is the one that ends, and tfguard's 80 % threshold has something to measure against.",
		Proof:    "The file is read as its engine reads it; the service has no limit in any of the places that can set one.",
		Fix:      "compose: deploy.resources.limits.memory; Kubernetes: resources.limits.memory; systemd: MemoryMax=.",
		Links:    []string{"https://docs.docker.com/reference/compose-file/deploy/#resources", "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/", "systemd.resource-control(5)"},
		Severity: Warning, Basis: Documented,
		Live: func(s *probe.Snapshot) []Finding {
			return eachService(s, func(v *probe.Service) bool { return v.Memory.Applies }, "each has a memory limit", func(v *probe.Service) *Finding {
				if v.Memory.Set {
					return nil
				}
				f := serviceFinding(v, 0, 0, Proven, "no memory limit")
				f.Remedy = []string{limitRemedy(v, "memory")}
				return &f
			})
		},
	})
}

func limitRemedy(v *probe.Service, what string) string {
	switch {
	case v.Workload == "compose" && what == "memory":
		return "set deploy.resources.limits.memory"
	case v.Workload == "compose":
		return "set deploy.resources.limits.cpus"
	case v.Workload == "systemd" && what == "memory":
		return "set MemoryMax= in [Service]"
	case v.Workload == "systemd":
		return "set CPUQuota= in [Service]"
	case what == "memory":
		return "set resources.limits.memory"
	}
	return "set resources.limits.cpu, and TF_NUM_INTRAOP_THREADS to the same number"
}
