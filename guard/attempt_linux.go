package guard

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"tfguard/guard/beats"
	"tfguard/guard/history"
	"tfguard/probe"
)

// tick is how often deadlines are looked at; each look costs a few µs.
const tick = 250 * time.Millisecond

// An attempt is one start of the command.
type attempt struct {
	*supervisor
	n      int
	path   string
	argv   []string
	record history.Attempt

	started instant
	socket  int // to the keeper
	keeper  int // PID
	pid     int // of the command; 0 before it runs
	beats   *beats.File
	notify  *notifySocket
	tree    *tree
	output  *tail
	env     []string

	ended   bool // by us
	ending  time.Time
	killed  bool
	looks   map[string]*look
	results chan lookResult
	pauses  []pause
	last    instant // of the last tick
	seen    uint64  // most steps seen
	hooks   map[string]bool
	slots   bool // any process claimed a slot
	warned  map[string]bool
	over    map[string]int // ticks in a row over a limit
}

// A look is what inspect said about one passed deadline.
type look struct {
	busy     bool
	next     time.Time
	every    time.Duration
	reported bool
}

type lookResult struct {
	key     string
	due     due
	verdict Verdict
}

// A pause is a time in which the command was stopped (Ctrl-Z, SIGSTOP): no deadline but --timeout counts it.
type pause struct {
	at  instant
	dur time.Duration
}

func now() instant { return instant(beats.Now()) }

// shift moves a moment later by the pauses since then.
func (a *attempt) shift(t instant) instant {
	if t == 0 {
		return 0
	}
	moved := t
	for _, p := range a.pauses {
		if p.at >= t {
			moved += instant(p.dur)
		}
	}
	return moved
}

func (a *attempt) run(ctx context.Context) (Result, error) {
	began := time.Now()
	a.record = history.Attempt{Started: began, Reason: history.Exited, Verdict: struct{}{}}
	a.looks, a.warned, a.over, a.hooks = map[string]*look{}, map[string]bool{}, map[string]int{}, map[string]bool{}
	a.results = make(chan lookResult, 8)
	result, err := a.supervise(ctx)
	a.record.Seconds = time.Since(began).Seconds()
	a.record.Code = result.Code
	a.record.Steps = a.seen
	return result, err
}

func (a *attempt) supervise(ctx context.Context) (Result, error) {
	if err := a.environment(); err != nil {
		return Result{Code: CodeFailed}, err
	}
	defer a.close()
	a.started = now()
	a.last = a.started
	if err := a.start(); err != nil {
		return Result{Code: CodeFailed}, err
	}
	messages := make(chan message, 8)
	go func() {
		for {
			m, ok := receive(a.socket)
			if !ok {
				close(messages)
				return
			}
			messages <- m
		}
	}()

	var kill <-chan time.Time
	timer := time.NewTimer(a.untilTick())
	defer timer.Stop()
	done := ctx.Done()
	for {
		select {
		case m, ok := <-messages:
			if !ok {
				return a.keeperDied()
			}
			switch m.op {
			case opStarted:
				a.pid = int(m.a)
				a.tree = newTree(a.pid)
			case opFailed:
				a.wait()
				errno := syscall.Errno(m.a)
				code := CodeNotExec
				if errno == syscall.ENOENT || errno == syscall.ENOTDIR {
					code = CodeNotFound
				}
				if errno == 0 {
					code = CodeFailed
				}
				return Result{Code: code}, &os.PathError{Op: "exec", Path: a.path, Err: errno}
			case opExited:
				a.look() // the last steps
				return a.exited(unix.WaitStatus(m.a), messages), nil
			}
		case sig := <-a.signals:
			if a.forward(sig.(syscall.Signal)) && a.KillAfterSignal {
				kill = time.After(a.KillAfter)
			}
		case r := <-a.results:
			a.decided(r)
			if a.ended && kill == nil {
				kill = time.After(a.KillAfter)
			}
		case <-timer.C:
			a.check()
			if a.ended && kill == nil {
				kill = time.After(a.KillAfter)
			}
			timer.Reset(a.untilTick())
		case <-kill:
			a.killed = true
			_ = send(a.socket, message{op: opKill})
		case <-done:
			done = nil
			a.canceled = true
			_ = send(a.socket, message{op: opSignalTree, a: int32(unix.SIGTERM)})
			kill = time.After(a.KillAfter)
		}
	}
}

