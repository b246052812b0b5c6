package guard

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sys/unix"

	"tfguard/guard/history"
	"tfguard/probe/environ"
)

// A supervisor is one `tfguard exec`.
type supervisor struct {
	*Config
	run      string // ID
	dir      string // private, for beats, sockets and faulthandler's output
	shim     string // folder for PYTHONPATH; "" when heartbeats are off
	shimWhy  string
	tty      bool // the command shares our process group, see keeper_linux.go
	signals  chan os.Signal
	canceled bool
	outcome  history.Outcome
	hangs    int // evidence folders written
}

// Run starts the command, and returns when nothing of it is left (or it ended well and left something behind on purpose).
// The error is tfguard's own failure, or why the command could not be started; Result.Code says which.
func Run(ctx context.Context, c Config) (Result, error) {
	// The keeper's parent-death signal comes when the thread that forks it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s := &supervisor{Config: &c, signals: make(chan os.Signal, 64)}
	now := time.Now()
	s.outcome = history.Outcome{Schema: history.OutcomeSchema, Job: c.Job, Command: maskArgs(c.Command), Started: now, Attempts: []history.Attempt{}}
	var id [8]byte
	_, _ = rand.Read(id[:])
	s.run = hex.EncodeToString(id[:])

	path, code, err := find(c.Command[0], c.Env)
	if err != nil {
		s.outcome.Reason, s.outcome.Error = history.Exited, err.Error()
		return s.finish(Result{Code: code}, now), err
	}

	start := &history.Record{Run: s.run, At: now, Job: c.Job, PID: os.Getpid(), Boot: bootID(), Command: s.outcome.Command}
	if st, ok := readStat(os.Getpid()); ok {
		start.StartTime = st.start
	}
	if c.Breaker != nil && c.Store != nil {
		st, err := c.Store.Admit(*c.Breaker, start, now)
		switch {
		case err != nil:
			s.say("history: %v; the breaker does not know of earlier failures", err)
		case st.State == history.Opened:
			s.outcome.Reason = history.CircuitOpen
			s.say("circuit open: %s failed %d times within %v; next try after %s", c.Job, st.Failures, c.Breaker.Window, st.Retry.Local().Format("15:04:05"))
			if c.Fallback == "" {
				return s.finish(Result{Code: CodeCircuitOpen}, now), nil
			}
		case st.State == history.HalfOpen:
			s.say("circuit half open: %s failed %d times within %v; this run is the trial", c.Job, st.Failures, c.Breaker.Window)
		}
	}

	if err := s.prepare(); err != nil {
		s.outcome.Reason, s.outcome.Error = history.Exited, err.Error()
		return s.finish(Result{Code: CodeFailed}, now), err
	}
	defer os.RemoveAll(s.dir)
	catch := append([]os.Signal{unix.SIGCONT}, forwarded...)
	if !s.tty {
		catch = append(catch, unix.SIGTSTP)
	}
	notify(s.signals, catch...)
	defer signal.Stop(s.signals)

	var result Result
	var runErr error
	if s.outcome.Reason != history.CircuitOpen {
		if c.Breaker == nil && c.Store != nil {
			go func() { _ = c.Store.Append(start, false) }() // for `tfguard history`; the command need not wait for it
		}
		result, runErr = s.attempts(ctx, path)
	}
	if c.Fallback != "" && !s.canceled && runErr == nil && (result.Code != 0 || s.outcome.Reason == history.CircuitOpen) {
		result, runErr = s.fallback(ctx, result)
	}
	if runErr != nil {
		s.outcome.Error = runErr.Error()
	}
	return s.finish(result, now), runErr
}

// prepare makes the run's folder and what lies in it.
func (s *supervisor) prepare() (err error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become a subreaper: %w", err)
	}
	base := os.Getenv("XDG_RUNTIME_DIR")
	if !filepath.IsAbs(base) || unix.Access(base, unix.W_OK) != nil {
		base = os.TempDir()
	}
	if s.dir, err = os.MkdirTemp(base, "tfguard-"); err != nil { // mode 0700
		return err
	}
	if s.Heartbeats {
		if s.shim, err = shimFolder(s.dir); err != nil {
			s.shimWhy = err.Error()
			s.debug("heartbeats: %v", err)
		}
	}
	if tty, err := os.OpenFile("/dev/tty", os.O_RDWR|unix.O_NOCTTY, 0); err == nil {
		s.tty = true
		tty.Close()
	}
	return nil
}

// attempts runs the command, and again after failures as often as asked for.
func (s *supervisor) attempts(ctx context.Context, path string) (Result, error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = time.Second, time.Minute
	best, idle := uint64(0), 0
	argv := s.Command
	for n := 1; ; n++ {
		a := &attempt{supervisor: s, n: n, path: path, argv: argv}
		result, err := a.run(ctx)
		s.outcome.Attempts = append(s.outcome.Attempts, a.record)
		s.outcome.Reason = a.record.Reason
		if err != nil || result.Code == 0 || s.canceled || n > s.Restarts || ctx.Err() != nil {
			return result, err
		}
		if a.ended && s.OnHang != OnHangRestart {
			return result, nil
		}
		// An attempt that comes further than any before it starts the count of vain ones anew. Where steps are not known,
		// every attempt counts as one.
		if a.record.Steps > best {
			best, idle = a.record.Steps, 0
			pause.Reset()
		} else if idle++; idle >= maxWithoutProgress && best > 0 {
			s.say("%d attempts in a row came no further than step %d: not restarting", idle, best)
			return result, nil
		}
		d := pause.NextBackOff()
		s.say("restart %d of %d in %s", n, s.Restarts, d.Round(100*time.Millisecond))
		if !s.sleep(ctx, d) {
			return result, nil
		}
		if n == 1 {
			argv = append(append([]string(nil), s.Command...), s.ResumeArgs...)
		}
	}
}

