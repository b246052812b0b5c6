package guard

import (
	"fmt"
	"slices"
	"time"

	"tfguard/guard/history"
)

// Monotonic times in nanoseconds, as beats.Time, so that this file needs no Linux.
type instant uint64

func (t instant) since(u instant) time.Duration {
	if t <= u {
		return 0
	}
	return time.Duration(t - u)
}

// Progress is what one process's slot says, reduced to what deadlines need.
type progress struct {
	pid          int
	last         instant // last sign of life
	steps        uint64
	timed        uint64
	slowest      time.Duration // of the recent timed steps
	epochStarted instant
	// Calls in flight, oldest first.
	calls []call
}

type call struct {
	kind              string // train, eval, predict, checkpoint, data, session, user
	started, deadline instant
}

func (p *progress) in(kinds ...string) *call {
	for i := range p.calls {
		if slices.Contains(kinds, p.calls[i].kind) {
			return &p.calls[i]
		}
	}
	return nil
}

// A view is one look at the command's tree.
type view struct {
	now, started instant
	processes    []progress
	quietSince   instant // last CPU use, output or heartbeat of the tree
	ready        bool    // READY=1 or WATCHDOG=1 came, or a program without heartbeats wrote something
	watchdog     instant // last WATCHDOG=1; 0: never
}

// A due is a deadline that has passed.
type due struct {
	reason string // of history
	pid    int    // the process it is about; 0: the command
	limit  time.Duration
	since  instant
	hard   bool // acts unless the process compiles, is stopped, or is gone
	auto   bool // learned or the default, not asked for
	patrol bool // not a deadline: a look because all is quiet
	what   string
}

// StepFactor times the slowest recent step is the learned step budget; warmUp steps (tracing, compiling) teach nothing.
const (
	StepFactor = 5
	warmUp     = 3
)

// warmUpBudget is the learned budget of the first steps, and checkpointBudget of a checkpoint, when no other is given.
const (
	warmUpBudget     = 10 * time.Minute
	checkpointBudget = 30 * time.Minute
)

// passed lists the deadlines that have passed, the most telling first.
func (c *Config) passed(v *view) (out []due) {
	over := func(limit time.Duration, since instant) bool {
		return limit > 0 && since > 0 && v.now.since(since) >= limit
	}
	if over(c.Timeout, v.started) {
		out = append(out, due{reason: history.Timeout, limit: c.Timeout, since: v.started, hard: true, what: "the command runs"})
	}
	steps := uint64(0)
	begun := v.ready
	for i := range v.processes {
		p := &v.processes[i]
		steps += p.steps
		begun = begun || p.steps > 0
		for _, k := range p.calls {
			if k.deadline > 0 && v.now >= k.deadline {
				out = append(out, due{reason: history.PredictTimeout, pid: p.pid, limit: k.deadline.since(k.started), since: k.started, hard: true, what: "a call with a deadline of its own runs"})
			}
		}
		if k := p.in("predict"); k != nil && over(c.PredictTimeout, k.started) {
			out = append(out, due{reason: history.PredictTimeout, pid: p.pid, limit: c.PredictTimeout, since: k.started, hard: !c.PredictAuto, auto: c.PredictAuto, what: "a prediction runs"})
		}
		// A checkpoint at the end of an epoch is not the epoch's fault.
		if p.in("checkpoint") == nil && over(c.EpochTimeout, p.epochStarted) {
			out = append(out, due{reason: history.EpochTimeout, pid: p.pid, limit: c.EpochTimeout, since: p.epochStarted, auto: c.EpochAuto, what: "an epoch runs"})
		}
		if d, ok := c.step(p, v); ok {
			out = append(out, d)
		}
	}
	if !begun && over(c.StartupTimeout, v.started) {
		out = append(out, due{reason: history.StartupTimeout, limit: c.StartupTimeout, since: v.started, what: "no step yet"})
	}
	if over(c.Watchdog, v.watchdog) {
		out = append(out, due{reason: history.StepTimeout, limit: c.Watchdog, since: v.watchdog, what: "no WATCHDOG=1"})
	}
	if over(c.IdleTimeout, v.quietSince) {
		out = append(out, due{reason: history.Hung, limit: c.IdleTimeout, since: v.quietSince, what: "no CPU, output or heartbeat"})
	} else if over(c.Patrol, v.quietSince) {
		out = append(out, due{reason: history.Hung, limit: c.Patrol, since: v.quietSince, patrol: true, what: "no CPU, output or heartbeat"})
	}
	return out
}

// step judges the step budget of one process: asked for, or learned from its own steps.
func (c *Config) step(p *progress, v *view) (due, bool) {
	if p.steps == 0 && len(p.calls) == 0 {
		return due{}, false // startup
	}
	d := due{reason: history.StepTimeout, pid: p.pid, since: p.last, what: "no step"}
	ck := p.in("checkpoint")
	switch {
	case ck != nil:
		// Steps can't come while a checkpoint is written; how long that takes has nothing to do with a step.
		d.limit, d.since, d.what = max(checkpointBudget, 2*c.StepTimeout), ck.started, "a checkpoint is written"
		d.auto = true
		if c.StepTimeout == 0 && !c.StepAuto {
			return due{}, false
		}
	case c.StepTimeout > 0:
		d.limit = c.StepTimeout
		if p.timed < warmUp && p.steps < warmUp {
			d.limit = max(d.limit, c.StartupTimeout) // the first steps trace and compile
		}
	case !c.StepAuto:
		return due{}, false
	case p.in("train", "eval", "predict", "session", "data") == nil && p.epochStarted == 0:
		return due{}, false // nothing is under way: the program may do as it likes between its calls
	case p.timed < warmUp:
		d.limit, d.auto = max(warmUpBudget, c.StepFloor), true
	default:
		d.limit, d.auto = max(c.StepFloor, StepFactor*p.slowest), true
	}
	return d, v.now.since(d.since) >= d.limit
}

// A decision is what follows from a passed deadline and a verdict.
type decision int

const (
	leave  decision = iota // nothing is wrong
	wait                   // look again soon
	report                 // say so once, and let it run
	act
)

// decide says what to do about d, given the verdict. quiet: the tree has used no CPU since the deadline's clock began.
func (c *Config) decide(d due, v Verdict, now instant, quiet bool) decision {
	past := now.since(d.since) - d.limit
	switch {
	case d.reason == history.Timeout:
		return act
	case v.State == stateExited:
		return leave
	case v.State == stateStopped:
		return wait // someone stopped it, and will go on
	case v.Cause == causeCompiling:
		return wait
	case v.State == stateHung && v.Confidence == proven:
		return act
	case d.patrol:
		return wait
	case d.hard, v.State == stateHung:
		return act
	case d.reason == history.Hung && v.State == stateIdle:
		return wait // waits for work, as it should
	case past < c.Grace:
		return wait
	case !d.auto:
		return act
	case v.State == stateIdle, v.State == stateBusy, !quiet:
		return report // a learned budget alone never ends a process that works
	}
	return act
}

func (d due) String() string {
	return fmt.Sprintf("%s for %s", d.what, d.limit.Round(time.Millisecond))
}
