package history

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"
)

func failure(job string, at time.Time) *Record {
	return &Record{Run: fmt.Sprint(at.UnixNano()), Job: job, At: at, Outcome: &Outcome{Schema: OutcomeSchema, Reason: Hung, Code: 124}}
}

func good(job string, at time.Time) *Record {
	return &Record{Run: fmt.Sprint(at.UnixNano()), Job: job, At: at, Outcome: &Outcome{Schema: OutcomeSchema, Reason: Exited}}
}

func TestRoundTripModesAndFailuresSince(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	s := Open("")
	now := time.Now()
	for _, r := range []*Record{failure("a", now.Add(-2*time.Hour)), failure("a", now.Add(-time.Minute)), good("a", now), failure("b", now)} {
		if err := s.Append(r, true); err != nil {
			t.Fatal(err)
		}
	}
	for job, want := range map[string]int{"a": 1, "b": 1, "": 2, "c": 0} {
		if n, err := FailuresSince(job, time.Hour); err != nil || n != want {
			t.Errorf("FailuresSince(%q) = %d, %v; want %d", job, n, err, want)
		}
	}
	for path, want := range map[string]os.FileMode{Dir(): 0o700, s.Path(): 0o600} {
		if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v; want %v", path, fi.Mode().Perm(), err, want)
		}
	}
	if n, err := s.Prune(time.Hour, now); err != nil || n != 1 {
		t.Errorf("Prune = %d, %v; want 1", n, err)
	}
	if rs, damaged, err := s.Read(); len(rs) != 3 || damaged != 0 || err != nil {
		t.Errorf("after Prune: %d records, %d damaged, %v", len(rs), damaged, err)
	}
}

// A file cut at any byte loses at most its last record, and the next Append is whole.
func TestTornTail(t *testing.T) {
	s := Open(t.TempDir())
	now := time.Now()
	for i := range 3 {
		if err := s.Append(failure("a", now.Add(time.Duration(i)*time.Second)), false); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	second := bytes.Index(whole, []byte("\n")) + 1
	third := second + bytes.Index(whole[second:], []byte("\n")) + 1
	for cut := third; cut < len(whole); cut += 7 {
		if err := os.WriteFile(s.Path(), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Append(good("b", now), true); err != nil {
			t.Fatal(err)
		}
		rs, damaged, err := s.Read()
		if err != nil || len(rs) != 3 || rs[2].Job != "b" || (cut > third) != (damaged == 1) {
			t.Fatalf("cut at %d: %d records, %d damaged, %v", cut, len(rs), damaged, err)
		}
	}
	flipped := bytes.Clone(whole)
	flipped[second+60] ^= 1
	if rs, damaged, _ := parse(bytes.NewReader(flipped)); len(rs) != 2 || damaged != 1 {
		t.Errorf("one flipped bit: %d records, %d damaged; want 2, 1", len(rs), damaged)
	}
}

// Several processes append and prune at once; TestMain runs the writer.
func TestConcurrentWriters(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c := exec.Command(os.Args[0])
			c.Env = append(os.Environ(), "HISTORY_WRITER="+dir, "HISTORY_N="+strconv.Itoa(i))
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("writer %d: %v\n%s", i, err, out)
			}
		}()
	}
	wg.Wait()
	rs, damaged, err := Open(dir).Read()
	if err != nil || damaged != 0 || len(rs) != 4*50 {
		t.Fatalf("%d records, %d damaged, %v; want 200, 0", len(rs), damaged, err)
	}
}

func TestMain(m *testing.M) {
	dir := os.Getenv("HISTORY_WRITER")
	if dir == "" {
		os.Exit(m.Run())
	}
	s := Open(dir)
	for i := range 50 {
		if err := s.Append(failure(os.Getenv("HISTORY_N"), time.Now()), false); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		if i%10 == 0 {
			if _, err := s.Prune(time.Hour, time.Now()); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
		}
	}
}

