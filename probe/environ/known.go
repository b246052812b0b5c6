package environ

import (
	"regexp"
	"strings"

	"tfguard/probe"
)

// documented are variables read by something that is not a file of the Python environment (the CUDA driver, a libc, an
// OpenMP runtime that a wheel brings along, CPython itself), with the document that says so. Everything else is asked in the files.
var documented = []struct {
	reader, source string
	names          string // separated by spaces
}{
	{"CUDA driver", "CUDA C++ Programming Guide, CUDA Environment Variables",
		"CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER CUDA_LAUNCH_BLOCKING CUDA_DEVICE_MAX_CONNECTIONS CUDA_MANAGED_FORCE_DEVICE_ALLOC " +
			"CUDA_CACHE_DISABLE CUDA_CACHE_PATH CUDA_CACHE_MAXSIZE CUDA_FORCE_PTX_JIT CUDA_DISABLE_PTX_JIT CUDA_FORCE_JIT CUDA_DISABLE_JIT " +
			"CUDA_MODULE_LOADING CUDA_MODULE_DATA_LOADING CUDA_AUTO_BOOST CUDA_DEVICE_WAITS_ON_EXCEPTION CUDA_DEVICE_DEFAULT_PERSISTING_L2_CACHE_PERCENTAGE_LIMIT " +
			"CUDA_MPS_PIPE_DIRECTORY CUDA_MPS_LOG_DIRECTORY CUDA_MPS_ACTIVE_THREAD_PERCENTAGE CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"},
	{"NVIDIA Container Toolkit", "NVIDIA Container Toolkit, Specialized Configurations with Docker",
		"NVIDIA_VISIBLE_DEVICES NVIDIA_DRIVER_CAPABILITIES NVIDIA_REQUIRE_CUDA NVIDIA_DISABLE_REQUIRE NVIDIA_MIG_CONFIG_DEVICES NVIDIA_MIG_MONITOR_DEVICES"},
	{"cuBLAS", "NVIDIA cuBLAS library, results reproducibility", "CUBLAS_WORKSPACE_CONFIG CUBLAS_LOGINFO_DBG CUBLAS_LOGDEST_DBG NVIDIA_TF32_OVERRIDE"},
	{"cuDNN", "NVIDIA cuDNN, logging", "CUDNN_LOGINFO_DBG CUDNN_LOGWARN_DBG CUDNN_LOGERR_DBG CUDNN_LOGDEST_DBG CUDNN_LOGLEVEL_DBG"},
	{"NCCL", "NVIDIA NCCL, Environment Variables",
		"NCCL_DEBUG NCCL_DEBUG_FILE NCCL_DEBUG_SUBSYS NCCL_SOCKET_IFNAME NCCL_SOCKET_FAMILY NCCL_SOCKET_NTHREADS NCCL_NSOCKS_PERTHREAD NCCL_IB_DISABLE " +
			"NCCL_IB_HCA NCCL_IB_TIMEOUT NCCL_IB_RETRY_CNT NCCL_IB_GID_INDEX NCCL_NET NCCL_NET_PLUGIN NCCL_NET_GDR_LEVEL NCCL_P2P_DISABLE NCCL_P2P_LEVEL " +
			"NCCL_SHM_DISABLE NCCL_BUFFSIZE NCCL_NTHREADS NCCL_MAX_NCHANNELS NCCL_MIN_NCHANNELS NCCL_ALGO NCCL_PROTO NCCL_TOPO_FILE NCCL_LAUNCH_MODE " +
			"NCCL_COMM_BLOCKING NCCL_COMM_ID NCCL_CROSS_NIC NCCL_CONF_FILE NCCL_NVLS_ENABLE NCCL_CUMEM_ENABLE NCCL_IGNORE_CPU_AFFINITY NCCL_CHECK_POINTERS"},
	{"ROCm runtime", "ROCm, GPU isolation techniques", "HIP_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES GPU_DEVICE_ORDINAL HSA_OVERRIDE_GFX_VERSION AMD_LOG_LEVEL"},
	{"OpenMP runtime", "OpenMP 5.2 specification, chapter 21",
		"OMP_NUM_THREADS OMP_SCHEDULE OMP_DYNAMIC OMP_PROC_BIND OMP_PLACES OMP_STACKSIZE OMP_WAIT_POLICY OMP_MAX_ACTIVE_LEVELS OMP_NESTED OMP_THREAD_LIMIT " +
			"OMP_CANCELLATION OMP_DISPLAY_ENV OMP_DISPLAY_AFFINITY OMP_AFFINITY_FORMAT OMP_DEFAULT_DEVICE OMP_MAX_TASK_PRIORITY OMP_TARGET_OFFLOAD OMP_TOOL OMP_TOOL_LIBRARIES OMP_TEAMS_THREAD_LIMIT OMP_NUM_TEAMS"},
	{"LLVM/Intel OpenMP runtime", "LLVM OpenMP runtime reference",
		"KMP_AFFINITY KMP_BLOCKTIME KMP_SETTINGS KMP_DUPLICATE_LIB_OK KMP_HW_SUBSET KMP_INIT_AT_FORK KMP_STACKSIZE KMP_TOPOLOGY_METHOD KMP_DETERMINISTIC_REDUCTION KMP_WARNINGS KMP_VERSION KMP_ALL_THREADS KMP_LIBRARY"},
	{"GNU OpenMP runtime", "GCC libgomp manual, environment variables", "GOMP_CPU_AFFINITY GOMP_SPINCOUNT GOMP_STACKSIZE GOMP_DEBUG GOMP_RTEMS_THREAD_POOLS"},
	{"oneMKL", "oneMKL developer guide, environment variables", "MKL_NUM_THREADS MKL_DYNAMIC MKL_DOMAIN_NUM_THREADS MKL_VERBOSE MKL_THREADING_LAYER MKL_INTERFACE_LAYER MKL_ENABLE_INSTRUCTIONS MKL_CBWR MKL_DISABLE_FAST_MM"},
	{"oneDNN", "oneDNN developer guide, run-time controls",
		"ONEDNN_VERBOSE ONEDNN_VERBOSE_TIMESTAMP ONEDNN_MAX_CPU_ISA ONEDNN_CPU_ISA_HINTS ONEDNN_JIT_DUMP ONEDNN_JIT_PROFILE ONEDNN_PRIMITIVE_CACHE_CAPACITY ONEDNN_DEFAULT_FPMATH_MODE DNNL_VERBOSE DNNL_MAX_CPU_ISA DNNL_PRIMITIVE_CACHE_CAPACITY"},
	{"CPython", "CPython documentation, command line and environment",
		"PYTHONFAULTHANDLER PYTHONUNBUFFERED PYTHONHASHSEED PYTHONDEVMODE PYTHONMALLOC PYTHONASYNCIODEBUG PYTHONTRACEMALLOC PYTHONPATH PYTHONSTARTUP PYTHONNOUSERSITE PYTHONDONTWRITEBYTECODE PYTHON_GIL PYTHON_CPU_COUNT"},
	{"glibc", "glibc manual, malloc tunable parameters", "MALLOC_ARENA_MAX MALLOC_TRIM_THRESHOLD_ MALLOC_MMAP_THRESHOLD_ MALLOC_TOP_PAD_ GLIBC_TUNABLES"},
}

