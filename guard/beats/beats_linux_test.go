package beats

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// interpreter is any Python 3.9 or later; TensorFlow is not needed here.
func interpreter(t *testing.T) string {
	t.Helper()
	for _, p := range []string{os.Getenv("TFGUARD_TEST_PYTHON"), "../../.venv/bin/python", "python3"} {
		if path, err := exec.LookPath(p); p != "" && err == nil {
			return path
		}
	}
	t.Skip("no Python")
	return ""
}

func runPython(t *testing.T, beats, script string) string {
	t.Helper()
	python, err := filepath.Abs("../../python")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(interpreter(t), "-c", script)
	c.Env = append(os.Environ(), "PYTHONPATH="+python, "PYTHONDONTWRITEBYTECODE=1", Variable+"="+beats)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func TestPythonWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "beats")
	f, err := Create(path, "job", "run", 2, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	runPython(t, path, `
import os, time
from tfguard import _beats as b, _hooks
x = b.current()
assert x.armed, x.why
x.text(0, "train.py"); x.text(1, "keras 3.15"); x.flag(b.FLAG_FAULTHANDLER)
for i in range(40):
    x.step_begin(); x.step_end(b.TRAIN_STEPS)
x.epoch_begin()
outer = x.begin(b.TRAIN)
inner = x.begin(b.PREDICT, timeout=1.5)
x.hook(6, True); x.hook(3, False)
tokens = [x.begin(b.USER) for _ in range(20)]
for t in tokens: x.end(t)
pid = os.fork()
if pid == 0:
    x.step_begin(); x.step_end(b.EVAL_STEPS)
    os._exit(0)
os.waitpid(pid, 0)
`)
	h, err := f.Header()
	if err != nil || h.Job != "job" || h.Run != "run" || h.Attempt != 2 || h.Used != 2 || h.Supervisor != os.Getpid() {
		t.Fatalf("header %+v, %v", h, err)
	}
	slots, err := f.Slots()
	if err != nil || len(slots) != 2 {
		t.Fatalf("%d slots, %v", len(slots), err)
	}
	p, c := slots[0], slots[1]
	if p.TrainSteps != 40 || p.StepsTimed != 40 || len(p.Recent) != 32 || p.Hist[0] == 0 || p.EpochStarted == 0 {
		t.Errorf("parent: %+v", p)
	}
	if p.Program != "train.py" || p.Framework != "keras 3.15" || p.Flags != FlagFaulthandler || p.CallsDropped != 10 {
		t.Errorf("parent: %+v", p)
	}
	if fmt.Sprint(p.Armed(), p.Failed()) != "[tf.function] [keras2.callbacks]" {
		t.Errorf("hooks: %v %v", p.Armed(), p.Failed())
	}
	if len(p.Calls) != 2 || p.Phase() != Predict || p.Calls[0].Phase != Train || p.Calls[1].TID != p.PID {
		t.Fatalf("calls: %+v", p.Calls)
	}
	if d := p.Calls[1].Deadline.Sub(p.Calls[1].Started); d.Seconds() != 1.5 {
		t.Errorf("deadline %v after the start", d)
	}
	if c.PID == p.PID || c.EvalSteps != 1 || c.TrainSteps != 0 || len(c.Calls) != 0 || c.Flags != FlagFaulthandler|FlagForked || c.Program != "train.py" {
		t.Errorf("forked child: %+v", c)
	}
	if now := Now(); now.Sub(p.Last) > 60e9 || now <= p.Last {
		t.Errorf("last beat %d, now %d: not one clock", p.Last, now)
	}
}

// A full file, a missing one and a foreign one must not be noticed by the program.
func TestPythonWithoutSlot(t *testing.T) {
	dir := t.TempDir()
	full := filepath.Join(dir, "full")
	f, err := Create(full, "", "", 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	foreign := filepath.Join(dir, "foreign")
	if err := os.WriteFile(foreign, make([]byte, 8192), 0o600); err != nil {
		t.Fatal(err)
	}
	const script = `
import os
from tfguard import _beats as b
x = b.current()
def work():
    x.step_begin(); x.step_end(b.TRAIN_STEPS); x.beat(); x.end(x.begin(b.PREDICT))
work()
pid = os.fork()
if pid == 0:
    work(); print(x.armed, x.why, flush=True); os._exit(0)
os.waitpid(pid, 0)
print(x.armed)
`
	if out := runPython(t, full, script); out != "False OSError: the beat file has no free slot\nTrue\n" {
		t.Errorf("full: %s", out)
	}
	if h, _ := f.Header(); h.Dropped != 1 {
		t.Errorf("dropped = %d", h.Dropped)
	}
	// The slot of a process that is gone is used again.
	if out := runPython(t, full, script); !strings.HasSuffix(out, "True\n") {
		t.Errorf("again: %s", out)
	}
	for _, path := range []string{foreign, filepath.Join(dir, "missing")} {
		if out := runPython(t, path, script); !strings.HasSuffix(out, "False\n") {
			t.Errorf("%s: %s", path, out)
		}
	}
}

func TestHookNamesAgree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "beats")
	out := runPython(t, path, `
from tfguard import _hooks, _beats as b
print(*_hooks.NAMES)
print(b.CALLS, b.HIST, b.RING, b.TEXT, b.STEPS_TIMED, b.SLOT_WORDS, b.CALL_LEN, *b.BOUNDS)
`)
	want := strings.Join(HookNames[:], " ") + "\n" + fmt.Sprint(wCalls, wHist, wRing, wText, wStepsTimed, slotWords, callLen)
	for _, b := range Bounds {
		want += fmt.Sprint(" ", b.Nanoseconds())
	}
	if out != want+"\n" {
		t.Errorf("Python:\n%sGo:\n%s\n", out, want)
	}
}

func TestOfProcess(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "beats")
	if f, err := Create(path, "j", "", 0, 1); err != nil {
		t.Fatal(err)
	} else {
		f.Close()
	}
	fifo := filepath.Join(dir, "fifo")
	if err := exec.Command("mkfifo", fifo).Run(); err != nil {
		t.Skip("no mkfifo")
	}
	for p, ok := range map[string]bool{path: true, fifo: false, "relative": false, dir: false} {
		c := exec.Command("sleep", "10")
		c.Env = []string{Variable + "=" + p}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		f, err := OfProcess(c.Process.Pid)
		if (err == nil) != ok {
			t.Errorf("%s: %v", p, err)
		}
		if err == nil {
			if h, err := f.Header(); err != nil || h.Job != "j" {
				t.Errorf("%s: %+v, %v", p, h, err)
			}
			f.Close()
		}
		_ = c.Process.Kill()
		_ = c.Wait()
	}
}

func FuzzDecode(f *testing.F) {
	path := filepath.Join(f.TempDir(), "beats")
	file, err := Create(path, "job", "run", 1, 2)
	if err != nil {
		f.Fatal(err)
	}
	file.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	b[8*hUsed] = 2
	b[headerBytes], b[headerBytes+8*wPID], b[headerBytes+8*wStepsTimed], b[headerBytes+8*wCalls] = 1, 7, 40, 3
	f.Add(b)
	f.Add(b[:headerBytes+100])
	f.Fuzz(func(t *testing.T, data []byte) {
		_, slots, _ := Decode(data)
		for i := range slots {
			slots[i].Steps()
			slots[i].Phase()
			slots[i].Armed()
		}
	})
}
