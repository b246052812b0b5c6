// Package history keeps what became of past runs, across reboots and beside concurrent runs, and the circuit breaker's state.
package history

import (
	"encoding/json"
	"time"
)

// OutcomeSchema names the JSON form of an Outcome.
const OutcomeSchema = "tfguard/outcome/v1"

// Reasons that a run ended for. They are part of the outcome's JSON.
const (
	Exited         = "exited"
	Signal         = "signal"
	Timeout        = "timeout"
	StartupTimeout = "startup-timeout"
	StepTimeout    = "step-timeout"
	EpochTimeout   = "epoch-timeout"
	PredictTimeout = "predict-timeout"
	Hung           = "hung"
	Threads        = "threads"
	Memory         = "memory"
	CircuitOpen    = "circuit-open"
)

// An Outcome says how one `tfguard exec` ended; --outcome writes it, and the history keeps it.
type Outcome struct {
	Schema   string    `json:"schema"`
	Reason   string    `json:"reason"`
	Code     int       `json:"code"` // what tfguard exited with
	Attempts []Attempt `json:"attempts"`
	Fallback bool      `json:"fallback"` // the fallback command ran, and Code is its code

	Job     string    `json:"job,omitempty"`
	Command []string  `json:"command,omitempty"` // secrets masked
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	// Canceled: the run ended because someone asked for it (a forwarded SIGINT, SIGTERM, SIGHUP or SIGQUIT): not a failure.
	Canceled bool `json:"canceled,omitempty"`
	// Error is why tfguard itself failed, or why the command could not be started (codes 125, 126, 127).
	Error string `json:"error,omitempty"`
}

// An Attempt is one start of the command (or of the fallback).
type Attempt struct {
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"seconds"`
	Code     int       `json:"code"`
	Reason   string    `json:"reason"`
	Signal   string    `json:"signal,omitempty"` // SIGKILL, …
	Steps    uint64    `json:"steps"`            // training, evaluation and prediction steps seen
	Verdict  any       `json:"verdict"`          // what inspect said when it was ended, else {}
	Evidence string    `json:"evidence,omitempty"`
	Fallback bool      `json:"fallback,omitempty"`
	// Hooks names the heartbeat hooks that armed; HooksMissing says why there were none.
	Hooks        []string `json:"hooks,omitempty"`
	HooksMissing string   `json:"hooks_missing,omitempty"`
}

// Failed reports whether the run counts as a failure for thresholds and the breaker: it ended other than with code 0,
// or its command failed and the fallback stood in. A canceled run and a refused one (circuit open) are no failures.
func (o *Outcome) Failed() bool {
	if o.Canceled || o.Reason == CircuitOpen {
		return false
	}
	return o.Code != 0 || o.Fallback
}

// A Record is one line of the store: a run that started (Outcome nil) or ended.
type Record struct {
	Run  string    `json:"run"` // random, the same in both of a run's records
	At   time.Time `json:"at"`
	Job  string    `json:"job"`
	PID  int       `json:"pid"`
	Boot string    `json:"boot,omitempty"` // boot ID: with PID and StartTime, the identity of the supervisor
	// StartTime is the supervisor's start in clock ticks since boot.
	StartTime uint64   `json:"start_time,omitempty"`
	Command   []string `json:"command,omitempty"`
	// Trial: the one run that a half-open breaker lets through.
	Trial   bool     `json:"trial,omitempty"`
	Outcome *Outcome `json:"outcome,omitempty"`
}

// line is how a record lies in the file: the checksum is over the record's bytes as they stand.
type line struct {
	CRC    string          `json:"crc32c"`
	Record json.RawMessage `json:"record"`
}
