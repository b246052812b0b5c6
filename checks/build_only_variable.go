package checks

import (
	"fmt"

	"tfguard/probe"
)

// TFG111: a build argument that was meant for the program.
func init() {
	Register(&Check{
		ID: "TFG111", Slug: "build-only-variable",
		Title:    "A variable is set for the build of an image alone",
		Why:      "ARG sets a variable while the image is built. The program that runs in a container of it does not see it; only ENV reaches it.",
		Proof:    "The Dockerfile's last stage, or one that it builds on, has an ARG of that name and no ENV.",
		Fix:      "Write ENV NAME=value, or ENV NAME=$NAME below the ARG to pass a build argument on.",
		Links:    []string{"https://docs.docker.com/reference/dockerfile/#arg"},
		Severity: Warning, Basis: Documented,
		Live: func(s *probe.Snapshot) []Finding {
			if s.Environ == nil {
				return nil
			}
			var out []Finding
			seen := false
			for i := range s.Environ {
				v := &s.Environ[i]
				seen = seen || v.Origin.Kind == "dockerfile"
				if !v.Set || !v.BuildOnly || v.Readers.Known() && !read(v) {
					continue
				}
				f := finding(v, Warn, Proven, fmt.Sprintf("%s is set for the build alone: the program does not see it", v.Name))
				f.Remedy = []string{fmt.Sprintf("add ENV %s=$%s below the ARG", v.Name, v.Name)}
				out = append(out, f)
			}
			if len(out) == 0 && seen {
				return noneSet("every variable of the image reaches the program")
			}
			return out
		},
	})
}