// environment makes the beat file and the command's environment.
func (a *attempt) environment() (err error) {
	env := a.Env
	if a.shim != "" {
		path := filepath.Join(a.dir, fmt.Sprintf("beats-%d", a.n))
		if a.beats, err = beats.Create(path, a.Job, a.run_(), a.n, 256); err != nil {
			a.debug("heartbeats: %v", err)
		} else {
			env = setenv(env, beats.Variable, path)
			pythonPath := a.shim
			if old := getenv(env, "PYTHONPATH"); old != "" { // an empty element would mean the current folder
				pythonPath += string(os.PathListSeparator) + old
			}
			env = setenv(env, "PYTHONPATH", pythonPath)
		}
	}
	upstream := getenv(env, "NOTIFY_SOCKET")
	if a.Watchdog > 0 || upstream != "" {
		if a.notify, err = listenNotify(filepath.Join(a.dir), upstream); err != nil {
			a.debug("NOTIFY_SOCKET: %v", err)
		} else {
			env = setenv(env, "NOTIFY_SOCKET", a.notify.path)
			if a.Watchdog > 0 {
				env = setenv(env, "WATCHDOG_USEC", fmt.Sprint(a.Watchdog.Microseconds()))
				env = unsetenv(env, "WATCHDOG_PID") // it names the process that a service manager started: us
			}
		}
	}
	a.env = setenv(env, "TFGUARD_ATTEMPT", fmt.Sprint(a.n))
	return nil
}

func (a *attempt) run_() string { return a.supervisor.run }

// start forks the keeper, which starts the command.
func (a *attempt) start() error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socketpair: %w", err)
	}
	defer unix.Close(pair[1])
	files := []uintptr{0, 1, 2, uintptr(pair[1])}
	if a.Tee {
		if a.output, err = newTail(files, a.Stdout, a.Stderr); err != nil {
			a.debug("--tee: %v", err)
		}
	}
	grace := a.KillAfter
	argv := append([]string{keeperName, a.dir, grace.String(), a.path}, a.argv...)
	// A stopped keeper is woken by our death (SIGCONT), so that it can act on it.
	attr := &syscall.ProcAttr{Env: a.env, Files: files, Sys: &syscall.SysProcAttr{Pdeathsig: unix.SIGCONT, Setpgid: !a.tty}}
	a.keeper, err = syscall.ForkExec("/proc/self/exe", argv, attr)
	if a.output != nil {
		a.output.started()
	}
	if err != nil {
		unix.Close(pair[0])
		return fmt.Errorf("start the keeper (/proc/self/exe): %w", err)
	}
	a.socket = pair[0]
	return nil
}

func (a *attempt) close() {
	if a.socket > 0 {
		unix.Close(a.socket)
	}
	if a.beats != nil {
		a.beats.Close()
	}
	a.notify.close()
	a.tree.close()
}

// wait reaps the keeper.
func (a *attempt) wait() {
	for {
		_, err := unix.Wait4(a.keeper, nil, 0, nil)
		if err != unix.EINTR {
			return
		}
	}
}

// forward passes a signal on, and reports whether it asks the command to end.
func (a *attempt) forward(sig syscall.Signal) bool {
	switch sig {
	case unix.SIGCONT:
		if !a.tty {
			_ = send(a.socket, message{op: opSignalTree, a: int32(sig)})
		}
		return false
	case unix.SIGTSTP: // without a terminal: the command is not in our group, so it is stopped by us, and we stop too
		_ = send(a.socket, message{op: opSignalTree, a: int32(sig)})
		_ = unix.Kill(os.Getpid(), unix.SIGSTOP)
		return false
	case unix.SIGWINCH, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM:
		a.relay(sig)
		return false
	}
	a.canceled = true
	a.relay(sig)
	return true
}

