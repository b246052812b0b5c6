package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"tfguard/guard"
	"tfguard/guard/fixes"
	"tfguard/guard/history"
	"tfguard/probe/environ"
)

func init() { register(newExec) }

// inspector is what exec asks why a process does not go on; nil: state, CPU and heartbeats are all the evidence.
var inspector guard.Inspector

type execOptions struct {
	config                  guard.Config
	profile                 string
	set, drop               []string
	override                bool
	step, memory, breaker   string
	threads                 int
	signal                  string
	noHeartbeats, noHistory bool
}

func newExec(a *app) *cobra.Command {
	o := &execOptions{}
	g := &o.config
	c := &cobra.Command{
		Use:   "exec [flags] -- COMMAND [ARG...]",
		Short: "Launch a command with the fixes, supervise it, prove why it hung, restart or fall back",
		Long: `Runs COMMAND with the fixes for its TensorFlow, and watches it from outside. Its input, output, terminal and signals are its own.

A deadline that passes does not end the command by itself: tfguard first looks why it does not go on. A proven hang is ended at
once, with the evidence kept; a process that works or waits gets the rest of its grace; one that compiles is left alone. Only
--timeout, --predict-timeout and a deadline that the program declared itself end it without regard to that.

Exit codes: the command's own; 124 timed out, hung or over a limit; 125 tfguard failed; 126 not executable; 127 not found;
75 the circuit is open and nothing was started. A command that dies of a signal takes tfguard with it (128+N in a shell).

Durations are Go's (1h30m) or timeout(1)'s (90, 1.5m, 2d); 0 turns a deadline off.`,
		Example: "  tfguard exec -- python train.py\n  tfguard exec --on-hang restart --restarts 3 --resume-arg=--resume --name nightly -- python train.py\n  tfguard exec --predict-timeout 30s --fallback 'python rules.py' -- python serve.py",
		Args:    cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.checkFlags(); err != nil {
				return err
			}
			if len(args) == 0 {
				return usageError("exec needs a command: tfguard exec -- COMMAND")
			}
			if err := o.parse(c, args); err != nil {
				return err
			}
			return a.exec(c.Context(), o, args)
		},
	}
	f := c.Flags()
	f.SetInterspersed(false)
	for _, d := range []struct {
		to   *time.Duration
		name string
		def  time.Duration
		doc  string
	}{
		{&g.Timeout, "timeout", 0, "end each attempt after `DUR`"},
		{&g.StartupTimeout, "startup-timeout", 0, "`DUR` until the first step (or READY=1; without heartbeats, the first output)"},
		{&g.EpochTimeout, "epoch-timeout", 5 * time.Minute, "`DUR` of one epoch; as long as it is the default, a working epoch is only reported"},
		{&g.PredictTimeout, "predict-timeout", 30 * time.Second, "`DUR` of one predict call; as long as it is the default, a working one is only reported"},
		{&g.IdleTimeout, "idle-timeout", 0, "`DUR` without CPU, output or heartbeat"},
		{&g.Watchdog, "watchdog", 0, "`DUR` without WATCHDOG=1 on NOTIFY_SOCKET, for programs that are not Python"},
		{&g.Patrol, "patrol", 30 * time.Second, "look at a process that is quiet for `DUR`; only a proven hang is ended"},
		{&g.StepFloor, "step-floor", time.Minute, "least `DUR` that --step-timeout auto learns"},
		{&g.Grace, "grace", 30 * time.Second, "`DUR` that a busy or waiting process gets after its deadline"},
	} {
		f.Var(&durationFlag{d.to, d.def}, d.name, d.doc)
		*d.to = d.def
	}
	g.KillAfter = 5 * time.Second
	f.VarP(&durationFlag{&g.KillAfter, g.KillAfter}, "kill-after", "k", "SIGKILL `DUR` after the first signal")
	f.StringVar(&o.step, "step-timeout", "auto", "`auto|DUR` without a step; auto learns from the slowest recent step")
	f.StringVarP(&o.signal, "signal", "s", "TERM", "first `SIGNAL` to end the command with")
	f.BoolVar(&g.PreserveStatus, "preserve-status", false, "exit with the command's status even when tfguard ended it")
	f.IntVar(&g.MaxThreads, "max-threads", 0, "end the command when one of its processes has more than `N` threads")
	f.StringVar(&o.memory, "max-memory", "", "end the command above `SIZE` of resident memory: 2G, 512M, or 80% of the limit that applies")
	f.StringVar(&g.OnHang, "on-hang", guard.OnHangKill, "`report|kill|restart`")
	f.IntVar(&g.Restarts, "restarts", 0, "start the command again up to `N` times after a failure (3 with --on-hang restart)")
	f.StringArrayVar(&g.ResumeArgs, "resume-arg", nil, "add `ARG` to the command when it is restarted; repeatable")
	f.StringVar(&g.Fallback, "fallback", "", "shell `COMMAND` to run when the last attempt failed; its code is the result")
	f.StringVar(&o.breaker, "breaker", "", "`N/DUR`: do not start the job after more than N failures within DUR (default 3/1h when --name is given, else off)")
	f.StringVar(&g.Job, "name", "", "`JOB` name in the history, and of the circuit breaker (default: from the command)")
	f.StringVar(&g.Outcome, "outcome", "", "write how it ended to `FILE` (JSON)")
	f.StringVar(&g.Evidence, "evidence", "", "folder for the evidence of each hang (default: beside the history)")
	f.BoolVar(&g.Tee, "tee", false, "copy output that is not a terminal through tfguard, to keep its last lines as evidence")
	f.BoolVar(&g.Leave, "leave", false, "do not end what the command leaves running when it fails by itself")
	f.BoolVar(&o.noHeartbeats, "no-heartbeats", false, "do not put the heartbeat shim on PYTHONPATH")
	f.BoolVar(&o.noHistory, "no-history", false, "keep no record of this run")
	f.StringVar(&o.profile, "profile", "safe", "fixes: safe, guide or none")
	f.StringArrayVar(&o.set, "set", nil, "add or replace a fix `NAME=value`; repeatable")
	f.StringArrayVar(&o.drop, "no-fix", nil, "leave the fix `NAME` out; repeatable")
	f.BoolVar(&o.override, "override", false, "let fixes replace variables that are set already")
	return c
}

