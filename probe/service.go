package probe

// A Service is one thing that a deployment file starts: a container, the last stage of an image, a unit, a server's workers.
type Service struct {
	Origin Origin `json:"origin"`
	// Workload is what runs it: Deployment, StatefulSet, Job, …, compose, image, systemd, gunicorn, uwsgi.
	Workload string `json:"workload"`
	// Init: it runs before the others and ends (an init container).
	Init bool `json:"init,omitempty"`

	// Memory (bytes) and CPU (cores) are limits; Set is false when the file could set one and does not.
	Memory Setting[uint64]  `json:"memory"`
	CPU    Setting[float64] `json:"cpu"`

	// Command is the program that is started. Shell says why it runs below a shell, which does not pass signals on; else it is empty.
	Command Setting[string] `json:"command"`
	Shell   string          `json:"shell,omitempty"`
	// Health and Readiness are probes: their kind (httpGet, exec, …).
	Health    Setting[string] `json:"health"`
	Readiness Setting[string] `json:"readiness"`
	// StopSecs is the time between the signal to end and the kill, in seconds; −1 is endless.
	StopSecs   Setting[float64] `json:"stop_seconds"`
	StopSignal Setting[string]  `json:"stop_signal"`
	// KillMode is systemd's: control-group, mixed, process, none.
	KillMode Setting[string] `json:"kill_mode"`
	Restart  Setting[string] `json:"restart"`
	// ShareProcesses: Kubernetes' shareProcessNamespace, which lets a sidecar see this container's processes.
	ShareProcesses Setting[bool] `json:"share_processes"`

	// Preload: the server loads the application before it forks its workers. Workers and WorkerThreads are per server.
	Preload       Setting[bool]   `json:"preload"`
	Workers       Setting[int]    `json:"workers"`
	WorkerThreads Setting[int]    `json:"worker_threads"`
	WorkerClass   Setting[string] `json:"worker_class"`
	// WorkerTimeout is how long a silent worker lives, in seconds; 0 switches the watch off.
	WorkerTimeout Setting[float64] `json:"worker_timeout"`

	// MissingSources are files or objects that set its variables and could not be read.
	MissingSources []MissingSource `json:"missing_sources,omitempty"`
}

// A Setting is a value that a file may set. Applies says that this kind of file has such a setting at all.
type Setting[T any] struct {
	Value   T    `json:"value"`
	Set     bool `json:"set,omitempty"`
	Applies bool `json:"applies,omitempty"`
	// Unresolved: it is set to an expression (${LIMIT}) whose value is not in the files.
	Unresolved bool `json:"unresolved,omitempty"`
	Line       int  `json:"line,omitempty"`
	Column     int  `json:"column,omitempty"`
}

// A MissingSource is an env_file, EnvironmentFile, ConfigMap or Secret that a file names and that is not there to read.
type MissingSource struct {
	Name   string `json:"name"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Why    string `json:"why"`
	// Outside: it lives elsewhere (a Secret in the cluster), so that its absence here is no mistake.
	Outside bool `json:"outside,omitempty"`
}
