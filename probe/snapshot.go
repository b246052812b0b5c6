package probe

import "time"

// SnapshotSchema names the JSON form of a Snapshot; it changes when a reader of old files would misread.
const SnapshotSchema = "tfguard/snapshot/v1"

// A Snapshot is everything seen at one moment. It round-trips through JSON, so that a hang saved once replays as a test.
// Fields that a command did not look at are nil.
type Snapshot struct {
	Schema  string    `json:"schema"`
	Version string    `json:"tfguard"` // version of the tfguard that took it
	At      time.Time `json:"at"`
	Host    Host      `json:"host"`

	// Interpreter is the Python (and its TensorFlow) that doctor, audit and canary judge.
	Interpreter *Interpreter `json:"interpreter,omitempty"`
	Environ     []Variable   `json:"environ,omitempty"`
	Services    []Service    `json:"services,omitempty"` // what deployment files start
	Canary      []CanaryRun  `json:"canary,omitempty"`
	Collisions  *Collisions  `json:"collisions,omitempty"`
	Limits      *Limits      `json:"limits,omitempty"`
	Usage       *Usage       `json:"usage,omitempty"`

	// Targets are the PIDs that the user asked for; Processes holds them and what they depend on (parents, workers, children, pipe peers).
	Targets   []int     `json:"targets,omitempty"`
	Processes []Process `json:"processes,omitempty"`
	// Seconds is what taking it cost.
	Seconds float64 `json:"seconds,omitempty"`
}

// Process returns the process with that PID, or nil.
func (s *Snapshot) Process(pid int) *Process {
	for i := range s.Processes {
		if s.Processes[i].PID == pid {
			return &s.Processes[i]
		}
	}
	return nil
}

// Host is the machine that the snapshot was taken on.
type Host struct {
	OS          string `json:"os"`
	Arch        string `json:"arch"`
	Kernel      string `json:"kernel,omitempty"`
	Cores       int    `json:"cores"`        // that this process may use (affinity and cgroup quota)
	MemoryBytes uint64 `json:"memory_bytes"` // the limit that applies: cgroup, else RAM
	MemoryFrom  string `json:"memory_from,omitempty"`
	Container   string `json:"container,omitempty"`
}

// An Interpreter is a Python interpreter and the packages of interest that it would import.
type Interpreter struct {
	Path         string           `json:"path"` // as run
	Version      string           `json:"version,omitempty"`
	Prefix       string           `json:"prefix,omitempty"`
	SitePackages []string         `json:"site_packages,omitempty"`
	TensorFlow   Fact[TFInstall]  `json:"tensorflow"`
	Keras        string           `json:"keras,omitempty"`
	Packages     []PackageVersion `json:"packages,omitempty"`
}

// TFInstall is an installed TensorFlow, found without importing it.
type TFInstall struct {
	Version string `json:"version"`
	Dir     string `json:"dir"`            // …/site-packages/tensorflow
	Dist    string `json:"dist,omitempty"` // the distribution's name: tensorflow, tensorflow-cpu, …
	BuildID string `json:"build_id,omitempty"`
}

// PackageVersion is one distribution found in site-packages.
type PackageVersion struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Limits are the thresholds in force. The defaults are the guide's: 50 threads, 80 % of memory, 5 min an epoch, 30 s a prediction, 3 failures in 1 h.
type Limits struct {
	Threads        int     `json:"threads"`
	MemoryFraction float64 `json:"memory_fraction"`
	EpochSeconds   float64 `json:"epoch_seconds"`
	PredictSeconds float64 `json:"predict_seconds"`
	FailuresPerH   int     `json:"failures_per_hour"`
}

// DefaultLimits are the guide's thresholds.
func DefaultLimits() Limits {
	return Limits{Threads: 50, MemoryFraction: 0.8, EpochSeconds: 300, PredictSeconds: 30, FailuresPerH: 3}
}

// Usage is what was measured against Limits, each with what it is made of.
type Usage struct {
	Threads        Fact[int]         `json:"threads"`
	ThreadPools    map[string]int    `json:"thread_pools,omitempty"` // pool name → threads
	MemoryBytes    Fact[uint64]      `json:"memory_bytes"`
	MemoryLimit    Fact[uint64]      `json:"memory_limit"`
	MemoryParts    map[string]uint64 `json:"memory_parts,omitempty"` // anonymous, file, shmem, …
	EpochSeconds   Fact[float64]     `json:"epoch_seconds"`
	PredictSeconds Fact[float64]     `json:"predict_seconds"`
	FailuresLastH  Fact[int]         `json:"failures_last_hour"`
}
