package checks

import (
	"strings"
	"testing"

	"tfguard/probe"
)

var someone = probe.Of([]probe.Reader{{Package: "tensorflow", File: "libtensorflow_framework.so.2", Native: true}}, "test")

// v is a variable that something reads.
func v(name, value string) probe.Variable {
	return probe.Variable{Name: name, Value: value, Set: true, Owned: strings.HasPrefix(name, "TF_"), Readers: someone, Origin: probe.Origin{Kind: "shell"}}
}

// nobody's is a variable that nothing reads.
func nobodys(name, value string, similar ...string) probe.Variable {
	x := v(name, value)
	x.Owned, x.Readers, x.Similar = true, probe.Of[[]probe.Reader](nil, "test"), similar
	return x
}

func in(x probe.Variable, o probe.Origin) probe.Variable { x.Origin = o; return x }

// outcome is "status certainty" of the worst finding, and all summaries.
func outcome(t *testing.T, id string, s *probe.Snapshot) (string, string) {
	t.Helper()
	c := Lookup(id)
	if c == nil {
		t.Fatalf("no check %s", id)
	}
	rank := map[Status]int{Fail: 4, Warn: 3, Unknown: 2, Pass: 1, Skip: 0}
	best, all := Finding{Status: "none"}, ""
	for i, f := range c.Live(s) {
		if i == 0 || rank[f.Status] > rank[best.Status] {
			best = f
		}
		all += f.Summary + "\n"
	}
	return strings.TrimSpace(string(best.Status) + " " + string(best.Certainty)), all
}