var documentedByName = func() map[string]probe.Reader {
	m := map[string]probe.Reader{}
	for _, d := range documented {
		for _, n := range strings.Fields(d.names) {
			m[n] = probe.Reader{Package: d.reader, File: d.source, Native: true, How: "documented"}
		}
	}
	return m
}()

func documentedReader(name string) (probe.Reader, bool) {
	r, ok := documentedByName[name]
	return r, ok
}

// foreign are variables that begin like TensorFlow's but belong to other programs; they are left alone.
// Terraform: developer.hashicorp.com/terraform/cli/config/environment-variables.
var foreign = regexp.MustCompile(`^TF_(VAR_.*|CLI_ARGS.*|LOG|LOG_CORE|LOG_PROVIDER|LOG_PATH|INPUT|IN_AUTOMATION|DATA_DIR|WORKSPACE|PLUGIN_CACHE_DIR|PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE|REGISTRY_.*|IGNORE|CLI_CONFIG_FILE|STATE_PERSIST_INTERVAL|REATTACH_PROVIDERS|TOKEN_.*|ACC|ENCRYPTION|CLOUD_.*)$`)

// namespaces are the beginnings of names whose readers are in the Python environment's own files: a name here that no file
// contains is read by nothing.
var namespaces = []string{"TF_", "TF2_", "TFRT_", "XLA_", "TENSORFLOW_", "KERAS_", "AUTOGRAPH_", "DTENSOR_", "GRPC_", "TPU_", "TF_KERAS_", "HOROVOD_", "ITEX_"}