// relay sends to the command alone. In a group that we share with it, the keeper finds out whether it has the signal already.
func (a *attempt) relay(sig syscall.Signal) {
	shared := int32(0)
	if a.tty {
		shared = 1
	}
	_ = send(a.socket, message{op: opSignal, a: int32(sig), b: shared})
}

// exited ends the attempt after the command has exited.
func (a *attempt) exited(ws unix.WaitStatus, messages <-chan message) Result {
	r := Result{Code: ws.ExitStatus()}
	if ws.Signaled() {
		r.Code, r.Signal = 128+int(ws.Signal()), ws.Signal()
		a.record.Signal = unix.SignalName(ws.Signal())
		if !a.ended {
			a.record.Reason = history.Signal
			if ws.CoreDump() {
				a.say("the command dumped core")
			}
		}
	}
	// What a command that ended well left running on purpose (a daemon) stays, as with timeout(1); what a failed one left
	// would hold ports, GPUs and locks.
	if a.ended || r.Code != 0 && !a.Leave {
		if !a.killed {
			_ = send(a.socket, message{op: opKill})
		}
		for m := range messages {
			if m.op == opGone {
				if m.a > 0 {
					a.say("%d processes do not die (in uninterruptible sleep): they are left", m.a)
				}
				break
			}
		}
	} else {
		_ = send(a.socket, message{op: opLeave})
	}
	a.wait()
	if a.output != nil {
		a.output.drain(time.Second)
	}
	if a.ended && !a.PreserveStatus {
		r.Code, r.Signal = CodeTimeout, 0
	}
	a.describeHooks()
	return r
}

// keeperDied ends the tree when the keeper is gone without a word: someone killed it.
func (a *attempt) keeperDied() (Result, error) {
	var status *unix.WaitStatus
	left := killTree(10*time.Second, 0, func(pid int, ws unix.WaitStatus) {
		if pid == a.pid && (ws.Exited() || ws.Signaled()) {
			status = &ws
		}
	})
	err := errors.New("tfguard's keeper process was killed; the command was ended with everything below it")
	if len(left) > 0 {
		err = fmt.Errorf("tfguard's keeper process was killed; still there: %v", left)
	}
	if status != nil && status.Signaled() {
		a.record.Signal = unix.SignalName(status.Signal())
	}
	if a.ended && !a.PreserveStatus {
		return Result{Code: CodeTimeout}, nil
	}
	return Result{Code: CodeFailed}, err
}

// untilTick is the time to the next look, sooner when --timeout falls before it.
func (a *attempt) untilTick() time.Duration {
	d := tick
	if a.Timeout > 0 && !a.ended {
		if left := a.Timeout - now().since(a.started); left < d {
			d = max(left, time.Millisecond)
		}
	}
	return d
}

// look takes one sample and reads the heartbeats.
func (a *attempt) look() *view {
	t := now()
	v := &view{now: t, started: a.started}
	if a.tree == nil {
		return v
	}
	a.tree.sample(t, a.window())
	if gap := t.since(a.last); gap > 10*tick+2*time.Second || a.tree.stopped() {
		a.pauses = append(a.pauses, pause{at: a.last, dur: gap})
		if len(a.pauses) > 4096 { // stopped for long: fold the oldest two
			a.pauses[1].dur += a.pauses[0].dur
			a.pauses = a.pauses[1:]
		}
	}
	a.last = t
	v.quietSince = a.tree.active
	steps := uint64(0)
	if a.beats != nil {
		slots, err := a.beats.Slots()
		if err != nil {
			a.once("beats", "heartbeats: %v", err)
		}
		for i := range slots {
			s := &slots[i]
			a.slots = true
			steps += s.Steps()
			for _, h := range s.Armed() {
				a.hooks[h] = true
			}
			v.quietSince = max(v.quietSince, min(instant(s.Last), t))
			if !s.Exiting && a.tree.alive(s.PID, s.StartTicks) {
				v.processes = append(v.processes, a.progress(s))
			}
		}
	}
	a.seen = max(a.seen, steps)
	v.ready = !a.slots && a.tree.wrote
	if a.notify != nil {
		w := instant(a.notify.watchdog.Load())
		v.watchdog, v.quietSince = a.shift(w), max(v.quietSince, w)
		v.ready = v.ready || w > 0 || a.notify.ready.Load()
	}
	v.quietSince = a.shift(v.quietSince)
	return v
}