// parse turns flags into the supervisor's configuration.
func (o *execOptions) parse(c *cobra.Command, args []string) (err error) {
	g, f := &o.config, c.Flags()
	g.Command = args
	g.EpochAuto, g.PredictAuto = !f.Changed("epoch-timeout"), !f.Changed("predict-timeout")
	g.KillAfterSignal = f.Changed("kill-after")
	g.Heartbeats = !o.noHeartbeats
	if err := oneOf("--on-hang", g.OnHang, guard.OnHangReport, guard.OnHangKill, guard.OnHangRestart); err != nil {
		return err
	}
	if err := oneOf("--profile", o.profile, "safe", "guide", "none"); err != nil {
		return err
	}
	switch {
	case g.Restarts < 0:
		return usageError("--restarts %d: want 0 or more", g.Restarts)
	case g.OnHang == guard.OnHangRestart && !f.Changed("restarts"):
		g.Restarts = 3
	case g.MaxThreads < 0:
		return usageError("--max-threads %d: want 1 or more", g.MaxThreads)
	}
	if o.step == "auto" {
		g.StepAuto = true
	} else if g.StepTimeout, err = parseDuration(o.step); err != nil {
		return usageError("--step-timeout: %w", err)
	}
	if g.Signal, err = parseSignal(o.signal); err != nil {
		return usageError("--signal: %w", err)
	}
	if g.MaxMemory, err = parseMemory(o.memory); err != nil {
		return usageError("--max-memory: %w", err)
	}
	if o.breaker == "" && f.Changed("name") {
		b := history.DefaultBreaker
		g.Breaker = &b
	} else if o.breaker != "" {
		b, err := history.ParseBreaker(o.breaker)
		if err != nil {
			return usageError("--%w", err)
		}
		g.Breaker = &b
	}
	if g.Breaker != nil && o.noHistory {
		return usageError("--no-history leaves the breaker nothing to go by: leave one of them out")
	}
	if g.Job == "" {
		g.Job = jobName(args)
	}
	return nil
}