func TestVariableChecks(t *testing.T) {
	shell := func(vars ...probe.Variable) *probe.Snapshot {
		return &probe.Snapshot{Environ: append([]probe.Variable{}, vars...), Host: probe.Host{Cores: 4},
			Interpreter: &probe.Interpreter{TensorFlow: probe.Of(probe.TFInstall{Version: "9.1", Dist: "tensorflow-cpu"}, "")}}
	}
	unread := v("TF_X", "1")
	unread.Readers = probe.Unread[[]probe.Reader]("", "no TensorFlow")
	mention := v("TF_X", "1")
	mention.Readers = probe.Of([]probe.Reader{{File: "a.py", How: "mention"}}, "")
	unknownFlag := v("XLA_FLAGS", "--xla_bogus=1")
	unknownFlag.UnknownFlags = []string{"xla_bogus"}
	effect := func(x probe.Variable, threads string, changed bool) probe.Variable {
		f := probe.Of(threads, "/proc/1/task")
		x.InEffect, x.Changed, x.Origin = &f, changed, probe.Origin{Kind: "process", PID: 1}
		return x
	}
	unresolved := v("TF_NUM_INTRAOP_THREADS", "${N}")
	unresolved.Unresolved = true
	buildOnly := v("TF_NUM_INTRAOP_THREADS", "4")
	buildOnly.BuildOnly, buildOnly.Origin = true, probe.Origin{Kind: "dockerfile", File: "Dockerfile", Line: 2}
	at := func(x probe.Variable, line int) probe.Variable {
		return in(x, probe.Origin{Kind: "dotenv", File: ".env", Line: line, Column: 1, Scope: ".env"})
	}

	for _, tt := range []struct {
		name, id string
		s        *probe.Snapshot
		want     string
		summary  string
	}{
		{"not looked at", "TFG101", &probe.Snapshot{}, "none", ""},
		{"nothing set", "TFG101", shell(), "pass proven", "no variable is set"},
		{"read", "TFG101", shell(v("TF_X", "1")), "pass proven", "1 relevant variable set"},
		{"read by nothing", "TFG101", shell(nobodys("TF_PROFILER_DISABLE", "1", "TF_DISABLE_PROFILING")), "warn proven", "nothing in TensorFlow 9.1 reads TF_PROFILER_DISABLE; TF_DISABLE_PROFILING is the name"},
		{"only mentioned", "TFG101", shell(mention), "warn likely", "seems to read"},
		{"cannot be told", "TFG101", shell(unread), "unknown unknown", "no TensorFlow"},

		{"good bool", "TFG102", shell(v("TF_DISABLE_PROFILING", "TRUE")), "pass proven", ""},
		{"bad bool", "TFG102", shell(v("TF_DISABLE_PROFILING", "yes")), "fail proven", ""},
		{"growth takes true", "TFG102", shell(v("TF_FORCE_GPU_ALLOW_GROWTH", "true")), "pass proven", ""},
		{"growth refuses 1", "TFG102", shell(v("TF_FORCE_GPU_ALLOW_GROWTH", "1")), "fail proven", "TF_FORCE_GPU_ALLOW_GROWTH=1 is not accepted"},
		{"growth refuses True", "TFG102", shell(v("TF_FORCE_GPU_ALLOW_GROWTH", "True")), "fail proven", ""},
		{"log level 4", "TFG102", shell(v("TF_CPP_MIN_LOG_LEVEL", "4")), "pass proven", ""},
		{"log level 5", "TFG102", shell(v("TF_CPP_MIN_LOG_LEVEL", "5")), "fail proven", ""},
		{"log level text", "TFG102", shell(v("TF_CPP_MIN_LOG_LEVEL", "ERROR")), "fail proven", ""},
		{"threads text", "TFG102", shell(v("TF_NUM_INTRAOP_THREADS", "four")), "fail proven", ""},
		{"negative threads", "TFG102", shell(v("TF_NUM_INTRAOP_THREADS", "-1")), "fail proven", ""},
		{"no devices", "TFG102", shell(v("CUDA_VISIBLE_DEVICES", "")), "pass proven", ""},
		{"devices", "TFG102", shell(v("CUDA_VISIBLE_DEVICES", "0,GPU-8932f937-d72c-4106-c12f-20bd9faed9f6")), "pass proven", ""},
		{"devices text", "TFG102", shell(v("CUDA_VISIBLE_DEVICES", "none")), "fail proven", ""},
		{"unknown flag", "TFG102", shell(unknownFlag), "fail likely", "xla_bogus"},
		{"an inert variable's value is not judged", "TFG102", shell(nobodys("TF_NUM_INTRAOP_THREADS", "four")), "pass proven", "0 values"},
		{"an expression is not judged", "TFG102", shell(unresolved), "pass proven", ""},

		{"one inter-op thread", "TFG103", shell(v("TF_NUM_INTEROP_THREADS", "1")), "warn likely", ""},
		{"two", "TFG103", shell(v("TF_NUM_INTEROP_THREADS", "2")), "pass proven", ""},
		{"one, but not in effect", "TFG103", shell(effect(v("TF_NUM_INTEROP_THREADS", "1"), "3", true)), "pass proven", ""},
		{"growth false", "TFG104", shell(v("TF_FORCE_GPU_ALLOW_GROWTH", "false")), "warn proven", ""},
		{"growth true", "TFG104", shell(v("TF_FORCE_GPU_ALLOW_GROWTH", "true")), "pass proven", ""},
		{"verbose", "TFG105", shell(v("TF_CPP_MAX_VLOG_LEVEL", "3")), "warn proven", "level 3"},
		{"not verbose", "TFG105", shell(v("TF_CPP_MAX_VLOG_LEVEL", "0"), v("NCCL_DEBUG", "warn")), "pass proven", ""},
		{"dump", "TFG105", shell(v("XLA_FLAGS", "--xla_dump_to=/tmp/x")), "warn proven", "dumps"},

		{"verbose and hidden", "TFG106", shell(v("TF_CPP_MAX_VLOG_LEVEL", "3"), v("TF_CPP_MIN_LOG_LEVEL", "1")), "warn proven", "shows nothing"},
		{"growth on a hidden GPU", "TFG106", shell(v("CUDA_VISIBLE_DEVICES", "-1"), v("TF_FORCE_GPU_ALLOW_GROWTH", "true")), "warn proven", "hides every GPU"},
		{"growth on a GPU", "TFG106", shell(v("CUDA_VISIBLE_DEVICES", "0"), v("TF_FORCE_GPU_ALLOW_GROWTH", "true")), "pass proven", ""},
		{"set twice", "TFG106", shell(at(v("TF_X", "1"), 1), at(v("TF_X", "2"), 9)), "warn proven", "TF_X is set twice; 1 here is replaced by 2"},
		{"set twice alike", "TFG106", shell(at(v("TF_X", "1"), 1), at(v("TF_X", "1"), 9)), "pass proven", ""},
		{"two processes do not contradict each other", "TFG106", shell(v("CUDA_VISIBLE_DEVICES", "-1"), at(v("TF_FORCE_GPU_ALLOW_GROWTH", "true"), 1)), "pass proven", ""},

		{"a shell cannot be late", "TFG107", shell(v("TF_NUM_INTEROP_THREADS", "1")), "skip unknown", ""},
		{"too late", "TFG107", shell(effect(v("TF_NUM_INTEROP_THREADS", "1"), "3", true)), "warn proven", "set too late"},
		{"not in effect", "TFG107", shell(effect(v("TF_NUM_INTEROP_THREADS", "1"), "3", false)), "warn likely", "not in effect"},
		{"in effect", "TFG107", shell(effect(v("TF_NUM_INTEROP_THREADS", "3"), "3", true)), "pass likely", ""},
		{"default", "TFG107", shell(effect(v("TF_NUM_INTEROP_THREADS", "0"), "3", false)), "pass likely", ""},

		{"as many as cores", "TFG108", shell(v("OMP_NUM_THREADS", "8")), "pass proven", ""},
		{"too many", "TFG108", shell(v("OMP_NUM_THREADS", "9")), "warn likely", "9 threads where this host has 4 CPUs"},
		{"another machine's file", "TFG108", shell(at(v("OMP_NUM_THREADS", "99"), 1)), "pass proven", ""},

		{"no cluster", "TFG109", shell(v("TF_X", "1")), "skip proven", ""},
		{"errors hidden", "TFG110", shell(v("TF_CPP_MIN_LOG_LEVEL", "3")), "warn proven", ""},
		{"warnings hidden", "TFG110", shell(v("TF_CPP_MIN_LOG_LEVEL", "2")), "pass proven", ""},
		{"build argument", "TFG111", shell(buildOnly), "warn proven", ""},
		{"no image", "TFG111", shell(), "none", ""},
	} {
		t.Run(tt.id+" "+tt.name, func(t *testing.T) {
			got, text := outcome(t, tt.id, tt.s)
			if got != tt.want || !strings.Contains(text, tt.summary) {
				t.Errorf("%q, want %q and %q:\n%s", got, tt.want, tt.summary, text)
			}
		})
	}
}