// neighbours are beginnings of names that decide how a TensorFlow program runs though they are not TensorFlow's.
var neighbours = []string{"CUDA_", "CUDNN_", "CUBLAS_", "NVIDIA_", "NCCL_", "HIP_", "ROCR_", "OMP_", "KMP_", "GOMP_", "MKL_", "ONEDNN_", "DNNL_", "OPENBLAS_", "BLIS_", "VECLIB_", "NUMEXPR_", "MALLOC_"}

// exactly are further names that matter to a hang.
var exactly = map[string]bool{
	"PYTHONFAULTHANDLER": true, "PYTHONUNBUFFERED": true, "PYTHONDEVMODE": true, "PYTHON_GIL": true, "PYTHON_CPU_COUNT": true, "PYTHONMALLOC": true,
	"LD_PRELOAD": true, "LD_BIND_NOW": true, "GLIBC_TUNABLES": true, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": true, "WEB_CONCURRENCY": true,
}

// Relevant reports whether a variable can change how a TensorFlow program runs.
func Relevant(name string) bool {
	// TF_VERSION, CUDA_VERSION, …: image builds note what they install.
	if foreign.MatchString(name) || strings.HasSuffix(name, "_VERSION") {
		return false
	}
	return exactly[name] || Owned(name) || hasPrefix(name, neighbours)
}

// Owned reports whether a variable of that name has its readers, if any, among the files that FindReaders indexes.
func Owned(name string) bool {
	return !foreign.MatchString(name) && hasPrefix(name, namespaces) && !strings.HasPrefix(name, "TFGUARD_")
}

// meant are names that people set and nothing reads, with the names that do what was hoped for. A replacement is only shown when
// the installed TensorFlow reads it.
var meant = map[string][]string{
	"TF_PROFILER_DISABLE":            {"TF_DISABLE_PROFILING"},
	"TF_DISABLE_PROFILER":            {"TF_DISABLE_PROFILING"},
	"TF_LOGGING_LEVEL":               {"TF_CPP_MIN_LOG_LEVEL"},
	"TF_LOG_LEVEL":                   {"TF_CPP_MIN_LOG_LEVEL"},
	"TF_MIN_LOG_LEVEL":               {"TF_CPP_MIN_LOG_LEVEL"},
	"TF_CPP_LOG_LEVEL":               {"TF_CPP_MIN_LOG_LEVEL"},
	"TF_CPP_MIN_VLOG_LEVEL":          {"TF_CPP_MAX_VLOG_LEVEL"},
	"TF_CPP_MIN_LOG_THREAD_ID":       {"TF_CPP_LOG_THREAD_ID"},
	"TF_NUM_THREADS":                 {"TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"},
	"TF_INTRA_OP_PARALLELISM":        {"TF_NUM_INTRAOP_THREADS"},
	"TF_INTER_OP_PARALLELISM":        {"TF_NUM_INTEROP_THREADS"},
	"TF_INTRA_OP_THREADS":            {"TF_NUM_INTRAOP_THREADS"},
	"TF_INTER_OP_THREADS":            {"TF_NUM_INTEROP_THREADS"},
	"TF_GPU_ALLOW_GROWTH":            {"TF_FORCE_GPU_ALLOW_GROWTH"},
	"TF_ALLOW_GROWTH":                {"TF_FORCE_GPU_ALLOW_GROWTH"},
	"TF_DISABLE_MKL":                 {"TF_ENABLE_ONEDNN_OPTS"},
	"TF_DISABLE_ONEDNN_OPTS":         {"TF_ENABLE_ONEDNN_OPTS"},
	"TF_VISIBLE_DEVICES":             {"CUDA_VISIBLE_DEVICES"},
	"TF_CUDA_VISIBLE_DEVICES":        {"CUDA_VISIBLE_DEVICES"},
	"TF_KERAS":                       {"TF_USE_LEGACY_KERAS"},
	"TF_XLA_FLAG":                    {"TF_XLA_FLAGS"},
	"XLA_FLAG":                       {"XLA_FLAGS"},
	"TF_CUDNN_DETERMINISTIC":         {"TF_DETERMINISTIC_OPS"},
	"TF_ENABLE_DEPRECATION_WARNINGS": nil,
}

