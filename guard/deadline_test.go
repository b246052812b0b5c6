package guard

import (
	"fmt"
	"testing"
	"time"

	"tfguard/guard/history"
)

const s = instant(time.Second)

func TestPassed(t *testing.T) {
	base := Config{StepAuto: true, StepFloor: 60 * time.Second, EpochTimeout: 5 * time.Minute, EpochAuto: true, PredictTimeout: 30 * time.Second, PredictAuto: true}
	training := func(timed uint64, slowest time.Duration, last, epoch instant, calls ...call) progress {
		return progress{pid: 7, last: last, steps: timed, timed: timed, slowest: slowest, epochStarted: epoch, calls: append([]call{{kind: "train", started: 1}}, calls...)}
	}
	for _, tc := range []struct {
		name   string
		config func(*Config)
		view   view
		want   string
	}{
		{"nothing is armed, nothing runs", nil, view{now: 9999 * s, started: 1, quietSince: 9999 * s}, "[]"},
		{"timeout", func(c *Config) { c.Timeout = 10 * time.Second }, view{now: 11 * s, started: s, quietSince: 11 * s}, "[timeout 0]"},
		{"startup: no step yet", func(c *Config) { c.StartupTimeout = 10 * time.Second }, view{now: 12 * s, started: s}, "[startup-timeout 0]"},
		{"startup: READY=1", func(c *Config) { c.StartupTimeout = 10 * time.Second }, view{now: 12 * s, started: s, ready: true}, "[]"},
		{"startup: a step", func(c *Config) { c.StartupTimeout = 10 * time.Second }, view{now: 12 * s, started: s, processes: []progress{{pid: 7, steps: 1, last: 11 * s}}}, "[]"},
		{"learned: fast steps, the floor holds", nil, view{now: 160 * s, processes: []progress{training(100, time.Second, 101*s, 90*s)}}, "[]"},
		{"learned: fast steps, the floor has passed", nil, view{now: 161 * s, processes: []progress{training(100, time.Second, 101*s, 90*s)}}, "[step-timeout 7]"},
		{"learned: slow steps get five times the slowest", nil, view{now: 200 * s, processes: []progress{training(100, 20*time.Second, 101*s, 90*s)}}, "[]"},
		{"learned: slow steps, passed", nil, view{now: 201 * s, processes: []progress{training(100, 20*time.Second, 101*s, 90*s)}}, "[step-timeout 7]"},
		{"learned: warm-up compiles", nil, view{now: 500 * s, processes: []progress{training(2, time.Second, 101*s, 0)}}, "[]"},
		{"learned: a checkpoint may take its time", nil, view{now: 1000 * s, processes: []progress{training(100, time.Second, 101*s, 0, call{kind: "checkpoint", started: 101 * s})}}, "[]"},
		{"learned: between calls the program is free", nil, view{now: 1000 * s, processes: []progress{{pid: 7, steps: 100, timed: 100, slowest: time.Second, last: 101 * s}}}, "[]"},
		{"asked for: between calls too", func(c *Config) { c.StepTimeout, c.StepAuto = 5*time.Second, false }, view{now: 107 * s, processes: []progress{{pid: 7, steps: 100, timed: 100, last: 101 * s}}}, "[step-timeout 7]"},
		{"epoch", nil, view{now: 401 * s, processes: []progress{training(100, time.Second, 400*s, 101*s)}}, "[epoch-timeout 7]"},
		{"epoch, at its checkpoint", nil, view{now: 401 * s, processes: []progress{training(100, time.Second, 400*s, 101*s, call{kind: "checkpoint", started: 400 * s})}}, "[]"},
		{"predict", nil, view{now: 41 * s, processes: []progress{{pid: 7, last: 10 * s, calls: []call{{kind: "predict", started: 10 * s}}}}}, "[predict-timeout 7]"},
		{"a call's own deadline", nil, view{now: 12 * s, processes: []progress{{pid: 7, last: 10 * s, calls: []call{{kind: "user", started: 10 * s, deadline: 12 * s}}}}}, "[predict-timeout 7]"},
		{"watchdog before the first ping", func(c *Config) { c.Watchdog = time.Second }, view{now: 12 * s}, "[]"},
		{"watchdog", func(c *Config) { c.Watchdog = time.Second }, view{now: 12 * s, watchdog: 10 * s}, "[step-timeout 0]"},
		{"idle", func(c *Config) { c.IdleTimeout = 5 * time.Second }, view{now: 12 * s, quietSince: 6 * s}, "[hung 0]"},
		{"patrol", func(c *Config) { c.Patrol = 5 * time.Second }, view{now: 12 * s, quietSince: 6 * s}, "[hung 0 patrol]"},
	} {
		c := base
		if tc.config != nil {
			tc.config(&c)
		}
		var got []string
		for _, d := range c.passed(&tc.view) {
			text := fmt.Sprint(d.reason, " ", d.pid)
			if d.patrol {
				text += " patrol"
			}
			got = append(got, text)
		}
		if fmt.Sprint(got) != tc.want {
			t.Errorf("%s: %v, want %s", tc.name, got, tc.want)
		}
	}
}

func TestDecide(t *testing.T) {
	c := Config{Grace: 30 * time.Second}
	const limit = 10 * time.Second
	soon, late := 11*s, 50*s // 1 s and 40 s after the deadline
	step := due{reason: history.StepTimeout, limit: limit}
	learned := due{reason: history.StepTimeout, limit: limit, auto: true}
	predict := due{reason: history.PredictTimeout, limit: limit, hard: true}
	idle := due{reason: history.Hung, limit: limit}
	patrol := due{reason: history.Hung, limit: limit, patrol: true}
	likely := Verdict{State: stateHung, Confidence: "likely"}
	hung := Verdict{State: stateHung, Confidence: proven}
	for _, tc := range []struct {
		name  string
		due   due
		v     Verdict
		now   instant
		quiet bool
		want  decision
	}{
		{"a total timeout acts on anything", due{reason: history.Timeout, limit: limit}, Verdict{State: stateBusy}, soon, false, act},
		{"proven acts at once", learned, hung, soon, true, act},
		{"proven acts on patrol", patrol, hung, soon, true, act},
		{"likely does not act on patrol", patrol, likely, late, true, wait},
		{"likely acts on a deadline", step, likely, soon, true, act},
		{"a prediction has no grace", predict, Verdict{State: stateBusy}, soon, false, act},
		{"a prediction that compiles does", predict, Verdict{State: stateBusy, Cause: causeCompiling}, late, false, wait},
		{"compiling", step, Verdict{State: stateBusy, Cause: causeCompiling}, late, false, wait},
		{"stopped", step, Verdict{State: stateStopped}, late, true, wait},
		{"gone", step, Verdict{State: stateExited}, late, true, leave},
		{"busy gets its grace", step, Verdict{State: stateBusy}, soon, false, wait},
		{"busy has had its grace", step, Verdict{State: stateBusy}, late, false, act},
		{"a learned budget does not end what works", learned, Verdict{State: stateBusy}, late, false, report},
		{"a learned budget does not end what idles", learned, Verdict{State: stateIdle}, late, true, report},
		{"waiting gets its grace", learned, Verdict{State: stateWaiting}, soon, true, wait},
		{"waiting has had its grace", learned, Verdict{State: stateWaiting}, late, true, act},
		{"a server waits for work", idle, Verdict{State: stateIdle}, late, true, wait},
		{"idle and not known why", idle, Verdict{State: stateUnknown}, late, true, act},
	} {
		if got := c.decide(tc.due, tc.v, tc.now, tc.quiet); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
}
