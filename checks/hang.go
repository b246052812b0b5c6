package checks

import "tfguard/probe"

// State is what a process is doing, from outside.
type State string

const (
	Hung         State = "hung"    // can't go on by itself
	Waiting      State = "waiting" // on something outside
	Busy         State = "busy"    // uses CPU or advances
	Idle         State = "idle"    // waits for work, as it should
	Stopped      State = "stopped" // by a signal
	Exited       State = "exited"
	UnknownState State = "unknown"
)

// A Scene is one process of a snapshot with its wait graph: what a Hang check looks at.
type Scene struct {
	Snapshot *probe.Snapshot
	Process  *probe.Process
	Graph    *Graph
}

// A Hang is what a Hang check adds to a Finding.
type Hang struct {
	State       State
	PID         int // the process at fault
	BlockedSecs float64
	Cycle       []Link
	// Rank orders causes when several fit: higher explains the others (a lock cycle explains the join that waits for it).
	Rank int
}

// A Link is one step of a cycle, or of a chain of waits.
type Link struct {
	PID    int    `json:"pid,omitempty"`
	TID    int    `json:"tid"`
	Name   string `json:"name"`
	Wants  string `json:"wants"`
	HeldBy int    `json:"held_by,omitempty"`
}

// A Graph holds who waits for whom in one snapshot.
type Graph struct{}