func (a *attempt) progress(s *beats.Slot) progress {
	p := progress{pid: s.PID, last: a.shift(instant(s.Last)), steps: s.Steps(), timed: s.StepsTimed, epochStarted: a.shift(instant(s.EpochStarted))}
	for _, d := range s.Recent {
		p.slowest = max(p.slowest, d)
	}
	for _, c := range s.Calls {
		p.calls = append(p.calls, call{kind: c.Phase.String(), started: a.shift(instant(c.Started)), deadline: a.shift(instant(c.Deadline))})
	}
	return p
}

// window is over how long CPU use is judged: short deadlines need short ones.
func (a *attempt) window() time.Duration {
	w := 5 * time.Second
	for _, d := range []time.Duration{a.IdleTimeout, a.Patrol} {
		if d > 0 {
			w = min(w, max(d/4, tick))
		}
	}
	return w
}

// check looks for passed deadlines and limits.
func (a *attempt) check() {
	v := a.look()
	if a.ended || a.pid == 0 {
		return
	}
	a.limits()
	for _, d := range a.passed(v) {
		if d.reason == history.Timeout && d.limit == a.Timeout {
			// Real time, as in timeout(1), so pauses count. The look is for the report, and must not delay the end.
			a.actOn(d, a.inspect(300*time.Millisecond, a.target(d)))
			return
		}
		key := fmt.Sprint(d.reason, d.pid, d.since, d.patrol)
		l := a.looks[key]
		if l == nil {
			l = &look{every: time.Second}
			a.looks[key] = l
			if !d.patrol {
				a.say("%s: %s", d.reason, d)
			}
		}
		if l.busy || time.Now().Before(l.next) {
			continue
		}
		l.busy = true
		// Looks at one deadline become rarer: a healthy process must not pay for being slow.
		l.next, l.every = time.Now().Add(l.every), min(l.every*3/2, time.Minute)
		limit := 3 * time.Second
		if d.hard {
			limit = 400 * time.Millisecond
		}
		target := a.target(d)
		go func() { a.results <- lookResult{key, d, a.inspect(limit, target)} }()
	}
}

// decided acts on a verdict.
func (a *attempt) decided(r lookResult) {
	l := a.looks[r.key]
	l.busy = false
	if a.ended {
		return
	}
	v := a.look()
	// The deadline may have been met while inspect looked.
	still := false
	for _, d := range a.passed(v) {
		still = still || d.reason == r.due.reason && d.pid == r.due.pid && d.since == r.due.since && d.patrol == r.due.patrol
	}
	if !still {
		delete(a.looks, r.key)
		return
	}
	switch a.decide(r.due, r.verdict, v.now, v.now.since(v.quietSince) >= r.due.limit) {
	case act:
		a.actOn(r.due, r.verdict)
	case report:
		if !l.reported {
			l.reported = true
			a.say("%s: %s: %s; left alone", r.due.reason, r.due, describe(r.verdict))
		}
	case wait:
		if !l.reported && !r.due.patrol {
			l.reported = true
			a.say("%s: %s: %s; waiting", r.due.reason, r.due, describe(r.verdict))
		}
	}
}

