// Command run runs the zoo: go run ./testdata/zoo/run -h
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"tfguard/testdata/zoo"
)

type options struct {
	folder, tfguard, filter, json, dump string
	pythons                             []string
	repeat, parallel                    int
	core, prove, failFast, list         bool
}

// A result is one run of one program.
type result struct {
	Program    string   `json:"program"`
	Python     string   `json:"python"`
	TensorFlow string   `json:"tensorflow"`
	Round      int      `json:"round"`
	Status     string   `json:"status"` // ok, fail, skip
	Expected   string   `json:"expected"`
	Got        string   `json:"got"`
	Wrong      []string `json:"wrong,omitempty"`
	Summary    string   `json:"summary,omitempty"`
	Blocked    int      `json:"blocked_threads"`
	Complete   int      `json:"complete_threads"`
	Inspect    float64  `json:"inspect_seconds"`
	Seconds    float64  `json:"seconds"`
}

func main() {
	var o options
	var pythons string
	flag.StringVar(&o.folder, "zoo", "testdata/zoo", "folder of the programs")
	flag.StringVar(&o.tfguard, "tfguard", "bin/tfguard", "the tfguard to test")
	flag.StringVar(&pythons, "python", "", "interpreters, separated by commas (default: $TFGUARD_ZOO_PYTHONS, then .venv/bin/python and .venvs/*/bin/python with -all)")
	all := flag.Bool("all", false, "every interpreter of $TFGUARD_ZOO_PYTHONS or .venv and .venvs/*")
	flag.StringVar(&o.filter, "filter", "", "regular expression on the name or the cause's ID")
	flag.IntVar(&o.repeat, "n", 1, "rounds")
	flag.IntVar(&o.parallel, "p", 2, "programs at a time")
	flag.BoolVar(&o.core, "core", false, "only the core subset")
	flag.BoolVar(&o.failFast, "failfast", false, "end at the first mismatch")
	flag.BoolVar(&o.list, "list", false, "list the programs and what they state, as JSON")
	flag.BoolVar(&o.prove, "prove", false, "without tfguard: prove that each program is in the state that it states")
	flag.StringVar(&o.dump, "dump", "", "with -prove: `COMMAND` to run with the PID as last argument; its output is printed")
	flag.StringVar(&o.json, "json", "", "write the results to this file")
	flag.Parse()
	switch {
	case pythons != "":
		o.pythons = strings.Split(pythons, ",")
	case *all && os.Getenv("TFGUARD_ZOO_PYTHONS") != "":
		o.pythons = strings.Split(os.Getenv("TFGUARD_ZOO_PYTHONS"), ",")
	default:
		o.pythons = []string{".venv/bin/python"}
		if *all {
			more, _ := filepath.Glob(".venvs/*/bin/python")
			o.pythons = append(o.pythons, more...)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	code, err := run(ctx, &o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "zoo:", err)
		code = 2
	}
	os.Exit(code)
}

func run(ctx context.Context, o *options) (int, error) {
	programs, err := zoo.Load(o.folder)
	if err != nil {
		return 2, err
	}
	if o.filter != "" {
		re, err := regexp.Compile(o.filter)
		if err != nil {
			return 2, err
		}
		kept := programs[:0]
		for _, p := range programs {
			if re.MatchString(p.Name) || re.MatchString(strings.Join(p.Expected[0].ID, ",")) {
				kept = append(kept, p)
			}
		}
		programs = kept
	}
	if o.core {
		kept := programs[:0]
		for _, p := range programs {
			if p.Core {
				kept = append(kept, p)
			}
		}
		programs = kept
	}
	if len(programs) == 0 {
		return 2, errors.New("no program matches")
	}
	if o.list {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", " ")
		return 0, e.Encode(programs)
	}
	if _, err := os.Stat(o.tfguard); err != nil && !o.prove {
		return 2, fmt.Errorf("%w (run make build, or name one with -tfguard)", err)
	}
	start := time.Now()
	var results []result
	for _, python := range o.pythons {
		interpreter, err := zoo.Ask(ctx, python)
		if err != nil {
			return 2, err
		}
		for round := 1; round <= o.repeat; round++ {
			fmt.Printf("%s: Python %s, TensorFlow %s, round %d of %d\n", python, interpreter.Python, interpreter.TensorFlow, round, o.repeat)
			results = append(results, runRound(ctx, o, programs, interpreter, round)...)
			if ctx.Err() != nil || o.failFast && failed(results) > 0 {
				return finish(o, results, start)
			}
		}
	}
	return finish(o, results, start)
}

func runRound(ctx context.Context, o *options, programs []*zoo.Program, in *zoo.Interpreter, round int) []result {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make([]result, len(programs))
	work := make(chan int)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range max(1, o.parallel) {
		wg.Go(func() {
			for i := range work {
				r := runOne(ctx, o, programs[i], in)
				r.Round = round
				mu.Lock()
				results[i] = r
				print1(r)
				mu.Unlock()
				if r.Status == "fail" && o.failFast {
					cancel()
				}
			}
		})
	}
	for i := range programs {
		if ctx.Err() != nil {
			results[i] = result{Program: programs[i].Name, Status: "skip", Wrong: []string{"interrupted"}}
			continue
		}
		work <- i
	}
	close(work)
	wg.Wait()
	return results
}

func print1(r result) {
	line := fmt.Sprintf("%-4s %-26s %-34s %-34s %5.1f s", r.Status, r.Program, r.Expected, r.Got, r.Seconds)
	if r.Status == "skip" {
		line = fmt.Sprintf("%-4s %-26s", r.Status, r.Program)
	}
	if len(r.Wrong) > 0 {
		line += "  " + strings.Join(r.Wrong, "; ")
	}
	fmt.Println(line)
}

func runOne(ctx context.Context, o *options, p *zoo.Program, in *zoo.Interpreter) (r result) {
	start := time.Now()
	r = result{Program: p.Name, Python: in.Python, TensorFlow: in.TensorFlow, Status: "fail"}
	defer func() { r.Seconds = time.Since(start).Seconds() }()
	want := p.Expect(in.Versions)
	if want == nil {
		r.Status, r.Wrong = "skip", []string{"states nothing for these versions"}
		return r
	}
	r.Expected = strings.Join(want.ID, ",") + " " + strings.Join(want.State, ",")
	if why := in.Missing(p); why != "" {
		r.Status, r.Wrong = "skip", []string{why}
		return r
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	run, err := zoo.Start(ctx, p, in.Path, o.prove)
	defer func() {
		if err := run.Stop(); err != nil {
			r.Status = "fail"
			r.Wrong = append(r.Wrong, err.Error())
		}
	}()
	if err != nil {
		r.Wrong = []string{err.Error()}
		return r
	}
	if o.prove {
		if o.dump != "" {
			words := strings.Fields(o.dump)
			out, err := exec.CommandContext(ctx, words[0], append(words[1:], fmt.Sprint(run.PID))...).CombinedOutput()
			fmt.Printf("---- %s\n%s(%v)\n", p.Name, out, err)
		}
		r.Got, r.Wrong = run.Prove(want)
	} else {
		r.Wrong = inspect(ctx, o, p, want, run, &r)
	}
	if len(r.Wrong) == 0 {
		r.Status = "ok"
	}
	return r
}

func inspect(ctx context.Context, o *options, p *zoo.Program, want *zoo.Expected, run *zoo.Running, r *result) []string {
	before := run.Look()
	var stdout, stderr strings.Builder
	c := exec.CommandContext(ctx, o.tfguard, "inspect", "-f", "json", fmt.Sprint(run.PID))
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	after := run.Look()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return []string{err.Error()}
	}
	code := c.ProcessState.ExitCode()
	var got zoo.Inspection
	if err := json.Unmarshal([]byte(stdout.String()), &got); err != nil {
		return []string{fmt.Sprintf("inspect exited %d: %v: %s", code, err, strings.TrimSpace(stderr.String()))}
	}
	r.Blocked, r.Complete = got.Blocked()
	r.Inspect, r.Summary = got.Seconds, got.Verdict.Summary
	id := got.Verdict.ID
	if id == "" {
		id = "-"
	}
	r.Got = strings.TrimSpace(id + " " + got.Verdict.State + " " + got.Verdict.Confidence)
	wrong := zoo.Compare(p, want, run.PID, &got)
	switch {
	case got.Verdict.State == "hung" && code != 1:
		wrong = append(wrong, fmt.Sprintf("exit code %d for a hang, want 1", code))
	case id == "-" && got.Verdict.State != "unknown" && code != 0:
		wrong = append(wrong, fmt.Sprintf("exit code %d for a healthy process, want 0", code))
	}
	return append(wrong, zoo.Disturbed(want, before, after)...)
}

func failed(results []result) (n int) {
	for _, r := range results {
		if r.Status == "fail" {
			n++
		}
	}
	return n
}

func finish(o *options, results []result, start time.Time) (int, error) {
	byPython := map[string]*[3]int{}
	var order []string
	blocked, complete := 0, 0
	for _, r := range results {
		key := "Python " + r.Python + ", TensorFlow " + r.TensorFlow
		if byPython[key] == nil {
			byPython[key] = new([3]int)
			order = append(order, key)
		}
		byPython[key][map[string]int{"ok": 0, "fail": 1, "skip": 2}[r.Status]]++
		blocked += r.Blocked
		complete += r.Complete
	}
	fmt.Println()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tok\tfail\tskip")
	for _, key := range order {
		n := byPython[key]
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\n", key, n[0], n[1], n[2])
	}
	w.Flush()
	bad := failed(results)
	if blocked > 0 {
		share := 100 * float64(complete) / float64(blocked)
		fmt.Printf("complete native stacks: %d of %d blocked threads, %.2f %%\n", complete, blocked, share)
		if share < 99 {
			fmt.Println("fail: fewer than 99 % of the blocked threads were unwound to their start")
			bad++
		}
	}
	fmt.Printf("%d runs in %.0f s\n", len(results), time.Since(start).Seconds())
	if o.json != "" {
		b, err := json.MarshalIndent(map[string]any{"seconds": time.Since(start).Seconds(), "blocked_threads": blocked,
			"complete_threads": complete, "results": results}, "", " ")
		if err != nil {
			return 2, err
		}
		if err := os.WriteFile(o.json, append(b, '\n'), 0o666); err != nil {
			return 2, err
		}
	}
	if bad > 0 {
		return 1, nil
	}
	return 0, nil
}
