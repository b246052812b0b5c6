//go:build !linux

package environ

import (
	"errors"
	"fmt"
	"runtime"

	"tfguard/probe"
)

// ErrNoProcess is returned for a PID that no process has.
var ErrNoProcess = errors.New("no such process")

// A Process is the environment of a live process.
type Process struct {
	PID       int
	Variables []probe.Variable
	Package   string
	Missing   string
}

// FromProcess needs /proc.
func FromProcess(pid int) (*Process, error) {
	return nil, fmt.Errorf("process %d: the environment of another process is read on Linux alone, not on %s", pid, runtime.GOOS)
}

// InterpreterOf needs a Process.
func InterpreterOf(string) probe.Interpreter { return probe.Interpreter{} }
