package zoo

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// An Interpreter is a Python and what it can run.
type Interpreter struct {
	Versions
	Path    string
	modules map[string]bool
}

// Ask asks an interpreter for its versions, without importing TensorFlow.
func Ask(ctx context.Context, python string) (*Interpreter, error) {
	path, err := exec.LookPath(python)
	if err != nil {
		return nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	// The distribution may be tensorflow or tensorflow-cpu; both provide the package.
	out, err := exec.CommandContext(ctx, path, "-c", `
import importlib.metadata, importlib.util, json, sys
def version(*names):
    for n in names:
        try: return importlib.metadata.version(n)
        except importlib.metadata.PackageNotFoundError: pass
    return ""
print(json.dumps({"python": ".".join(map(str, sys.version_info[:3])), "tensorflow": version("tensorflow", "tensorflow-cpu"),
  "modules": {m: bool(importlib.util.find_spec(m)) for m in ("tensorflow", "keras", "grpc")}}))`).Output()
	if err != nil {
		return nil, fmt.Errorf("ask %s for its versions: %w", python, err)
	}
	var a struct {
		Python, TensorFlow string
		Modules            map[string]bool
	}
	if err := json.Unmarshal(out, &a); err != nil {
		return nil, fmt.Errorf("ask %s for its versions: %w", python, err)
	}
	return &Interpreter{Versions: Versions{a.Python, a.TensorFlow}, Path: path, modules: a.Modules}, nil
}

// Missing says which of the program's needs this machine or interpreter lacks, "" when none.
func (in *Interpreter) Missing(p *Program) string {
	for _, n := range p.Needs {
		var err error
		switch n {
		case "tensorflow", "keras", "grpc":
			if !in.modules[n] {
				return "no " + n + " in " + in.Path
			}
		case "cc", "openmp":
			_, err = exec.LookPath("cc")
		case "c++":
			_, err = exec.LookPath("c++")
		case "root":
			if os.Geteuid() != 0 {
				return "needs root"
			}
		case "fuse":
			var f *os.File
			if f, err = os.OpenFile("/dev/fuse", os.O_RDWR, 0); err == nil {
				f.Close()
			}
		}
		if err != nil {
			return err.Error()
		}
	}
	return ""
}

// window is how long Prove watches a program.
const window = 6 * time.Second

// Prove checks without tfguard that a program started with short set is in a state that it states, and says what it saw:
// a healthy one ends by itself with code 0, a busy one uses the CPU, and one that can't go on neither ends nor uses the CPU.
func (r *Running) Prove(want *Expected) (saw string, wrong []string) {
	first := r.Look()
	start := time.Now()
	if r.Program.Exec == "left" && !r.Program.Endless {
		if !r.Wait(90 * time.Second) {
			return "did not end", []string{"a healthy program must end by itself under ZOO_BRIEF"}
		}
		_, code := r.Ended()
		saw = fmt.Sprintf("ended by itself, code %d, after %.1f s", code, time.Since(start).Seconds())
		if code != 0 {
			wrong = append(wrong, "ended badly: "+r.Output())
		}
		return saw, wrong
	}
	r.Wait(window)
	second := r.Look()
	used := (second.CPU - first.CPU).Seconds() / time.Since(start).Seconds()
	saw = fmt.Sprintf("%.0f %% CPU, %d threads", used*100, second.Threads)
	if len(second.Involuntary) == 0 {
		return saw, []string{"it has ended: " + r.Output()}
	}
	if ended, code := r.Ended(); ended && r.PID == r.Leader {
		wrong = append(wrong, fmt.Sprintf("it ended by itself with code %d: %s", code, r.Output()))
	}
	if b, _ := os.ReadFile(filepath.Join(r.dir, "output")); strings.Contains(string(b), "DONE") {
		wrong = append(wrong, "it said DONE")
	}
	switch {
	case slices.Equal(want.State, []string{"busy"}) && used < 0.2:
		wrong = append(wrong, "busy, but it does not use the CPU")
	case !slices.Contains(want.State, "busy") && used > 0.05:
		wrong = append(wrong, "blocked, but it uses the CPU: "+r.Output())
	}
	return saw, wrong
}

// Disturbed compares two looks, before and after an inspection, and says how the inspection disturbed the target.
func Disturbed(want *Expected, before, after Sample) []string {
	var out []string
	if after.Tracer != before.Tracer {
		out = append(out, fmt.Sprintf("left traced by %d", after.Tracer))
	}
	if slices.Contains(want.State, "busy") || slices.Contains(want.State, "idle") {
		return out // it runs on its own account: its counters and mappings move without us
	}
	// A thread that is stopped by a tracer is switched out against its will once for each stop.
	switched := uint64(0)
	for tid, n := range after.Involuntary {
		if old, ok := before.Involuntary[tid]; ok {
			switched += n - old
		}
	}
	if switched > uint64(after.Threads)/4+2 {
		out = append(out, fmt.Sprintf("%d involuntary switches during the inspection", switched))
	}
	for pid, maps := range after.Maps {
		if old, ok := before.Maps[pid]; ok && old != maps {
			out = append(out, fmt.Sprintf("the mappings of %d changed", pid))
		}
	}
	return out
}
