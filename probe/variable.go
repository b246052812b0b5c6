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
}

// An Origin is the place that sets a variable.
type Origin struct {
	Kind   string `json:"kind"` // shell, process, dotenv, dockerfile, compose, kubernetes, systemd, gunicorn, python
	PID    int    `json:"pid,omitempty"`
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Scope  string `json:"scope,omitempty"` // the container, stage, service or unit section inside the file
}

// A Reader is a file that contains a variable's name.
type Reader struct {
	Package string `json:"package"` // tensorflow, keras, CUDA driver, …
	File    string `json:"file"`
	Native  bool   `json:"native"` // a shared object (else Python)
}