// exec runs the command; it returns only when the command did not die of a signal that ends tfguard too.
func (a *app) exec(ctx context.Context, o *execOptions, args []string) error {
	if ctx == nil {
		ctx = context.Background()
	}
	g := o.config
	g.Stdout, g.Stderr, g.Quiet, g.Verbose = a.stdout, a.stderr, a.quiet, a.verbose
	g.Inspect = inspector
	if !o.noHistory {
		g.Store = history.Open("")
	}
	env, err := a.launchEnvironment(ctx, o, args)
	if err != nil {
		return err
	}
	g.Env = env
	r, err := guard.Run(ctx, g)
	if err != nil {
		return &exitError{code: r.Code, err: fmt.Errorf("exec: %w", err)}
	}
	if r.Signal != 0 {
		guard.Die(r.Signal)
	}
	if r.Code != 0 {
		return &exitError{code: r.Code}
	}
	return nil
}

// launchEnvironment is this environment with the fixes. They depend on the TensorFlow that the command would import, so
// they need to know its interpreter: the command itself, its "#!" line, or --python.
func (a *app) launchEnvironment(ctx context.Context, o *execOptions, args []string) ([]string, error) {
	env := os.Environ()
	var list []fixes.Fix
	var readers fixes.Index
	python := a.python
	if python == "" {
		python = commandInterpreter(args[0])
	}
	switch {
	case o.profile == "none":
	case python == "" && o.profile == "safe":
		a.debug("fixes: none: %s is not Python; name its interpreter with --python", args[0])
	default:
		in, err := environ.FindInterpreter(ctx, python)
		var r *environ.Readers
		if err == nil && !in.TensorFlow.Known() {
			err = fmt.Errorf("%s has no TensorFlow: %s", in.Path, in.TensorFlow.Missing)
		}
		if err == nil {
			r, err = environ.FindReaders(ctx, in)
		}
		if err != nil {
			a.debug("fixes: none: %v", err)
			break
		}
		readers = r
		if list, err = fixes.Profile(o.profile, in, r, runtime.GOMAXPROCS(0)); err != nil {
			return nil, usageError("--profile: %w", err)
		}
	}
	// What the user sets or leaves out is a usage error only when the fixes are known.
	drop := o.drop
	if list == nil {
		drop = nil
	}
	list, err := fixes.Apply(list, o.set, drop, readers)
	if err != nil {
		return nil, usageError("%w", err)
	}
	explicit := map[string]bool{}
	for _, s := range o.set {
		name, _, _ := strings.Cut(s, "=")
		explicit[name] = true
	}
	for _, f := range list {
		old, set := os.LookupEnv(f.Name)
		if set && !o.override && !explicit[f.Name] {
			a.debug("fixes: %s=%s stays as it is set (--override gives %s)", f.Name, environ.Mask(f.Name, old), f.Value)
			continue
		}
		env = append(env, f.Name+"="+f.Value)
		a.debug("fixes: %s=%s: %s", f.Name, environ.Mask(f.Name, f.Value), f.Why)
		if f.Warning != "" {
			a.debug("fixes: %s: warning: %s", f.Name, f.Warning)
		}
	}
	return dedupe(env), nil
}

func (a *app) debug(format string, args ...any) {
	if a.verbose > 0 {
		fmt.Fprintf(a.stderr, "tfguard: "+format+"\n", args...)
	}
}

// dedupe keeps the last value of each name, in the place of the first.
func dedupe(env []string) []string {
	at := map[string]int{}
	var out []string
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		if i, ok := at[name]; ok {
			out[i] = v
			continue
		}
		at[name] = len(out)
		out = append(out, v)
	}
	return out
}

