package probe

// A Process is one process as read from outside, twice; nothing in it was stopped for that.
type Process struct {
	PID   int      `json:"pid"`
	PPID  int      `json:"ppid"`
	PGID  int      `json:"pgid,omitempty"`
	SID   int      `json:"sid,omitempty"`
	NSPID int      `json:"ns_pid,omitempty"` // its PID in its own namespace, when that differs
	UID   int      `json:"uid"`
	Name  string   `json:"name"` // comm
	Exe   string   `json:"exe,omitempty"`
	Args  []string `json:"args,omitempty"` // secrets masked
	// State is the kernel's letter: R S D T t Z X.
	State     string  `json:"state"`
	StartTime uint64  `json:"start_time,omitempty"` // clock ticks since boot: with PID, the identity of the process
	AgeSecs   float64 `json:"age_seconds,omitempty"`
	TracerPID int     `json:"tracer_pid,omitempty"`
	RSSBytes  uint64  `json:"rss_bytes,omitempty"`
	CPUSecs   float64 `json:"cpu_seconds,omitempty"`
	// CPUDelta is the CPU time (seconds) that the whole process used between the two looks, BetweenSecs apart.
	CPUDelta    float64 `json:"cpu_delta"`
	BetweenSecs float64 `json:"between_seconds"`

	Fork       *Fork      `json:"fork,omitempty"`
	Python     *Python    `json:"python,omitempty"`
	TensorFlow *TFRuntime `json:"tensorflow,omitempty"`
	Modules    []Module   `json:"modules,omitempty"` // executables and shared objects mapped
	Threads    []Thread   `json:"threads"`
	Children   []int      `json:"children,omitempty"` // direct children, zombies too
	Environ    []string   `json:"environ,omitempty"`  // NAME=value of TF-relevant variables only, masked
	Missing    []string   `json:"missing,omitempty"`  // what could not be read, and why
	Exited     bool       `json:"exited,omitempty"`   // it ended while it was read
}

// Thread returns the thread with that TID, or nil.
func (p *Process) Thread(tid int) *Thread {
	for i := range p.Threads {
		if p.Threads[i].TID == tid {
			return &p.Threads[i]
		}
	}
	return nil
}

// Fork says whether the process was forked without exec, and how that is known.
// A child shares its parent's (or a dead parent's) map addresses and executable, and its Python runtime says which thread is main.
type Fork struct {
	WithoutExec bool     `json:"without_exec"`
	AfterTF     bool     `json:"after_tf"` // TF's pools existed in the parent at the fork
	ParentAlive bool     `json:"parent_alive"`
	Parent      int      `json:"parent,omitempty"` // the process that forked, when it is known
	Evidence    []string `json:"evidence,omitempty"`
}

// Python is a CPython runtime found in a process.
type Python struct {
	Version       string `json:"version"`
	Binary        string `json:"binary"` // the file that holds _PyRuntime
	FreeThreaded  bool   `json:"free_threaded,omitempty"`
	Layout        string `json:"layout,omitempty"` // where the offsets come from: "3.11 table", "_Py_DebugOffsets"
	GIL           *GIL   `json:"gil,omitempty"`
	MainTID       int    `json:"main_tid,omitempty"`
	Finalizing    bool   `json:"finalizing,omitempty"` // Py_FinalizeEx or threading._shutdown has begun
	FinalizingTID int    `json:"finalizing_tid,omitempty"`
	ImportLocks   []Hold `json:"import_locks,omitempty"` // module locks held, by thread
	Missing       string `json:"missing,omitempty"`
}

// GIL is the state of the global interpreter lock.
type GIL struct {
	Locked    bool   `json:"locked"`
	HolderTID int    `json:"holder_tid,omitempty"` // valid only while Locked
	Stable    bool   `json:"stable"`               // both looks agree, and the holder's thread made no progress between them
	Switches  uint64 `json:"switches,omitempty"`   // gil->switch_number advanced between the looks by this much
}

// TFRuntime is the TensorFlow that a process has mapped (whether or not Python is there).
type TFRuntime struct {
	Version string `json:"version,omitempty"` // from the dist-info beside the mapped file, else ""
	Library string `json:"library"`           // path of libtensorflow_framework or _pywrap_tensorflow_internal
	// Mutex is the lock implementation in the mapped library: "absl" or "nsync" (before about 2.17).
	Mutex string `json:"mutex,omitempty"`
	// Pools counts threads by pool name, from thread names.
	Pools map[string]int `json:"pools,omitempty"`
}

