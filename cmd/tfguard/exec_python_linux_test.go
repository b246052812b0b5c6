package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tfguard/guard/history"
)

// pythonExec runs a script under exec, and returns its output and outcome. extra goes before the script's name.
func pythonExec(t *testing.T, script string, flags, extra, env []string) (string, string, history.Outcome) {
	t.Helper()
	if testPython() == "" {
		t.Skip("no Python to test with")
	}
	dir := t.TempDir()
	file, outcome := filepath.Join(dir, "prog.py"), filepath.Join(dir, "outcome.json")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append(append([]string{"exec", "--profile", "none", "--evidence", filepath.Join(dir, "evidence"), "--outcome", outcome}, flags...), "--", testPython())
	c := tfguardCommand(t, append(append(args, extra...), file)...)
	c.Env = append(append(c.Env, "XDG_CACHE_HOME="+filepath.Join(dir, "cache"), "TF_CPP_MIN_LOG_LEVEL=3"), env...)
	out, err := c.CombinedOutput()
	return status(err), string(out), readOutcome(t, outcome)
}

// slots prints how many processes claimed a slot of the run's beat file.
const slots = `
import os, struct
def claimed():
    with open(os.environ["TFGUARD_BEATS"], "rb") as f:
        return struct.unpack("<6Q", f.read(48))[5]
`

func TestHeartbeatsReachEveryKindOfChild(t *testing.T) {
	for name, script := range map[string]string{
		"fork":       "pid = os.fork()\nif pid == 0: os._exit(0)\nos.waitpid(pid, 0)\nprint(claimed())",
		"spawn":      "import multiprocessing as m\nif __name__ == '__main__':\n    p = m.get_context('spawn').Process(target=print, args=('child',)); p.start(); p.join(); print(claimed() >= 2)",
		"forkserver": "import multiprocessing as m\nif __name__ == '__main__':\n    p = m.get_context('forkserver').Process(target=print, args=('child',)); p.start(); p.join(); print(claimed() >= 3)",
		"subprocess": "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'pass'], check=True)\nprint(claimed())",
		"plain":      "import tfguard, sys\nprint(claimed() + 1, 'sitecustomize' in sys.modules, tfguard.__file__ is not None)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out, o := pythonExec(t, slots+script, nil, nil, nil)
			lines := strings.Fields(out)
			last := lines[len(lines)-1]
			if code != "0" || last != "2" && last != "True" {
				t.Errorf("%s\n%s", code, out)
			}
			if o.Attempts[0].HooksMissing != "neither Keras nor TensorFlow was imported" {
				t.Errorf("%+v", o.Attempts[0])
			}
		})
	}
}

