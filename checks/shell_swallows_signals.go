package checks

import "tfguard/probe"

// TFG603: a shell between the engine and the program.
func init() {
	Register(&Check{
		ID: "TFG603", Slug: "shell-swallows-signals",
		Title: "The program runs below a shell, which does not pass signals on",
		Why: "docker stop, compose down and the kubelet signal process 1 of the container. When that is a shell, the program never hears SIGTERM: no checkpoint, no graceful end, " +
			"and after the grace period everything is killed. Some shells replace themselves by the last command of -c, others do not.",
		Proof:    "ENTRYPOINT or CMD in shell form, an array that is no JSON, or a command that starts sh -c without exec.",
		Fix:      `Use the exec form with double quotes, ["python", "train.py"], or begin the command with exec.`,
		Links:    []string{"https://docs.docker.com/reference/dockerfile/#shell-form-entrypoint-example", "https://docs.docker.com/reference/build-checks/json-args-recommended/"},
		Severity: Warning, Basis: Documented,
		Live: func(s *probe.Snapshot) []Finding {
			return eachService(s, func(v *probe.Service) bool { return v.Command.Applies && v.Command.Set && v.Workload != "systemd" }, "each program gets its signals", func(v *probe.Service) *Finding {
				if v.Shell == "" {
					return nil
				}
				f := serviceFinding(v, v.Command.Line, v.Command.Column, Likely, "the program does not get SIGTERM: "+v.Shell)
				f.Evidence = []string{"command: " + v.Command.Value}
				f.Remedy = []string{`write it as ["program", "argument"], or begin the command with exec`}
				return &f
			})
		},
	})
}