func TestGuideIsJudgedSetOrNot(t *testing.T) {
	s := &probe.Snapshot{}
	for _, g := range guideNames {
		x := v(g.name, "")
		x.Set = false
		if strings.Contains(g.name, "DEPRECATION") || strings.Contains(g.name, "LOGGING") || strings.Contains(g.name, "PROFILER") {
			x = nobodys(g.name, "")
			x.Set = false
		}
		s.Environ = append(s.Environ, x)
	}
	for _, f := range Lookup("TFG101").Live(s) {
		if f.Subject == "guide" {
			if len(f.Evidence) != 8 || !strings.Contains(f.Summary, "5 have a reader") || !strings.Contains(f.Summary, "3 have none") {
				t.Errorf("%s: %q", f.Summary, f.Evidence)
			}
			return
		}
	}
	t.Error("the guide was not judged")
}

func TestClusterProblems(t *testing.T) {
	two := `"cluster":{"worker":["a:1","b:2"]}`
	for _, tt := range []struct{ config, want string }{
		{`{}`, ""},
		{`{"task":{"type":"worker","index":0}}`, ""},
		{`{` + two + `,"task":{"type":"worker","index":1}}`, ""},
		{`{` + two + `,"task":{"type":"worker","index":"1"}}`, ""},
		{`{` + two + `,"task":{"type":"evaluator","index":0}}`, ""},
		{`{"cluster":{"worker":{"0":"a:1"}},"task":{"type":"worker","index":0}}`, ""},
		{`{`, "no JSON"},
		{`[]`, "not of the form"},
		{`{` + two + `}`, "no task"},
		{`{` + two + `,"task":{"type":"worker","index":2}}`, "the task is worker 2, but the cluster has 2 members"},
		{`{` + two + `,"task":{"type":"ps","index":0}}`, `"ps", which the cluster has not (it has worker)`},
		{`{` + two + `,"task":{"type":"worker","index":"x"}}`, "is no number"},
		{`{"cluster":{"worker":["a:1","a:1"]},"task":{"type":"worker","index":0}}`, "worker 0 and worker 1 have the same address a:1"},
		{`{"cluster":{"worker":["a"]},"task":{"type":"worker","index":0}}`, "no host:port"},
		{`{"cluster":{"chief":["a:1","b:1"]},"task":{"type":"chief","index":0}}`, "2 chiefs"},
		{`{"cluster":{"worker":7},"task":{"type":"worker","index":0}}`, "no list of addresses"},
	} {
		got := strings.Join(clusterProblems(tt.config), "; ")
		if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.config, got, tt.want)
		}
	}
}