// Similar lists up to n names that the installation reads and that the given one may have stood for, best first: a known
// mistake's real name, then the same words in another order or form, then a few letters' difference.
func (r *Readers) Similar(name string, n int) []string {
	var out []string
	add := func(candidate string) {
		if len(out) < n && candidate != name && r.Reads(candidate) {
			for _, o := range out {
				if o == candidate {
					return
				}
			}
			out = append(out, candidate)
		}
	}
	known, isKnown := meant[name]
	for _, k := range known {
		add(k)
	}
	if isKnown {
		return out
	}
	type scored struct {
		name  string
		score float64
	}
	var best []scored
	consider := func(candidate string) {
		if candidate == name || !Relevant(candidate) || strings.HasSuffix(candidate, "_") {
			return
		}
		if s := likeness(name, candidate); s >= 0.75 {
			best = append(best, scored{candidate, s})
		}
	}
	for candidate := range r.names {
		consider(candidate)
	}
	for candidate := range documentedByName {
		if _, ok := r.names[candidate]; !ok {
			consider(candidate)
		}
	}
	for len(out) < n && len(best) > 0 {
		top := 0
		for i, b := range best {
			if b.score > best[top].score || b.score == best[top].score && b.name < best[top].name {
				top = i
			}
		}
		add(best[top].name)
		best = append(best[:top], best[top+1:]...)
	}
	return out
}

// likeness is 1 for the same name and 0 for nothing in common: the better of two measures, letters changed (1 − distance/length)
// and words in common (two words are one when they share a stem of four letters or more: PROFILER, PROFILING).
func likeness(a, b string) float64 {
	longest := max(len(a), len(b))
	letters := 0.0
	if diff := len(a) - len(b); diff < 8 && diff > -8 {
		if d := distance(a, b); d <= 3 {
			letters = 1 - float64(d)/float64(longest)
		}
	}
	return max(letters, wordsInCommon(strings.Split(a, "_"), strings.Split(b, "_")))
}

func wordsInCommon(a, b []string) float64 {
	used := make([]bool, len(b))
	common := 0
	for _, w := range a {
		for j, v := range b {
			if !used[j] && sameStem(w, v) {
				used[j] = true
				common++
				break
			}
		}
	}
	// The first word (TF, XLA) says little: it counts for the length, and two more must agree.
	if common < 3 {
		return 0
	}
	return float64(common)/float64(max(len(a), len(b))) - 0.01
}

func sameStem(a, b string) bool {
	if a == b {
		return a != ""
	}
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n >= 4 && 2*n > max(len(a), len(b))
}

// distance is the number of letters inserted, removed, changed or swapped with the next between a and b (optimal string alignment).
func distance(a, b string) int {
	two, one, now := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(one[j]+1, now[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], two[j-2]+1)
			}
		}
		two, one, now = one, now, two
	}
	return one[len(b)]
}
