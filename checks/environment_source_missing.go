package checks

import "tfguard/probe"

// TFG607: variables that come from a file that is not there.
func init() {
	Register(&Check{
		ID: "TFG607", Slug: "environment-source-missing",
		Title:    "A file that sets a service's variables is not there",
		Why:      "The engine refuses to start the service, or starts it without the variables. What lives outside the files given (a Secret, a ConfigMap in the cluster) cannot be judged here.",
		Proof:    "The file named by env_file does not exist beside the compose file. ConfigMaps, Secrets and EnvironmentFiles of another machine are reported as unknown.",
		Fix:      "Add the file, mark it as not required, or give the ConfigMap to the same audit.",
		Links:    []string{"https://docs.docker.com/reference/compose-file/services/#env_file", "systemd.exec(5)"},
		Severity: Error, Basis: Documented,
		Live: func(s *probe.Snapshot) []Finding {
			if s.Services == nil {
				return nil
			}
			var out []Finding
			for i := range s.Services {
				v := &s.Services[i]
				for _, m := range v.MissingSources {
					f := serviceFinding(v, m.Line, m.Column, Proven, m.Name+": "+m.Why)
					f.Status = Fail
					f.Remedy = []string{"add " + m.Name + ", or mark it as not required"}
					if m.Outside {
						f.Status, f.Certainty = Unknown, Unsure
						f.Remedy = []string{"give the file that defines it to the same audit"}
					}
					out = append(out, f)
				}
			}
			if len(out) == 0 {
				return noneSet("every file that sets variables is there")
			}
			return out
		},
	})
}