func TestBreaker(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	b := DefaultBreaker
	canceled := failure("j", ago(time.Minute))
	canceled.Outcome.Canceled = true
	trial := &Record{Run: "t", Job: "j", At: ago(5 * time.Minute), Trial: true}
	old := []*Record{failure("j", ago(40*time.Minute)), failure("j", ago(39*time.Minute)), failure("j", ago(38*time.Minute)), failure("j", ago(37*time.Minute))}
	for _, tc := range []struct {
		name    string
		records []*Record
		want    string
	}{
		{"no record", nil, Closed},
		{"three failures are not more than three", old[:3], Closed},
		{"four, the last long ago", old, HalfOpen},
		{"four, the last just now", append(old[:3:3], failure("j", ago(time.Minute))), Opened},
		{"a good run forgives", append(old[:4:4], good("j", ago(20*time.Minute)), failure("j", ago(time.Minute))), Closed},
		{"a canceled run is no failure", append(old[:3:3], canceled), Closed},
		{"another job's failures", []*Record{failure("k", now), failure("k", now), failure("k", now), failure("k", now)}, Closed},
		{"a trial under way", append(old[:4:4], trial), Opened},
		{"failures leave the window", []*Record{failure("j", ago(62*time.Minute)), failure("j", ago(61*time.Minute)), failure("j", ago(2*time.Minute)), failure("j", ago(time.Minute))}, Closed},
		{"the clock was set back", []*Record{failure("j", now.AddDate(1, 0, 0)), failure("j", now.AddDate(1, 0, 0)), failure("j", now.AddDate(1, 0, 0)), failure("j", now.AddDate(1, 0, 0))}, HalfOpen},
	} {
		var records []Record
		for _, r := range tc.records {
			records = append(records, *r)
		}
		if got := b.State(records, "j", now); got.State != tc.want {
			t.Errorf("%s: %s (%d failures), want %s", tc.name, got.State, got.Failures, tc.want)
		}
	}
}

// Of two runs that meet a half-open breaker one goes through, and its failure opens the breaker again.
func TestHalfOpenAdmitsOne(t *testing.T) {
	s, b := Open(t.TempDir()), Breaker{Failures: 0, Window: time.Hour, Cooldown: time.Minute}
	now := time.Now()
	if err := s.Append(failure("j", now.Add(-2*time.Minute)), false); err != nil {
		t.Fatal(err)
	}
	var states []string
	for _, run := range []string{"1", "2"} {
		st, err := s.Admit(b, &Record{Run: run, Job: "j", At: now}, now)
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, st.State)
	}
	if states[0] != HalfOpen || states[1] != Opened {
		t.Fatalf("admitted %v, want half-open then open", states)
	}
	end := failure("j", now)
	end.Run = "1"
	if err := s.Append(end, false); err != nil {
		t.Fatal(err)
	}
	rs, _, _ := s.Read()
	if st := b.State(rs, "j", now.Add(30*time.Second)); st.State != Opened {
		t.Errorf("after the failed trial: %s", st.State)
	}
	end.Outcome = good("j", now).Outcome
	end.At = now.Add(time.Second)
	if err := s.Append(end, false); err != nil {
		t.Fatal(err)
	}
	rs, _, _ = s.Read()
	if st := b.State(rs, "j", now.Add(30*time.Second)); st.State != Closed {
		t.Errorf("after a good trial: %s", st.State)
	}
}

func TestParseBreaker(t *testing.T) {
	for in, want := range map[string]Breaker{
		"3/1h":     {3, time.Hour, 15 * time.Minute},
		"0/10m/1m": {0, 10 * time.Minute, time.Minute},
		"3":        {}, "x/1h": {}, "-1/1h": {}, "3/0s": {}, "3/1h/x": {}, "3/1h/1m/1": {},
	} {
		b, err := ParseBreaker(in)
		if b != want || (err == nil) != (want != Breaker{}) {
			t.Errorf("ParseBreaker(%q) = %v, %v", in, b, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	b, _ := encode(failure("a", time.Unix(0, 0)))
	f.Add(b)
	f.Add([]byte("{\"crc32c\":\"00000000\",\"record\":null}\n\n\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		records, _, err := parse(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		DefaultBreaker.State(records, "a", time.Unix(0, 0))
	})
}
