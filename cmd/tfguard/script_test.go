package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata")

// TestMain makes the test binary answer as tfguard inside the scripts: they run the real main in a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tfguard": main})
}

// TestScripts runs testdata/script/*.txtar. testdata/script/README.md lists the commands and variables that they have.
func TestScripts(t *testing.T) {
	root := repoRoot(t)
	cache := t.TempDir() // shared: what one script learned of a TensorFlow serves the next
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join(root, "testdata", "script"),
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("REPO", root)
			e.Setenv("PYTHON", testPython())
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("XDG_CACHE_HOME", cache)
			e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, ".state"))
			e.Setenv("TF_CPP_MIN_LOG_LEVEL", "2")
			return nil
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "tensorflow":
				return hasTensorFlow(), nil
			case "python":
				return testPython() != "", nil
			case "root":
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     cmdExits,
			"jsonfield": cmdJSONField,
			"start":     cmdStart,
			"waitfor":   cmdWaitFor,
			"stop":      cmdStop,
			"append":    cmdAppend,
		},
	})
}

// repoRoot is the folder that holds go.mod.
func repoRoot(t testing.TB) string {
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// testPython is the interpreter that tests use, "" when there is none: $TFGUARD_TEST_PYTHON, else the .venv of make venv.
var testPython = sync.OnceValue(func() string {
	if p := os.Getenv("TFGUARD_TEST_PYTHON"); p != "" {
		return p
	}
	p, err := filepath.Abs(filepath.Join("..", "..", ".venv", "bin", "python"))
	if err != nil {
		return ""
	}
	if _, err := os.Stat(p); err != nil {
		return ""
	}
	return p
})

var hasTensorFlow = sync.OnceValue(func() bool {
	if testPython() == "" {
		return false
	}
	find := `import importlib.util, sys; sys.exit(importlib.util.find_spec("tensorflow") is None)`
	return exec.Command(testPython(), "-I", "-c", find).Run() == nil
})

// exits CODE CMD… runs a command and requires that exit code.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE CMD [ARG…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := err.(*exec.ExitError)
		if !ok {
			ts.Fatalf("%s: %v", args[1], err)
		}
		code = exit.ExitCode()
	}
	if code != want {
		ts.Fatalf("%s: exit %d, want %d", strings.Join(args[1:], " "), code, want)
	}
}

// jsonfield FILE PATH [VALUE|~REGEX] compares one value of a JSON file (or of stdout, stderr). Without VALUE it must be there.
// PATH is results[id=TFG301].evidence.0; # at its end is a length.
func cmdJSONField(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: jsonfield FILE PATH [VALUE|~REGEX]")
	}
	var doc any
	if err := json.Unmarshal([]byte(ts.ReadFile(args[0])), &doc); err != nil {
		ts.Fatalf("%s: not JSON: %v", args[0], err)
	}
	got, err := jsonLookup(doc, args[1])
	if err != nil {
		if neg && len(args) == 2 {
			return
		}
		ts.Fatalf("%s: %v", args[0], err)
	}
	ok := true
	if len(args) == 3 {
		if re, isRegexp := strings.CutPrefix(args[2], "~"); isRegexp {
			ok = regexp.MustCompile(re).MatchString(got)
		} else {
			ok = got == args[2]
		}
	}
	if ok == neg {
		ts.Fatalf("%s: %s is %s", args[0], args[1], got)
	}
}

var jsonStep = regexp.MustCompile(`\.?([^.\[\]]+)|\[([^=\]]+)=([^\]]*)\]`)

// jsonLookup returns the value at path: strings as they are, anything else as JSON.
func jsonLookup(doc any, path string) (string, error) {
	at := doc
	for _, step := range jsonStep.FindAllStringSubmatch(path, -1) {
		switch v := at.(type) {
		case map[string]any:
			next, ok := v[step[1]]
			if step[1] == "#" {
				next, ok = float64(len(v)), true
			}
			if !ok {
				return "", fmt.Errorf("%s: no %s", path, step[0])
			}
			at = next
		case []any:
			next, ok := jsonElement(v, step)
			if !ok {
				return "", fmt.Errorf("%s: no %s in a list of %d", path, step[0], len(v))
			}
			at = next
		default:
			return "", fmt.Errorf("%s: %s of %v", path, step[0], at)
		}
	}
	if s, ok := at.(string); ok {
		return s, nil
	}
	out, err := json.Marshal(at)
	return string(out), err
}

