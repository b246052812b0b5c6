//go:build !linux

package guard

import (
	"context"
	"errors"
	"syscall"
)

// Run needs Linux: parent-death signals, subreapers and /proc.
func Run(context.Context, Config) (Result, error) {
	return Result{Code: CodeFailed}, errors.New("exec supervises on Linux only; here run the command under `tfguard env`'s variables")
}

// Die does nothing here.
func Die(syscall.Signal) {}

// MemoryLimit is not known here.
func MemoryLimit() uint64 { return 0 }

// Running is not known here.
func Running(int, uint64, string) bool { return false }