func TestShimIsNotNoticed(t *testing.T) {
	site := t.TempDir()
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(site, "sitecustomize.py"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const show = `
import sys
print("module", sys.modules["sitecustomize"].__file__)
print("first", sys.path[1])
print("fds", sorted(int(f) for f in __import__("os").listdir("/proc/self/fd"))[:4])
`
	write("import sys; sys.stderr.write('user site ran\\n')")
	code, out, _ := pythonExec(t, show, nil, nil, []string{"PYTHONPATH=" + site})
	if code != "0" || strings.Count(out, "user site ran") != 1 || !strings.Contains(out, "module "+site+"/sitecustomize.py") || !strings.Contains(out, "first "+site+"\n") {
		t.Errorf("the user's sitecustomize: %s\n%s", code, out)
	}
	write("raise SystemExit(5)")
	if code, out, _ := pythonExec(t, show, nil, nil, []string{"PYTHONPATH=" + site}); code != "5" && !strings.Contains(out, "SystemExit") {
		t.Errorf("SystemExit of the user's sitecustomize: %s\n%s", code, out)
	}
	write("import not_there_at_all")
	if code, out, _ := pythonExec(t, "print('ran')", nil, nil, []string{"PYTHONPATH=" + site}); code != "0" || !strings.Contains(out, "not_there_at_all") || !strings.Contains(out, "ran") {
		t.Errorf("ImportError in the user's sitecustomize: %s\n%s", code, out)
	}
}

func TestIsolatedPythonIsReported(t *testing.T) {
	for flag, want := range map[string]string{"-I": "-I ignores PYTHONPATH", "-E": "-E ignores PYTHONPATH", "-S": "-S does not import site"} {
		code, out, o := pythonExec(t, "print('ran')", []string{"--step-timeout", "60"}, []string{flag}, nil)
		if code != "0" || !strings.Contains(out, want) || !strings.Contains(o.Attempts[0].HooksMissing, want) {
			t.Errorf("%s: %s\n%s", flag, code, out)
		}
	}
}

// A stand-in for Keras: what the hooks do needs no TensorFlow to be seen.
const standIn = `
import sys, os, time, types
root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "site")
os.makedirs(root + "/keras/src/callbacks"); os.makedirs(root + "/keras/src/backend/tensorflow"); os.makedirs(root + "/keras/src/models")
for d in ("", "/src", "/src/callbacks", "/src/backend", "/src/backend/tensorflow", "/src/models"):
    open(root + "/keras" + d + "/__init__.py", "w").close()
with open(root + "/keras/src/callbacks/callback_list.py", "w") as f:
    f.write("class CallbackList:\n" + "".join(f"    def on_{n}(self, *a, **k): pass\n" for n in
        [f"{w}_batch_{e}" for w in ("train", "test", "predict") for e in ("begin", "end")] + ["epoch_begin", "epoch_end", "train_end"]))
with open(root + "/keras/src/backend/tensorflow/trainer.py", "w") as f:
    f.write("class TensorFlowTrainer:\n" + "".join(f"    def {n}(self, do): return do()\n" for n in
        ("fit", "evaluate", "predict", "predict_on_batch", "train_on_batch", "test_on_batch")))
with open(root + "/keras/src/models/model.py", "w") as f:
    f.write("class Model:\n    def save(self, do): return do()\n    def save_weights(self, do): return do()\n")
sys.path.insert(0, root)
from keras.src.callbacks.callback_list import CallbackList
from keras.src.backend.tensorflow.trainer import TensorFlowTrainer
from keras.src.models.model import Model
c, t, m = CallbackList(), TensorFlowTrainer(), Model()
def steps(n, seconds=0.0, then=None):
    def do():
        c.on_epoch_begin(0)
        for i in range(n):
            c.on_train_batch_begin(i); time.sleep(seconds); c.on_train_batch_end(i)
        if then: then()
        c.on_epoch_end(0)
    return do
`

func TestDeadlinesFromOutside(t *testing.T) {
	for _, tc := range []struct {
		name, script string
		flags        []string
		code, reason string
		steps        uint64
		says         string
	}{
		{"healthy", "t.fit(steps(20, 0.05))", []string{"--step-timeout", "0.8", "--epoch-timeout", "5", "--grace", "0"}, "0", "exited", 20, ""},
		{"a step does not come", "t.fit(steps(5, 0.01, lambda: time.sleep(60)))", []string{"--step-timeout", "0.6", "--grace", "0.2"}, "124", "step-timeout", 5, "no step"},
		{"an epoch is too long", "t.fit(steps(1000, 0.05))", []string{"--epoch-timeout", "0.8", "--grace", "0.2"}, "124", "epoch-timeout", 0, "an epoch runs"},
		{"a prediction is too long", "t.predict(lambda: time.sleep(60))", []string{"--predict-timeout", "0.5"}, "124", "predict-timeout", 0, "a prediction runs"},
		{"a prediction burns CPU and holds the GIL", "import ctypes\nt.predict(lambda: ctypes.PyDLL(None).sleep(60))", []string{"--predict-timeout", "0.5"}, "124", "predict-timeout", 0, "a prediction runs"},
		{"a slow checkpoint is no hang", "t.fit(steps(5, 0.01, lambda: m.save(lambda: time.sleep(1.6))))", []string{"--step-timeout", "0.6", "--epoch-timeout", "1", "--grace", "0"}, "0", "exited", 5, ""},
		{"startup", "time.sleep(60)", []string{"--startup-timeout", "0.8", "--grace", "0.2"}, "124", "startup-timeout", 0, "no step yet"},
		{"idle", "t.fit(steps(3)); time.sleep(60)", []string{"--idle-timeout", "0.8", "--grace", "0.2"}, "124", "hung", 3, "no CPU"},
		{"a declared deadline", "from tfguard import _beats\n_beats.current().begin(_beats.USER, timeout=0.4); time.sleep(60)", nil, "124", "predict-timeout", 0, "deadline of its own"},
		{"only reported", "t.fit(steps(5, 0.01, lambda: time.sleep(1.5)))", []string{"--step-timeout", "0.6", "--grace", "0", "--on-hang", "report"}, "0", "exited", 5, "no step"},
		{"a stopped process is not hung", "import threading, signal\nif os.fork() == 0:\n    time.sleep(1.6); os.kill(os.getppid(), signal.SIGCONT); os._exit(0)\nt.fit(steps(5, 0.01, lambda: os.kill(os.getpid(), signal.SIGSTOP)))", []string{"--step-timeout", "0.8", "--grace", "0"}, "0", "exited", 5, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			code, out, o := pythonExec(t, standIn+tc.script, tc.flags, nil, nil)
			if code != tc.code || o.Reason != tc.reason || tc.steps > 0 && o.Attempts[0].Steps != tc.steps || !strings.Contains(out, tc.says) {
				t.Errorf("%s, %s, %d steps after %v\n%s", code, o.Reason, o.Attempts[0].Steps, time.Since(began), out)
			}
			if tc.code == "0" && tc.says == "" && strings.Contains(out, "tfguard: ") {
				t.Errorf("a healthy program: %s", out)
			}
			if tc.reason == "predict-timeout" || tc.reason == "step-timeout" {
				b, err := os.ReadFile(filepath.Join(o.Attempts[0].Evidence, "faulthandler.txt"))
				if err != nil || !strings.Contains(string(b), "prog.py\", line") {
					t.Errorf("faulthandler.txt: %v\n%s", err, b)
				}
			}
		})
	}
}

