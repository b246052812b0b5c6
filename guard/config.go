// Package guard starts a command, watches it from outside, and ends it when it hangs. It is the only package that starts
// or signals anything.
package guard

import (
	"context"
	"io"
	"syscall"
	"time"

	"tfguard/guard/history"
)

// A Config says what to run and how to look after it. The zero value of a duration or limit means: none.
type Config struct {
	Job     string   // name in the history, and of the breaker
	Command []string // at least the program
	Env     []string // of the command, with the fixes; tfguard adds TFGUARD_* and its folder on PYTHONPATH

	Timeout        time.Duration // of each attempt; acts at once
	StartupTimeout time.Duration // until the first step, READY=1, or (without heartbeats) the first output
	EpochTimeout   time.Duration
	PredictTimeout time.Duration // of one predict call
	// EpochAuto, PredictAuto: the limit is the default, so a process that works is reported, and never ended for it.
	EpochAuto, PredictAuto bool
	StepTimeout            time.Duration // without any step
	StepAuto               bool          // learn StepTimeout: StepFactor × the slowest recent step, at least StepFloor
	StepFloor              time.Duration
	IdleTimeout            time.Duration // without CPU, output or heartbeat
	Watchdog               time.Duration // without WATCHDOG=1 on NOTIFY_SOCKET, once the first has come
	Patrol                 time.Duration // quiet for so long: inspect, and act only on a proven hang
	Grace                  time.Duration // what a busy or waiting process gets after a deadline
	KillAfter              time.Duration // between SIGTERM and SIGKILL
	Signal                 syscall.Signal
	// KillAfterSignal: a forwarded SIGTERM, SIGINT, SIGHUP or SIGQUIT starts KillAfter too, as in timeout -k.
	KillAfterSignal bool
	PreserveStatus  bool

	MaxThreads int    // of one process
	MaxMemory  uint64 // bytes, resident, of the whole tree

	OnHang     string // report, kill, restart
	Restarts   int
	ResumeArgs []string // added to the command on a restart
	Fallback   string   // a shell command
	Breaker    *history.Breaker

	Heartbeats bool // arm Python programs
	Leave      bool // never kill what the command leaves behind when it ends by itself
	Tee        bool // keep the last lines of output that is not a terminal
	Outcome    string
	Evidence   string // folder; "" is one below the history's

	Stdout, Stderr io.Writer // of tfguard's own messages: Stderr; Stdout only serves Tee
	Quiet          bool
	Verbose        int
	Inspect        Inspector // nil: state, CPU and heartbeats are all the evidence
	Store          *history.Store
}

// A Verdict is what inspect says about a process, as in tfguard/inspect/v1.
type Verdict struct {
	State          string   `json:"state"`
	Cause          string   `json:"cause"`
	ID             string   `json:"id,omitempty"`
	Confidence     string   `json:"confidence"`
	Summary        string   `json:"summary"`
	BlockedSeconds float64  `json:"blocked_seconds,omitempty"`
	Cycle          any      `json:"cycle,omitempty"`
	Evidence       []string `json:"evidence,omitempty"`
	Remedy         []string `json:"remedy,omitempty"`
	Process        int      `json:"process,omitempty"`

	// JSON and Text are the whole of what inspect prints, for the evidence folder.
	JSON []byte `json:"-"`
	Text string `json:"-"`
}

// An Inspector says why a process does not go on. It must return soon after ctx ends.
type Inspector func(ctx context.Context, pid int) (Verdict, error)

// States and causes of a Verdict that the supervisor decides by.
const (
	stateHung      = "hung"
	stateWaiting   = "waiting"
	stateBusy      = "busy"
	stateIdle      = "idle"
	stateStopped   = "stopped"
	stateExited    = "exited"
	stateUnknown   = "unknown"
	causeCompiling = "compiling"
	proven         = "proven"
)

// What Config.OnHang takes.
const (
	OnHangReport  = "report"
	OnHangKill    = "kill"
	OnHangRestart = "restart"
)

// Exit codes of exec.
const (
	CodeTimeout     = 124
	CodeFailed      = 125
	CodeNotExec     = 126
	CodeNotFound    = 127
	CodeCircuitOpen = 75
)

// A Result is how exec must end.
type Result struct {
	Code int
	// Signal, when not 0, killed the command; tfguard dies of it too, so that its parent sees what it would have seen.
	Signal  syscall.Signal
	Outcome history.Outcome
}