// target is the process to inspect: the one that the deadline is about; else, when the command is only a wrapper, the
// process below it that beats.
func (a *attempt) target(d due) int {
	if d.pid != 0 {
		return d.pid
	}
	if a.beats != nil {
		slots, _ := a.beats.Slots()
		best := 0
		for i := range slots {
			if slots[i].PID == a.pid {
				return a.pid
			}
			if best == 0 && a.tree.alive(slots[i].PID, slots[i].StartTicks) {
				best = slots[i].PID
			}
		}
		if best != 0 {
			return best
		}
	}
	return a.pid
}

// inspect asks the inspector, within a limit of time, and falls back to what the kernel says.
func (a *attempt) inspect(limit time.Duration, pid int) Verdict {
	own := quickLook(pid)
	if a.Inspect == nil || own.State == stateExited || own.State == stateStopped {
		return own
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	out := make(chan Verdict, 1)
	go func() {
		v, err := a.Inspect(ctx, pid)
		if err != nil {
			v = own
			v.Summary += "; inspect: " + err.Error()
		}
		out <- v
	}()
	select {
	case v := <-out:
		if v.State == stateUnknown && own.State == stateBusy {
			v.State = stateBusy
		}
		return v
	case <-ctx.Done():
		return own
	}
}

// quickLook is the verdict without an inspector: state, and CPU use over a tenth of a second.
func quickLook(pid int) Verdict {
	v := Verdict{State: stateUnknown, Confidence: "unknown", Process: pid}
	first, ok := readStat(pid)
	if !ok || first.state == 'Z' || first.state == 'X' {
		v.State, v.Summary = stateExited, fmt.Sprintf("process %d has exited", pid)
		return v
	}
	time.Sleep(100 * time.Millisecond)
	second, _ := readStat(pid)
	switch {
	case second.state == 'T' || second.state == 't':
		v.State, v.Cause, v.ID, v.Summary = stateStopped, "stopped", "TFG426", fmt.Sprintf("process %d is stopped by a signal or a debugger", pid)
	case second.start == first.start && second.ticks >= first.ticks+2:
		v.State, v.Summary = stateBusy, fmt.Sprintf("process %d uses CPU", pid)
	case second.state == 'D':
		v.State, v.Summary = stateWaiting, fmt.Sprintf("process %d waits for a disk or a device (state D)", pid)
	default:
		v.Summary = fmt.Sprintf("process %d uses no CPU (state %c)", pid, second.state)
	}
	return v
}

func describe(v Verdict) string {
	s := v.State
	if v.Cause != "" {
		s += ", " + v.Cause
		if v.ID != "" {
			s += " (" + v.ID + ", " + v.Confidence + ")"
		}
	}
	if v.Summary != "" {
		s += ": " + v.Summary
	}
	return s
}

// actOn is the last stage of a deadline: capture, then end the command, or only report.
func (a *attempt) actOn(d due, v Verdict) {
	a.say("%s: %s: %s", d.reason, d, describe(v))
	for _, r := range v.Remedy {
		a.say("  %s", r)
	}
	a.record.Verdict = v
	a.capture(d, v)
	if a.OnHang == OnHangReport && d.reason != history.Timeout {
		key := fmt.Sprint(d.reason, d.pid, d.since, d.patrol)
		a.looks[key].next = time.Now().Add(24 * time.Hour) // said once for this deadline
		return
	}
	a.end(d.reason)
}

// end asks the tree to end; what is left after KillAfter is killed.
func (a *attempt) end(reason string) {
	a.ended, a.ending = true, time.Now()
	a.record.Reason = reason
	_ = send(a.socket, message{op: opSignalTree, a: int32(a.Signal)})
	_ = send(a.socket, message{op: opSignalTree, a: int32(unix.SIGCONT)})
}

// limits judges threads and memory: a warning at 80 %, and an end when three looks in a row are over.
func (a *attempt) limits() {
	for _, l := range []struct {
		name         string
		value, limit uint64
		text         string
	}{
		{history.Threads, uint64(a.tree.threads), uint64(a.MaxThreads), fmt.Sprintf("%d threads in one process", a.tree.threads)},
		{history.Memory, a.tree.rss, a.MaxMemory, fmt.Sprintf("%d MiB resident", a.tree.rss>>20)},
	} {
		switch {
		case l.limit == 0:
		case l.value > l.limit:
			if a.over[l.name]++; a.over[l.name] >= 3 && !a.ended {
				a.over[l.name] = 0
				limit := fmt.Sprint(l.limit)
				if l.name == history.Memory {
					limit = fmt.Sprintf("%d MiB", l.limit>>20)
				}
				d := due{reason: l.name, what: fmt.Sprintf("%s, limit %s", l.text, limit)}
				if a.OnHang == OnHangReport {
					a.once(l.name+" over", "%s: %s", l.name, d.what)
					continue
				}
				pid := a.tree.widest
				if l.name == history.Memory || pid == 0 {
					pid = a.pid
				}
				v := a.inspect(time.Second, pid)
				a.say("%s: %s; %s", l.name, d.what, describe(v))
				a.record.Verdict = v
				a.capture(d, v)
				a.end(l.name)
			}
		default:
			a.over[l.name] = 0
			if l.value*5 > l.limit*4 {
				a.once(l.name, "%s: %s, near the limit", l.name, l.text)
			}
		}
	}
}

func (a *attempt) once(key, format string, args ...any) {
	if !a.warned[key] {
		a.warned[key] = true
		a.say(format, args...)
	}
}

// describeHooks says which heartbeats there were, or why there were none.
func (a *attempt) describeHooks() {
	for _, h := range beats.HookNames {
		if a.hooks[h] {
			a.record.Hooks = append(a.record.Hooks, h)
		}
	}
	switch {
	case !a.Heartbeats:
		a.record.HooksMissing = "heartbeats are off"
	case a.beats == nil:
		a.record.HooksMissing = a.shimWhy
	case !a.slots:
		a.record.HooksMissing = "no Python process armed"
		if why := isolated(a.argv); why != "" {
			a.record.HooksMissing = why
		}
		if a.StepTimeout > 0 || a.EpochTimeout > 0 && !a.EpochAuto || a.PredictTimeout > 0 && !a.PredictAuto {
			a.say("heartbeats: %s; step, epoch and prediction deadlines had nothing to go by", a.record.HooksMissing)
		} else {
			a.debug("heartbeats: %s", a.record.HooksMissing)
		}
	case len(a.record.Hooks) == 0:
		a.record.HooksMissing = "neither Keras nor TensorFlow was imported"
	default:
		a.debug("heartbeats: %s; %d steps", strings.Join(a.record.Hooks, ", "), a.seen)
	}
}

// isolated says why a Python command line does not read PYTHONPATH, "" when it does.
func isolated(argv []string) string {
	for i, arg := range argv {
		if !strings.HasPrefix(filepath.Base(arg), "python") {
			continue
		}
		for _, opt := range argv[i+1:] {
			if !strings.HasPrefix(opt, "-") || opt == "-" || strings.HasPrefix(opt, "--") {
				break
			}
			for _, c := range opt[1:] {
				switch c {
				case 'I', 'E':
					return fmt.Sprintf("%s -%c ignores PYTHONPATH", filepath.Base(arg), c)
				case 'S':
					return fmt.Sprintf("%s -S does not import site, and so no sitecustomize", filepath.Base(arg))
				}
				if strings.ContainsRune("cmWX", c) { // takes an argument
					break
				}
			}
			if strings.ContainsAny(opt, "cm") {
				break
			}
		}
		return ""
	}
	return ""
}

func getenv(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(env[i], name+"="); ok {
			return v
		}
	}
	return ""
}

func unsetenv(env []string, name string) []string {
	out := make([]string, 0, len(env)+1)
	for _, v := range env {
		if !strings.HasPrefix(v, name+"=") {
			out = append(out, v)
		}
	}
	return out
}

func setenv(env []string, name, value string) []string {
	return append(unsetenv(env, name), name+"="+value)
}

// samples are the last ones, for the evidence.
func (a *attempt) samples() []probe.Sample { return a.tree.history() }