func FuzzClusterProblems(f *testing.F) {
	f.Add(`{"cluster":{"worker":["a:1"]},"task":{"type":"worker","index":0}}`)
	f.Fuzz(func(t *testing.T, s string) { clusterProblems(s) })
}

func TestServiceChecks(t *testing.T) {
	full := func() probe.Service {
		s := probe.Service{Workload: "Deployment", Origin: probe.Origin{File: "k.yaml", Line: 3, Scope: "Deployment d, container c"}}
		s.Memory = probe.Setting[uint64]{Value: 1, Set: true, Applies: true}
		s.CPU = probe.Setting[float64]{Value: 1, Set: true, Applies: true}
		s.Health = probe.Setting[string]{Set: true, Applies: true}
		s.Readiness = s.Health
		s.Command = probe.Setting[string]{Value: "python", Set: true, Applies: true}
		s.StopSecs = probe.Setting[float64]{Value: 30, Set: true, Applies: true}
		s.WorkerTimeout = probe.Setting[float64]{Value: 30, Set: true}
		return s
	}
	for _, tt := range []struct {
		id     string
		change func(*probe.Service)
		want   string
	}{
		{"TFG601", func(s *probe.Service) { s.Memory.Set = false }, "warn proven"},
		{"TFG602", func(s *probe.Service) { s.CPU.Set = false }, "warn proven"},
		{"TFG603", func(s *probe.Service) { s.Shell = "shell form" }, "warn likely"},
		{"TFG604", func(s *probe.Service) { s.Health.Set = false }, "warn proven"},
		{"TFG604", func(s *probe.Service) { s.Health.Set = false; s.Workload = "Job" }, "skip proven"},
		{"TFG604", func(s *probe.Service) { s.Health.Set = false; s.Init = true }, "skip proven"},
		{"TFG605", func(s *probe.Service) { s.Readiness.Set = false }, "warn proven"},
		{"TFG606", func(s *probe.Service) { s.StopSecs.Value = 0 }, "warn proven"},
		{"TFG606", func(s *probe.Service) { s.StopSecs.Value = -1 }, "warn proven"},
		{"TFG606", func(s *probe.Service) { s.StopSecs.Value = 0; s.StopSecs.Unresolved = true }, "pass proven"},
		{"TFG606", func(s *probe.Service) { s.StopSignal = probe.Setting[string]{Value: "SIGKILL", Set: true} }, "warn proven"},
		{"TFG606", func(s *probe.Service) { s.KillMode = probe.Setting[string]{Value: "none", Set: true, Applies: true} }, "warn proven"},
		{"TFG607", func(s *probe.Service) { s.MissingSources = []probe.MissingSource{{Name: "a.env", Why: "no such file"}} }, "fail proven"},
		{"TFG607", func(s *probe.Service) { s.MissingSources = []probe.MissingSource{{Name: "Secret s", Outside: true}} }, "unknown unknown"},
		{"TFG608", func(s *probe.Service) { s.WorkerTimeout.Value = 0 }, "warn proven"},
	} {
		good := full()
		if got, text := outcome(t, tt.id, &probe.Snapshot{Services: []probe.Service{good}}); got != "pass proven" {
			t.Errorf("%s on a good service: %s %s", tt.id, got, text)
		}
		bad := full()
		tt.change(&bad)
		if got, text := outcome(t, tt.id, &probe.Snapshot{Services: []probe.Service{bad}}); got != tt.want {
			t.Errorf("%s: %s, want %s: %s", tt.id, got, tt.want, text)
		}
		if fs := Lookup(tt.id).Live(&probe.Snapshot{}); fs != nil {
			t.Errorf("%s without services: %v", tt.id, fs)
		}
	}
	fork := full()
	fork.Workload, fork.Preload, fork.Workers = "gunicorn", probe.Setting[bool]{Value: true, Set: true, Line: 4}, probe.Setting[int]{Value: 3, Set: true}
	fs := PreloadForks(&probe.Snapshot{Services: []probe.Service{full(), fork}})
	if len(fs) != 1 || fs[0].Where.Line != 4 || fs[0].Certainty != Likely || !strings.Contains(fs[0].Summary, "3 workers") {
		t.Errorf("preload: %+v", fs)
	}
}
