package checks

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A valueRule is what a reader accepts, and what it does with anything else.
type valueRule struct {
	accepts func(string) bool
	want    string // "true or false"
	else_   string // what happens with another value
	source  string // where that is to be read
}

const (
	tslEnvVar  = "tsl/util/env_var.cc"
	processUse = "tensorflow/core/common_runtime/process_util.cc"
	tslLogging = "tsl/platform/default/logging.cc"
)

// As in ReadBoolFromEnvVar: 0, 1, true and false, without regard to case.
func tfBool(s string) bool {
	switch strings.ToLower(s) {
	case "0", "1", "true", "false":
		return true
	}
	return false
}

func oneOf(values ...string) func(string) bool {
	return func(s string) bool {
		for _, v := range values {
			if s == v {
				return true
			}
		}
		return false
	}
}

func integer(low, high int64) func(string) bool {
	return func(s string) bool {
		n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
		return err == nil && n >= low && n <= high
	}
}

func boolRule() valueRule {
	return valueRule{tfBool, "0, 1, true or false", "TensorFlow logs an error and keeps its default", tslEnvVar}
}

var (
	threadList = regexp.MustCompile(`^\s*[1-9][0-9]*(\s*,\s*[1-9][0-9]*)*\s*$`)
	deviceList = regexp.MustCompile(`^\s*(-?[0-9]+|GPU-[0-9a-fA-F-]+|MIG-[0-9a-zA-Z/-]+)(\s*,\s*(-?[0-9]+|GPU-[0-9a-fA-F-]+|MIG-[0-9a-zA-Z/-]+))*\s*$`)
	flagsValue = regexp.MustCompile(`^\s*(--\S.*|[^-\s]\S*)?\s*$`)
	vmodule    = regexp.MustCompile(`^[^=,]+=[0-9]+(,[^=,]+=[0-9]+)*$`)
)

var valueRules = map[string]valueRule{
	"TF_FORCE_GPU_ALLOW_GROWTH": {oneOf("true", "false"), "true or false, in small letters", "TensorFlow logs an error and keeps the program's own setting", "tensorflow/core/common_runtime/gpu/gpu_device.cc"},
	"TF_CPP_MIN_LOG_LEVEL":      {integer(0, 4), "0 (all), 1 (no information), 2 (no warnings), 3 (no errors)", "a text counts as 0", tslLogging},
	"TF_CPP_MAX_VLOG_LEVEL":     {integer(0, 10), "0 to 10", "a text counts as 0", tslLogging},
	"TF_CPP_VMODULE":            {vmodule.MatchString, "module=level,…", "what does not parse is dropped", tslLogging},
	"TF_NUM_INTEROP_THREADS":    {integer(0, 1<<15), "a number of threads (0: one for each CPU)", "it is ignored without a word", processUse},
	"TF_NUM_INTRAOP_THREADS":    {integer(0, 1<<15), "a number of threads (0: one for each CPU)", "it is ignored without a word", "tensorflow/core/common_runtime/local_device.cc"},
	"TF_GPU_THREAD_MODE":        {oneOf("global", "gpu_private", "gpu_shared"), "global, gpu_private or gpu_shared", "creating the GPU device fails", "tensorflow/core/common_runtime/gpu/gpu_device.cc"},
	"TF_GPU_THREAD_COUNT":       {integer(1, 1<<10), "a number of threads", "TensorFlow logs an error and keeps its default", tslEnvVar},
	"TF_ENABLE_ONEDNN_OPTS":     boolRule(),
	"TF_DETERMINISTIC_OPS":      boolRule(),
	"TF_CUDNN_USE_AUTOTUNE":     boolRule(),
	"TF_SYNC_ON_FINISH":         boolRule(),
	"TF_DISABLE_PROFILING":      boolRule(),
	"TF_FORCE_UNIFIED_MEMORY":   boolRule(),
	"TF_CPU_ALLOCATOR_USE_BFC":  boolRule(),
	"TF_GRPC_REUSE_PORT":        boolRule(),
	"TF_OVERRIDE_GLOBAL_THREADPOOL": {
		tfBool, "0, 1, true or false", "TensorFlow logs an error and keeps its default", tslEnvVar},
	"TF_CLUSTER_COORDINATOR_WATCH_DOG_TIMEOUT": {integer(-1, 1<<31), "seconds (-1: off)", "the import of the coordinator raises ValueError", "tensorflow/python/distribute/coordinator/watchdog.py"},
	"KERAS_BACKEND":            {oneOf("tensorflow", "jax", "torch", "numpy", "openvino", ""), "tensorflow, jax, torch, numpy or openvino", "importing keras raises ValueError", "keras/src/backend/config.py"},
	"XLA_FLAGS":                {flagsValue.MatchString, "--flag=value …, or the name of a file that holds them", "the process aborts at the first use of XLA", "xla/parse_flags_from_env.cc"},
	"TF_XLA_FLAGS":             {flagsValue.MatchString, "--flag=value …, or the name of a file that holds them", "the process aborts at the first use of XLA", "xla/parse_flags_from_env.cc"},
	"CUDA_VISIBLE_DEVICES":     {func(s string) bool { return s == "" || s == "NoDevFiles" || deviceList.MatchString(s) }, "indices, GPU-UUIDs, or -1 for none", "the driver stops at the first entry that it does not know, so that no GPU is left", "CUDA C++ Programming Guide"},
	"OMP_NUM_THREADS":          {threadList.MatchString, "a number of threads, or a list for nested levels", "the runtime warns and uses its default", "OpenMP 5.2 specification, 21.1.2"},
	"MKL_NUM_THREADS":          {threadList.MatchString, "a number of threads", "it is ignored", "oneMKL developer guide"},
	"OPENBLAS_NUM_THREADS":     {threadList.MatchString, "a number of threads", "it is ignored", "OpenBLAS USAGE.md"},
	"NCCL_DEBUG":               {func(s string) bool { return oneOf("VERSION", "WARN", "INFO", "ABORT", "TRACE")(strings.ToUpper(s)) }, "VERSION, WARN, INFO or TRACE", "nothing is printed", "NCCL, Environment Variables"},
	"GRPC_ENABLE_FORK_SUPPORT": {func(s string) bool { return tfBool(s) || oneOf("yes", "no", "t", "f", "y", "n")(strings.ToLower(s)) }, "0 or 1", "gRPC logs an error and keeps its default", "grpc: doc/environment_variables.md"},
	"CUDA_LAUNCH_BLOCKING":     {oneOf("0", "1"), "0 or 1", "it is ignored", "CUDA C++ Programming Guide"},
	"MALLOC_ARENA_MAX":         {integer(0, 1<<20), "a number of arenas", "it is ignored", "mallopt(3)"},
}

// number reads a value as an integer as TensorFlow would; ok is false for a text.
func intValue(s string) (int, bool) {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	return n, err == nil
}

func describeRule(r valueRule) string { return fmt.Sprintf("it takes %s (%s)", r.want, r.source) }