// maxWithoutProgress attempts in a row without a step more than the best one are not worth another.
const maxWithoutProgress = 3

// sleep waits between attempts; false when a signal or ctx asks to end.
func (s *supervisor) sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		case sig := <-s.signals:
			switch sig {
			case unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT:
				s.canceled = true
				return false
			}
		}
	}
}

// fallback runs the fallback command; its code is the run's.
func (s *supervisor) fallback(ctx context.Context, failed Result) (Result, error) {
	s.say("fallback: %s", s.Fallback)
	c := *s.Config
	c.Command = []string{"/bin/sh", "-c", s.Fallback}
	c.Env = append(append([]string(nil), s.Env...), "TFGUARD_REASON="+s.outcome.Reason, fmt.Sprintf("TFGUARD_CODE=%d", failed.Code))
	if n := len(s.outcome.Attempts); n > 0 {
		c.Env = append(c.Env, "TFGUARD_EVIDENCE="+s.outcome.Attempts[n-1].Evidence)
	}
	c.StartupTimeout, c.EpochTimeout, c.PredictTimeout, c.StepTimeout, c.IdleTimeout, c.Watchdog, c.Patrol, c.StepAuto = 0, 0, 0, 0, 0, 0, 0, false
	f := *s
	f.Config, f.shim = &c, ""
	a := &attempt{supervisor: &f, n: len(s.outcome.Attempts) + 1, path: "/bin/sh", argv: c.Command}
	result, err := a.run(ctx)
	a.record.Fallback = true
	s.canceled = f.canceled
	s.outcome.Attempts = append(s.outcome.Attempts, a.record)
	s.outcome.Fallback = true
	return result, err
}

// finish writes the outcome file and the history.
func (s *supervisor) finish(r Result, started time.Time) Result {
	s.outcome.Code = r.Code
	s.outcome.Seconds = time.Since(started).Seconds()
	s.outcome.Canceled = s.canceled
	if s.outcome.Reason == "" {
		s.outcome.Reason = history.Exited
	}
	r.Outcome = s.outcome
	if s.Outcome != "" {
		if err := writeOutcome(s.Outcome, &s.outcome); err != nil {
			s.say("--outcome: %v", err)
		}
	}
	if s.Store != nil {
		rec := &history.Record{Run: s.run, At: time.Now(), Job: s.Job, PID: os.Getpid(), Boot: bootID(), Command: s.outcome.Command, Outcome: &s.outcome}
		// A lost record of a good run harms nobody, so only failures wait for the disk.
		if err := s.Store.Append(rec, s.outcome.Failed()); err != nil {
			s.debug("history: %v", err)
		}
	}
	return r
}

// writeOutcome replaces path by rename, so that a reader sees all or nothing, and a planted symlink is not followed.
// What is no regular file (a pipe, /dev/stderr) is written to.
func writeOutcome(path string, o *history.Outcome) error {
	b, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if fi, err := os.Stat(path); err == nil && !fi.Mode().IsRegular() {
		return os.WriteFile(path, b, 0o600)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".outcome-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(b)
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

func (s *supervisor) say(format string, args ...any) {
	if !s.Quiet {
		fmt.Fprintf(s.Stderr, "tfguard: "+format+"\n", args...)
	}
}

func (s *supervisor) debug(format string, args ...any) {
	if s.Verbose > 0 {
		s.say(format, args...)
	}
}

func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
}

// maskArgs masks the values of arguments that look like NAME=secret or --name=secret.
func maskArgs(argv []string) []string {
	variable := func(option string) string { return strings.ReplaceAll(strings.TrimLeft(option, "-"), "-", "_") }
	out := make([]string, len(argv))
	for i, a := range argv {
		out[i] = a
		if name, value, ok := strings.Cut(a, "="); ok {
			out[i] = name + "=" + environ.Mask(variable(name), value)
		} else if i > 0 && strings.HasPrefix(argv[i-1], "--") && !strings.HasPrefix(a, "-") {
			out[i] = environ.Mask(variable(argv[i-1]), a)
		}
	}
	return out
}

// Die ends this process by the signal, without a core dump of its own, as its command died. It returns when the signal
// does not end this process (PID 1, or a signal that is ignored).
func Die(sig syscall.Signal) {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	// signal.Reset would put back the Go runtime's handler, which ignores some signals and prints stacks for others.
	var dfl [4]uint64 // struct sigaction of the kernel, all zero: SIG_DFL
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&dfl[0])), 0, 8, 0, 0)
	_ = unix.Kill(os.Getpid(), sig)
	time.Sleep(50 * time.Millisecond)
}
