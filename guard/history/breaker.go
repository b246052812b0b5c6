package history

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Breaker stops a job that keeps failing: after more than Failures within Window it opens, and nothing is started.
// Cooldown after the last failure it is half open: one run is let through. If that one is well, the breaker closes;
// else it is open for another Cooldown.
type Breaker struct {
	Failures int
	Window   time.Duration
	Cooldown time.Duration
}

// DefaultBreaker is the guide's threshold: more than 3 failures in 1 h.
var DefaultBreaker = Breaker{Failures: 3, Window: time.Hour, Cooldown: 15 * time.Minute}

// ParseBreaker reads "3/1h": more than 3 failures within 1 h. The cooldown is a quarter of the window, or given as "3/1h/5m".
func ParseBreaker(s string) (Breaker, error) {
	parts := strings.Split(s, "/")
	if len(parts) != 2 && len(parts) != 3 {
		return Breaker{}, fmt.Errorf("breaker %q: want FAILURES/WINDOW, as in 3/1h", s)
	}
	n, err := strconv.Atoi(parts[0])
	if err != nil || n < 0 {
		return Breaker{}, fmt.Errorf("breaker %q: %q is no number of failures", s, parts[0])
	}
	w, err := time.ParseDuration(parts[1])
	if err != nil || w <= 0 {
		return Breaker{}, fmt.Errorf("breaker %q: %q is no window, as in 1h", s, parts[1])
	}
	b := Breaker{Failures: n, Window: w, Cooldown: w / 4}
	if len(parts) == 3 {
		if b.Cooldown, err = time.ParseDuration(parts[2]); err != nil || b.Cooldown <= 0 {
			return Breaker{}, fmt.Errorf("breaker %q: %q is no cooldown, as in 15m", s, parts[2])
		}
	}
	return b, nil
}

// States of a breaker.
const (
	Closed   = "closed"
	Opened   = "open"
	HalfOpen = "half-open"
)

// A State is what a breaker says about one job at one moment.
type State struct {
	Job      string    `json:"job"`
	State    string    `json:"state"`
	Failures int       `json:"failures"` // within the window, since the last good run
	Last     time.Time `json:"last_failure,omitzero"`
	// Retry is when an open breaker becomes half open.
	Retry time.Time `json:"retry,omitzero"`
}

// State judges a job from its records (oldest first).
func (b Breaker) State(records []Record, job string, now time.Time) State {
	since := now.Add(-b.Window)
	var trial time.Time // start of a trial that has not ended
	trialRun := ""
	for i := range records {
		r := &records[i]
		if r.Job != job {
			continue
		}
		switch {
		case r.Outcome == nil:
			if r.Trial {
				trial, trialRun = r.At, r.Run
			}
			continue
		case r.Run == trialRun:
			trialRun = ""
		}
		if r.Outcome.Code == 0 && !r.Outcome.Fallback && !r.Outcome.Canceled && r.Outcome.Reason != CircuitOpen && r.At.After(since) {
			since = r.At // a good run forgives what was before it
		}
	}
	failed := failures(records, job, since)
	s := State{Job: job, State: Closed, Failures: len(failed)}
	if len(failed) == 0 {
		return s
	}
	s.Last = failed[len(failed)-1]
	if len(failed) <= b.Failures {
		return s
	}
	s.State, s.Retry = Opened, s.Last.Add(b.Cooldown)
	// A trial that never ended (its machine died) blocks the next one for a cooldown only.
	if trialRun != "" && trial.After(s.Last) {
		s.Retry = trial.Add(b.Cooldown)
	}
	if !now.Before(s.Retry) || s.Last.After(now.Add(b.Window)) { // the clock was set back: do not stay open for years
		s.State = HalfOpen
	}
	return s
}

// Admit decides whether a run of the job may start, and records the start in the same locked step, so that of several
// runs that meet a half-open breaker exactly one goes through. When the state is open, nothing is recorded.
func (s *Store) Admit(b Breaker, start *Record, now time.Time) (State, error) {
	l, err := s.lock(unix.LOCK_EX)
	if err != nil {
		return State{Job: start.Job, State: Closed}, err
	}
	defer l.Close()
	records, _, err := s.read()
	if err != nil {
		return State{Job: start.Job, State: Closed}, err
	}
	st := b.State(records, start.Job, now)
	if st.State == Opened {
		return st, nil
	}
	start.Trial = st.State == HalfOpen
	return st, s.append(start, start.Trial)
}