// Limits are acted on when three looks in a row are over them.
func TestLimits(t *testing.T) {
	for flag, script := range map[string]string{
		"--max-threads=12":  "import threading, time\nfor i in range(20): threading.Thread(target=time.sleep, args=(20,), daemon=True).start()\ntime.sleep(20)",
		"--max-memory=100M": "import time\nx = bytearray(200 << 20)\nx[::4096] = b'x' * len(x[::4096])\ntime.sleep(20)",
	} {
		code, out, o := pythonExec(t, script, []string{flag}, nil, nil)
		if code != "124" || !strings.Contains(flag, o.Reason) {
			t.Errorf("%s: %s, %s\n%s", flag, code, o.Reason, out)
		}
	}
}

// The counts of a real Keras are exact.
func TestKerasBeats(t *testing.T) {
	if testing.Short() || !hasTensorFlow() {
		t.Skip("needs TensorFlow")
	}
	code, out, o := pythonExec(t, `
import numpy as np, tensorflow as tf
from tensorflow import keras
m = keras.Sequential([keras.layers.Dense(1)])
m.compile("sgd", "mse")
x, y = np.zeros((320, 4)), np.zeros((320, 1))
m.fit(x, y, epochs=3, batch_size=32, verbose=0)
m.evaluate(x, y, batch_size=32, verbose=0)
m.predict(x, batch_size=32, verbose=0)
`, nil, nil, nil)
	a := o.Attempts[0]
	if code != "0" || a.Steps != 50 || !strings.Contains(strings.Join(a.Hooks, " "), "callbacks") {
		t.Errorf("%s: %d steps, want 50; %v %s\n%s", code, a.Steps, a.Hooks, a.HooksMissing, out)
	}
}