// A Module is a file mapped with execute permission.
type Module struct {
	Path    string `json:"path"`
	BuildID string `json:"build_id,omitempty"`
	Start   uint64 `json:"start"`
	End     uint64 `json:"end"`
	Bias    uint64 `json:"bias"` // address − link-time address
}

// A Thread is one kernel thread, read twice.
type Thread struct {
	TID        int      `json:"tid"`
	Name       string   `json:"name"`                  // comm
	PythonName string   `json:"python_name,omitempty"` // threading.Thread.name
	Daemon     bool     `json:"daemon,omitempty"`
	State      string   `json:"state"` // R S D T t Z X
	OnCPU      bool     `json:"on_cpu"`
	Pool       string   `json:"pool"` // python, tf_Compute, tf_data, grpc, …: who made the thread
	Syscall    *Syscall `json:"syscall,omitempty"`
	Wchan      string   `json:"wchan,omitempty"`
	// BlockedSecs is the time since it last ran (sched.se.exec_start against a running thread's), 0 when unknown.
	BlockedSecs float64 `json:"blocked_seconds"`
	CPUDelta    float64 `json:"cpu_delta"` // seconds of CPU between the looks
	Switches    uint64  `json:"switches"`  // voluntary + involuntary context switches between the looks

	// Stable: both looks found the same syscall, futex, SP, PC and Python frame, and no context switch between them.
	Stable bool `json:"stable"`

	Native   []NativeFrame `json:"native,omitempty"` // innermost first
	Complete bool          `json:"complete"`         // the native chain ends at clone3, __clone or _start
	Why      string        `json:"why,omitempty"`    // why the chain is incomplete
	Python   []PyFrame     `json:"python,omitempty"` // innermost first
	Waits    *Wait         `json:"waits_for,omitempty"`
	Holds    []Hold        `json:"holds,omitempty"`
}

// A Syscall is what /proc/PID/task/TID/syscall says.
type Syscall struct {
	Number int       `json:"number"` // −1: blocked, but not in a system call
	Name   string    `json:"name"`
	Args   [6]uint64 `json:"args"`
	SP     uint64    `json:"sp"`
	PC     uint64    `json:"pc"`
}

// A NativeFrame is one frame of a native stack.
type NativeFrame struct {
	PC      uint64 `json:"pc"`
	SP      uint64 `json:"sp,omitempty"`     // CFA of the frame below it: the stack pointer in this frame
	Symbol  string `json:"symbol,omitempty"` // demangled, without arguments; "" when the file has none
	Mangled string `json:"-"`
	Module  string `json:"module,omitempty"` // base name
	Path    string `json:"path,omitempty"`
	Offset  uint64 `json:"offset,omitempty"` // PC − bias: address in the file
	// How the frame was found: "syscall", "cfi", "rbp-call" (RBP proven by a direct call), "rbp-prologue", "fp".
	How string `json:"how,omitempty"`
}

// A PyFrame is one Python frame.
type PyFrame struct {
	Function string `json:"function"` // qualified name where the version has one
	File     string `json:"file"`
	Line     int    `json:"line"`
	Addr     uint64 `json:"addr,omitempty"`  // of the frame object or _PyInterpreterFrame
	Entry    bool   `json:"entry,omitempty"` // native frames of the interpreter loop begin here (for the merged view)
	// Locals holds the few values that decide a verdict: the kinds of objects on the frame, never their contents.
	Locals []PyLocal `json:"locals,omitempty"`
}

// A PyLocal is a named local whose type decides a verdict (a lock, a queue, a thread, a process, a socket).
type PyLocal struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Addr uint64 `json:"addr"`
	Text string `json:"text,omitempty"` // a safe rendering: a thread's name, a child's PID
}

// Kinds of Wait and Hold. They are part of the inspect JSON.
const (
	KindLock         = "lock"         // threading.Lock, _thread.lock
	KindRLock        = "rlock"        // threading.RLock
	KindGIL          = "gil"          //
	KindMutex        = "mutex"        // pthread_mutex_t, absl::Mutex, nsync_mu
	KindRWLock       = "rwlock"       // pthread_rwlock_t
	KindSemaphore    = "semaphore"    // sem_t, multiprocessing.SemLock
	KindCondition    = "condition"    // threading.Condition, Event, pthread_cond_t: a notification, no holder
	KindNotification = "notification" // absl/tsl Notification, BlockingCounter
	KindQueue        = "queue"        // queue.Queue, TF queue
	KindImport       = "import"       // importlib _ModuleLock
	KindFD           = "fd"           // read, write, poll on a descriptor
	KindChild        = "child"        // waitpid
	KindThread       = "thread"       // Thread.join, pthread_join
	KindTimer        = "timer"        // sleep
	KindPoll         = "poll"         // epoll/select over several descriptors
	KindWork         = "work"         // a pool thread that waits for work: idle
	KindFutex        = "futex"        // a futex that nothing here could name
)