func jsonElement(list []any, step []string) (any, bool) {
	if step[1] == "#" {
		return float64(len(list)), true
	}
	if step[2] == "" {
		i, err := strconv.Atoi(step[1])
		if err != nil || i < 0 || i >= len(list) {
			return nil, false
		}
		return list[i], true
	}
	for _, e := range list {
		if got, err := jsonLookup(e, step[2]); err == nil && got == step[3] {
			return e, true
		}
	}
	return nil, false
}

// A started process of a script, with its output in $WORK/NAME.out.
type started struct {
	cmd  *exec.Cmd
	done chan struct{}
}

var startedMu sync.Mutex
var startedBy = map[string]*started{} // by script folder and name

// start NAME CMD… runs a command in the background, in a process group of its own, and sets $NAME_PID.
// Its output goes to $WORK/NAME.out. It is killed with its group when the script ends.
func cmdStart(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start NAME CMD [ARG…]")
	}
	work := ts.Getenv("WORK")
	out, err := os.Create(filepath.Join(work, args[0]+".out"))
	ts.Check(err)
	defer out.Close()
	program := args[1]
	if !strings.Contains(program, "/") {
		program = lookIn(ts.Getenv("PATH"), program)
	}
	c := exec.Command(program, args[2:]...)
	c.Dir = ts.MkAbs(".")
	c.Stdout, c.Stderr = out, out
	c.Env = scriptEnv(ts)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	ts.Check(c.Start())
	s := &started{cmd: c, done: make(chan struct{})}
	go func() { c.Wait(); close(s.done) }()
	key := work + "\x00" + args[0]
	startedMu.Lock()
	startedBy[key] = s
	startedMu.Unlock()
	ts.Setenv(args[0]+"_PID", strconv.Itoa(c.Process.Pid))
	ts.Defer(func() { s.kill() })
}

func (s *started) kill() {
	// The group outlives its leader when the leader left children: the signal goes to the group in either case.
	syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.done
}

// scriptEnv is the script's environment: the names that this test sets, on top of what the test binary inherited.
func scriptEnv(ts *testscript.TestScript) []string {
	env := os.Environ()
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "WORK", "REPO", "PYTHON", "XDG_CACHE_HOME", "XDG_STATE_HOME", "TF_CPP_MIN_LOG_LEVEL"} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	return env
}

func lookIn(path, program string) string {
	for _, dir := range filepath.SplitList(path) {
		p := filepath.Join(dir, program)
		if info, err := os.Stat(p); err == nil && info.Mode()&0o111 != 0 && !info.IsDir() {
			return p
		}
	}
	return program
}

func findStarted(ts *testscript.TestScript, name string) *started {
	startedMu.Lock()
	defer startedMu.Unlock()
	s := startedBy[ts.Getenv("WORK")+"\x00"+name]
	if s == nil {
		ts.Fatalf("no process was started as %q", name)
	}
	return s
}

// waitfor NAME REGEX [DURATION] waits until the output of a started process matches (default 60s).
// waitfor NAME exit [DURATION] waits until it has ended.
func cmdWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: waitfor NAME REGEX|exit [DURATION]")
	}
	limit := time.Minute
	if len(args) == 3 {
		var err error
		limit, err = time.ParseDuration(args[2])
		ts.Check(err)
	}
	s := findStarted(ts, args[0])
	deadline := time.After(limit)
	file := filepath.Join(ts.Getenv("WORK"), args[0]+".out")
	re := regexp.MustCompile("(?m)" + args[1])
	for ended := false; ; {
		if args[1] != "exit" {
			if out, _ := os.ReadFile(file); re.Match(out) {
				return
			} else if ended {
				ts.Fatalf("%s ended before %q; its output:\n%s", args[0], args[1], out)
			}
		}
		select {
		case <-s.done:
			if args[1] == "exit" {
				return
			}
			ended = true
		case <-deadline:
			out, _ := os.ReadFile(file)
			ts.Fatalf("no %q of %s in %v; its output:\n%s", args[1], args[0], limit, out)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop NAME [SIGNAL] sends a signal by number to the process, or kills its group and waits.
func cmdStop(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: stop NAME [SIGNAL]")
	}
	s := findStarted(ts, args[0])
	if len(args) == 1 {
		s.kill()
		return
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(s.cmd.Process.Signal(syscall.Signal(n)))
}

// append FILE TEXT… adds a line to a file.
func cmdAppend(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: append FILE TEXT…")
	}
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	ts.Check(err)
	defer f.Close()
	_, err = fmt.Fprintln(f, strings.Join(args[1:], " "))
	ts.Check(err)
}
