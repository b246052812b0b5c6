package probe

// A Variable is an environment variable as it is set in one place, with who reads it.
type Variable struct {
	Name   string `json:"name"`
	Value  string `json:"value"` // masked when it is a secret
	Set    bool   `json:"set"`
	Origin Origin `json:"origin"`
	// Readers are the installed files that contain the name as a whole string, so that something could read it.
	// Missing says why that could not be told (no TensorFlow found).
	Readers Fact[[]Reader] `json:"readers"`
	// Similar are names of the same installation close to this one, best first: what may have been meant.
	Similar []string `json:"similar,omitempty"`
	// Owned: if anything reads the name, it is among the files that were searched (TF_…, XLA_…, KERAS_…); of other names
	// (CUDA_…, OMP_…) an empty Readers proves nothing.
	Owned bool `json:"owned,omitempty"`
	// UnknownFlags are flags inside XLA_FLAGS or TF_XLA_FLAGS whose names no installed binary holds.
	UnknownFlags []string `json:"unknown_flags,omitempty"`
	// Unresolved: the value depends on something that is not in the file (a build argument, a Secret, ${X} of the host), so that
	// Value is only the expression.
	Unresolved bool `json:"unresolved,omitempty"`
	// BuildOnly: set while an image is built and not in the environment of the program (a Dockerfile's ARG).
	BuildOnly bool `json:"build_only,omitempty"`
	// Before is the value that the process was started with when the program changed the variable itself; Changed says that it did.
	Before  string `json:"before,omitempty"`
	Changed bool   `json:"changed,omitempty"`
	// InEffect is what a live process really uses in place of Value, where that can be seen (a pool's number of threads).
	InEffect *Fact[string] `json:"in_effect,omitempty"`
}

// An Origin is the place that sets a variable.
type Origin struct {
	Kind   string `json:"kind"` // shell, process, dotenv, dockerfile, compose, kubernetes, systemd, gunicorn, uwsgi, python
	PID    int    `json:"pid,omitempty"`
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Root   string `json:"root,omitempty"`  // the file that starts the program, when File is another that it draws on (an env_file)
	Scope  string `json:"scope,omitempty"` // the container, stage, service or unit section inside the file
}

// A Reader is a file that contains a variable's name.
type Reader struct {
	Package string `json:"package"` // tensorflow, keras, CUDA driver, …
	File    string `json:"file"`
	Native  bool   `json:"native"` // a shared object (else Python)
	// How is empty for a whole string literal. Otherwise: "documented" (outside the Python packages; File is the source),
	// "composed" (a prefix and the rest are literals of one file), "tail" (the end of a longer literal),
	// "mention" (a literal of a Python file that itself reads no variable).
	How string `json:"how,omitempty"`
}
