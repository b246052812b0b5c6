package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"tfguard/guard"
	"tfguard/guard/history"
	"tfguard/report"
)

func init() { register(newHistory) }

func newHistory(a *app) *cobra.Command {
	var job, breaker, prune string
	var limit int
	var failed bool
	c := &cobra.Command{
		Use:   "history",
		Short: "Past runs of exec, their failures and verdicts, and the breaker's state",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := a.checkFlags(); err != nil {
				return err
			}
			b := history.DefaultBreaker
			if breaker != "" {
				var err error
				if b, err = history.ParseBreaker(breaker); err != nil {
					return usageError("--%w", err)
				}
			}
			store := history.Open("")
			if prune != "" {
				keep, err := parseDuration(prune)
				if err != nil {
					return usageError("--prune: %w", err)
				}
				n, err := store.Prune(keep, time.Now())
				if err != nil {
					return unableError("", "prune %s: %w", store.Path(), err)
				}
				folders, err := guard.PruneEvidence(filepath.Join(history.Dir(), "evidence"), keep, time.Now())
				if err != nil {
					return unableError("", "prune the evidence: %w", err)
				}
				fmt.Fprintf(a.stderr, "tfguard: removed %d records and %d evidence folders older than %s\n", n, folders, prune)
				return nil
			}
			records, damaged, err := store.Read()
			if err != nil {
				return unableError("", "read %s: %w", store.Path(), err)
			}
			h := summarize(records, damaged, b, job, failed, limit, time.Now())
			return a.write(func(w io.Writer, format string, _ report.Options) error {
				switch format {
				case "json":
					e := json.NewEncoder(w)
					e.SetIndent("", "  ")
					return e.Encode(h)
				case "text":
					return h.text(w)
				}
				return fmt.Errorf("history is written as text or json")
			})
		},
	}
	c.Flags().StringVar(&job, "name", "", "only this `JOB`")
	c.Flags().IntVar(&limit, "limit", 20, "show the last `N` runs; 0: all")
	c.Flags().BoolVar(&failed, "failed", false, "only runs that failed")
	c.Flags().StringVar(&breaker, "breaker", "", "judge the breaker as `N/DUR` (default 3/1h)")
	c.Flags().StringVar(&prune, "prune", "", "remove what is older than `DUR`: records, damaged lines and evidence")
	return c
}

// A historyReport is `tfguard history -f json`.
type historyReport struct {
	Schema   string          `json:"schema"`
	Runs     []historyRun    `json:"runs"`
	Breakers []history.State `json:"breakers"`
	Damaged  int             `json:"damaged_lines"`
}

type historyRun struct {
	Run     string           `json:"run"`
	Job     string           `json:"job"`
	Started time.Time        `json:"started"`
	State   string           `json:"state"` // ended, running, lost: it began, and its supervisor is gone without a word
	PID     int              `json:"pid,omitempty"`
	Failed  bool             `json:"failed"`
	Outcome *history.Outcome `json:"outcome,omitempty"`
}

func summarize(records []history.Record, damaged int, b history.Breaker, job string, failed bool, limit int, now time.Time) *historyReport {
	h := &historyReport{Schema: "tfguard/history/v1", Runs: []historyRun{}, Breakers: []history.State{}, Damaged: damaged}
	at := map[string]int{}
	jobs := map[string]bool{}
	var runs []historyRun
	for i := range records {
		r := &records[i]
		if job != "" && r.Job != job {
			continue
		}
		jobs[r.Job] = true
		k, ok := at[r.Run]
		if !ok {
			k = len(runs)
			at[r.Run] = k
			runs = append(runs, historyRun{Run: r.Run, Job: r.Job, Started: r.At, PID: r.PID})
		}
		switch {
		case r.Outcome != nil:
			runs[k].State, runs[k].Outcome, runs[k].Started, runs[k].Failed = "ended", r.Outcome, r.Outcome.Started, r.Outcome.Failed()
		case runs[k].State == "":
			runs[k].State = "lost"
			if guard.Running(r.PID, r.StartTime, r.Boot) {
				runs[k].State = "running"
			}
		}
	}
	for _, r := range runs {
		if !failed || r.Failed {
			h.Runs = append(h.Runs, r)
		}
	}
	if limit > 0 && len(h.Runs) > limit {
		h.Runs = h.Runs[len(h.Runs)-limit:]
	}
	for j := range jobs {
		if s := b.State(records, j, now); s.Failures > 0 {
			h.Breakers = append(h.Breakers, s)
		}
	}
	sort.Slice(h.Breakers, func(i, j int) bool { return h.Breakers[i].Job < h.Breakers[j].Job })
	return h
}

func (h *historyReport) text(w io.Writer) error {
	if len(h.Runs) == 0 {
		fmt.Fprintln(w, "no runs recorded")
	} else {
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		fmt.Fprintln(t, "STARTED\tJOB\tSECONDS\tCODE\tREASON\tATTEMPTS\tCAUSE")
		for _, r := range h.Runs {
			when := r.Started.Local().Format("2006-01-02 15:04:05")
			o := r.Outcome
			if o == nil {
				fmt.Fprintf(t, "%s\t%s\t\t\t%s\t\t\n", when, printable(r.Job), r.State)
				continue
			}
			reason := o.Reason
			switch {
			case o.Canceled:
				reason += ", canceled"
			case o.Fallback:
				reason += ", fallback"
			}
			fmt.Fprintf(t, "%s\t%s\t%.1f\t%d\t%s\t%d\t%s\n", when, printable(r.Job), o.Seconds, o.Code, reason, len(o.Attempts), printable(cause(o)))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	for _, b := range h.Breakers {
		fmt.Fprintf(w, "breaker %s: %s, %d failures", printable(b.Job), b.State, b.Failures)
		if b.State == history.Opened {
			fmt.Fprintf(w, ", next try after %s", b.Retry.Local().Format("2006-01-02 15:04:05"))
		}
		fmt.Fprintln(w)
	}
	if h.Damaged > 0 {
		fmt.Fprintf(w, "%d damaged lines were skipped; tfguard history --prune DUR removes them\n", h.Damaged)
	}
	return nil
}

// cause is what the last verdict of a run named.
func cause(o *history.Outcome) string {
	for i := len(o.Attempts) - 1; i >= 0; i-- {
		if v, ok := o.Attempts[i].Verdict.(map[string]any); ok {
			cause, _ := v["cause"].(string)
			id, _ := v["id"].(string)
			if cause != "" {
				return strings.TrimSpace(cause + " " + id)
			}
		}
	}
	return ""
}

// printable keeps a recorded name from writing control characters to the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}