// A Wait says what a thread waits for, and who could end the wait.
type Wait struct {
	Kind string `json:"kind"`
	Addr uint64 `json:"addr,omitempty"` // of the lock, futex word or object
	What string `json:"what,omitempty"` // "threading.Lock 0x7f…", "stdin (pipe from 812 tee)", …
	// HolderTID is the thread that holds it, 0 when there is none or none is known.
	HolderTID int `json:"holder_tid,omitempty"`
	HolderPID int `json:"holder_pid,omitempty"` // the holder's process where that is another one
	// HolderHow says how the holder is known: "rlock.owner", "value-stack", "pthread.owner", "gil.last_holder", "module-lock.owner", "frame-locals".
	HolderHow string `json:"holder_how,omitempty"`
	// Holders counts the candidates when more than one thread could hold it: then HolderTID is 0 and nothing is proven.
	Holders []int `json:"holders,omitempty"`
	// Timed: the wait has a deadline, so it ends by itself; TimeoutSecs is that of the system call, when it could be read.
	Timed       bool    `json:"timed,omitempty"`
	TimeoutSecs float64 `json:"timeout_seconds,omitempty"`
	// OuterTimed: the system call's short timeout is a polling loop's (the GIL's 5 ms), so the wait has no deadline of its own.
	Polling    bool   `json:"polling,omitempty"`
	FD         *FD    `json:"fd,omitempty"`
	FDs        []FD   `json:"fds,omitempty"`
	Child      int    `json:"child,omitempty"`  // PID waited for; −1 any
	Thread     int    `json:"thread,omitempty"` // TID waited for (join)
	ThreadName string `json:"thread_name,omitempty"`
	Path       string `json:"path,omitempty"`  // file of a disk wait
	Mount      string `json:"mount,omitempty"` // its mount point and file system type
	// Through lists the names of TF things between the thread and what it waits for: "op PyFunc", "RunSync".
	Through []string `json:"through,omitempty"`
	Source  string   `json:"source,omitempty"` // what this was read from
}

// A Hold is something that a thread holds.
type Hold struct {
	Kind   string `json:"kind"`
	Addr   uint64 `json:"addr"`
	What   string `json:"what,omitempty"`
	Since  string `json:"since_frame,omitempty"` // "trainer (train.py:14)": the frame that acquired it
	How    string `json:"how,omitempty"`
	TID    int    `json:"tid,omitempty"`
	Name   string `json:"name,omitempty"` // of a module lock: the module
	Stable bool   `json:"stable"`         // both looks agree
}

// An FD is a descriptor and what is behind it.
type FD struct {
	Number int    `json:"number"`
	Kind   string `json:"kind"` // pipe, socket, tty, file, eventfd, epoll, inotify, null, …
	Path   string `json:"path,omitempty"`
	Flags  string `json:"flags,omitempty"` // r, w, rw
	Inode  uint64 `json:"inode,omitempty"`
	// Peers are the processes at the other end (of a pipe, a unix socket, a loopback TCP connection).
	Peers []Peer `json:"peers,omitempty"`
	// Socket
	Proto      string       `json:"proto,omitempty"` // tcp, tcp6, unix, udp
	Local      string       `json:"local,omitempty"`
	Remote     string       `json:"remote,omitempty"`
	TCPState   string       `json:"tcp_state,omitempty"`
	SilentSecs float64      `json:"silent_seconds,omitempty"` // since the last byte was received, where the kernel says
	QueuedIn   uint64       `json:"queued_in,omitempty"`      // bytes in the receive queue
	QueuedOut  uint64       `json:"queued_out,omitempty"`     // bytes in the send queue
	Capacity   uint64       `json:"capacity,omitempty"`       // of a pipe
	Queued     Fact[uint64] `json:"queued,omitzero"`          // bytes in the pipe (FIONREAD)
}

// A Peer is a process at the other end of a descriptor.
type Peer struct {
	PID   int    `json:"pid"`
	FD    int    `json:"fd"`
	Name  string `json:"name"`
	State string `json:"state,omitempty"`
}
