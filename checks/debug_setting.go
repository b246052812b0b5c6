package checks

import (
	"fmt"
	"strings"

	"tfguard/probe"
)

// TFG105: a debugging switch that slows, serialises or floods.
func init() {
	Register(&Check{
		ID: "TFG105", Slug: "debug-setting-left-on",
		Title: "A debugging variable slows the program down or fills its log",
		Why: "Verbose logs of TensorFlow, gRPC and NCCL write thousands of lines a second, and a program whose log goes into a pipe that is read slowly then waits in write (TFG413). " +
			"TF_SYNC_ON_FINISH and CUDA_LAUNCH_BLOCKING make every step wait for the device; dump directories fill a disk.",
		Proof:    "The variable is set to a value that switches the facility on, and something installed reads it.",
		Fix:      "Remove it once the debugging is over.",
		Links:    []string{"tensorflow/tensorflow: tsl/platform/default/logging.cc", "grpc: doc/trace_flags.md", "NCCL, Environment Variables", "openxla/xla: xla/debug_options_flags.cc"},
		Severity: Warning, Basis: Documented,
		Live: debugSettings,
	})
}

func isOn(s string) bool {
	switch strings.ToLower(s) {
	case "", "0", "false", "no", "off":
		return false
	}
	return true
}

// debugSwitches say what a value does; an empty answer is no finding.
var debugSwitches = map[string]func(string) string{
	"TF_CPP_MAX_VLOG_LEVEL": func(v string) string {
		if n, ok := intValue(v); ok && n > 0 {
			return fmt.Sprintf("writes verbose messages up to level %d for every operation", n)
		}
		return ""
	},
	"TF_CPP_VMODULE":          switchOn("writes verbose messages of the modules named"),
	"TF_SYNC_ON_FINISH":       switchOn("makes each step wait until the device is done"),
	"TF_DUMP_GRAPH_PREFIX":    switchOn("writes graphs to disk at every rewrite"),
	"TF_CPU_DEBUG_OPS_TO_LOG": switchOn("logs operations as they run"),
	"TF_LOG_XLA_ACTIVITY":     switchOn("logs every XLA compilation"),
	"CUDA_LAUNCH_BLOCKING":    switchOn("makes every kernel launch wait for the kernel"),
	"GRPC_TRACE":              switchOn("writes gRPC's internal events"),
	"GRPC_VERBOSITY": func(v string) string {
		if strings.EqualFold(v, "debug") {
			return "writes gRPC's debug messages"
		}
		return ""
	},
	"NCCL_DEBUG": func(v string) string {
		if u := strings.ToUpper(v); u == "TRACE" || u == "INFO" {
			return "writes a line for each collective setup (WARN keeps the errors)"
		}
		return ""
	},
	"XLA_FLAGS": func(v string) string {
		if strings.Contains(v, "--xla_dump_to") {
			return "dumps every compiled module to disk"
		}
		return ""
	},
	"ONEDNN_VERBOSE": switchOn("writes a line for each primitive"),
	"DNNL_VERBOSE":   switchOn("writes a line for each primitive"),
	"MKL_VERBOSE":    switchOn("writes a line for each call"),
	"PYTHONDEVMODE":  switchOn("runs Python with its debugging allocator and checks"),
}

func switchOn(what string) func(string) string {
	return func(v string) string {
		if isOn(v) {
			return what
		}
		return ""
	}
}

func debugSettings(s *probe.Snapshot) []Finding {
	if s.Environ == nil {
		return nil
	}
	var out []Finding
	for _, v := range judged(s) {
		does := debugSwitches[v.Name]
		if does == nil {
			continue
		}
		if what := does(v.Value); what != "" {
			f := finding(v, Warn, Proven, fmt.Sprintf("%s=%s %s", v.Name, quoteEmpty(v.Value), what))
			f.Evidence = append(f.Evidence, "read by "+readers(v))
			f.Remedy = []string{"remove it once the debugging is over"}
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		return noneSet("no debugging variable is left on")
	}
	return out
}
