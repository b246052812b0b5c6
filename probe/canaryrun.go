package probe

// A CanaryRun is one run of a canary child under a timeout, with what was sampled while it ran.
type CanaryRun struct {
	Layer       string         `json:"layer"`           // native, python
	Label       string         `json:"label,omitempty"` // with --compare: which fix is on
	Env         []string       `json:"env,omitempty"`   // variables set for this run alone
	Command     []string       `json:"command,omitempty"`
	Skipped     string         `json:"skipped,omitempty"` // why it did not run
	Stages      []CanaryStage  `json:"stages,omitempty"`
	Seconds     float64        `json:"seconds"`
	Code        int            `json:"code"`
	Signal      string         `json:"signal,omitempty"`
	TimedOut    string         `json:"timed_out,omitempty"` // the stage whose deadline passed
	Samples     []Sample       `json:"samples,omitempty"`
	Peak        Sample         `json:"peak"`
	ThreadPools map[string]int `json:"thread_pools,omitempty"` // at the peak
	Output      []string       `json:"output,omitempty"`       // last lines of stdout and stderr
	Stacks      []string       `json:"stacks,omitempty"`       // taken when a stage's deadline passed
	Version     string         `json:"tensorflow,omitempty"`
	Leftover    []int          `json:"leftover,omitempty"` // processes that survived the kill (must be empty)
}

// A CanaryStage is one step of a canary, with its own deadline.
type CanaryStage struct {
	Name     string  `json:"name"` // import, eager, function, fit, predict, load-10-threads, timeout, …
	Seconds  float64 `json:"seconds"`
	Deadline float64 `json:"deadline_seconds"`
	Status   string  `json:"status"` // ok, failed, timeout, not-reached, skipped
	Detail   string  `json:"detail,omitempty"`
}

// A Sample is what a process cost at one moment.
type Sample struct {
	Seconds float64 `json:"t"` // since the start
	Threads int     `json:"threads"`
	RSS     uint64  `json:"rss_bytes"`
	CPU     float64 `json:"cpu_seconds"`
	State   string  `json:"state,omitempty"`
}