// commandInterpreter is the Python that a command runs: itself, or the one that its first line names; "" when it is none.
func commandInterpreter(command string) string {
	path, err := exec.LookPath(command)
	if err != nil {
		return ""
	}
	if strings.HasPrefix(filepath.Base(path), "python") {
		return path
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	line, _ := bufio.NewReaderSize(f, 512).ReadSlice('\n')
	words := strings.Fields(strings.TrimPrefix(string(line), "#!"))
	if !strings.HasPrefix(string(line), "#!") || len(words) == 0 {
		return ""
	}
	if filepath.Base(words[0]) == "env" && len(words) > 1 {
		words = words[1:]
	}
	if strings.HasPrefix(filepath.Base(words[0]), "python") {
		return words[0]
	}
	return ""
}

// jobName names a command in the history: the script or module of a Python command, else the command.
func jobName(args []string) string {
	name := filepath.Base(args[0])
	if !strings.HasPrefix(name, "python") {
		return name
	}
	for i := 1; i < len(args); i++ {
		switch {
		case args[i] == "-m" && i+1 < len(args):
			return args[i+1]
		case args[i] == "-c":
			return name + " -c"
		case args[i] == "-W" || args[i] == "-X":
			i++
		case !strings.HasPrefix(args[i], "-"):
			return filepath.Base(args[i])
		}
	}
	return name
}

// durationFlag takes Go's durations and those of timeout(1).
type durationFlag struct {
	to  *time.Duration
	def time.Duration
}

func (d *durationFlag) String() string {
	if d.def == 0 {
		return "off"
	}
	return d.def.String()
}
func (d *durationFlag) Type() string { return "duration" }
func (d *durationFlag) Set(s string) (err error) {
	*d.to, err = parseDuration(s)
	return err
}

// parseDuration reads 1h30m, or a number with an optional s, m, h or d, as timeout(1) does. Durations too long to hold
// count as no limit, 0, as they would never pass.
func parseDuration(s string) (time.Duration, error) {
	if s == "off" {
		return 0, nil
	}
	unit := time.Second
	number := s
	if n := len(s); n > 0 {
		switch s[n-1] {
		case 's':
			number = s[:n-1]
		case 'm':
			unit, number = time.Minute, s[:n-1]
		case 'h':
			unit, number = time.Hour, s[:n-1]
		case 'd':
			unit, number = 24*time.Hour, s[:n-1]
		}
	}
	if v, err := strconv.ParseFloat(number, 64); err == nil && v >= 0 {
		d := v * float64(unit)
		if d >= 1<<62 {
			return 0, nil
		}
		if d > 0 && d < 1 {
			d = 1
		}
		return time.Duration(d), nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no duration: want 90, 1.5m, 1h30m", s)
	}
	return d, nil
}

// parseSignal reads TERM, SIGTERM or 15.
func parseSignal(s string) (syscall.Signal, error) {
	if n, err := strconv.Atoi(s); err == nil && n > 0 && n < 65 {
		return syscall.Signal(n), nil
	}
	name := strings.ToUpper(s)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if sig := unix.SignalNum(name); sig != 0 {
		return sig, nil
	}
	return 0, fmt.Errorf("%q is no signal", s)
}

// parseMemory reads 2G, 512MiB, 1048576 or 80%; a percentage is of the limit that applies: the cgroup's, else all memory.
func parseMemory(s string) (uint64, error) {
	if s == "" {
		return 0, nil
	}
	if p, ok := strings.CutSuffix(s, "%"); ok {
		v, err := strconv.ParseFloat(p, 64)
		if err != nil || v <= 0 || v > 100 {
			return 0, fmt.Errorf("%q is no percentage", s)
		}
		limit := guard.MemoryLimit()
		if limit == 0 {
			return 0, fmt.Errorf("%q: this system does not say how much memory it has", s)
		}
		return uint64(v / 100 * float64(limit)), nil
	}
	t := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(s), "B"), "I")
	shift := 0
	if t != "" {
		if i := strings.IndexByte("KMGT", t[len(t)-1]); i >= 0 {
			shift, t = 10*(i+1), t[:len(t)-1]
		}
	}
	v, err := strconv.ParseFloat(t, 64)
	if err != nil || v <= 0 || v*float64(uint64(1)<<shift) >= 1<<62 {
		return 0, fmt.Errorf("%q is no size: want 2G, 512M or 80%%", s)
	}
	return uint64(v * float64(uint64(1)<<shift)), nil
}
