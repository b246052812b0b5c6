package guard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The keeper is a second tfguard process between the supervisor and the command. It starts the command, passes signals
// on, reaps, and kills; it decides nothing. It is there so that the command's tree can be ended whatever dies first:
//
//   - Both are subreapers, so no descendant of the command, in whatever session, can leave.
//   - The supervisor killed with SIGKILL: the keeper's socket closes, and it ends the tree.
//   - The keeper killed: the kernel kills the command (parent-death signal), and the supervisor ends the rest.
//   - Both killed in the same instant: the command dies by its parent-death signal; a descendant that has left the
//     process group survives. Only a container or a cgroup of its own can hold that one.
//
// Without a controlling terminal the keeper and the command have a process group of their own. With one they share the
// supervisor's, because the shell's job control, Ctrl-C, Ctrl-Z and pipelines are made for one group per job.

// keeperName is the keeper's argv[0]; init below sees it and never returns.
const keeperName = "tfguard-keeper"

// keeperSocket is the keeper's descriptor of the socket to the supervisor. One packet is one message: {op, a, b}.
const keeperSocket = 3

// Messages to the keeper.
const (
	opSignal     = 's' // a: signal for the command; b: 1 if the group may have got it already
	opSignalTree = 't' // a: signal for the command and everything below it
	opKill       = 'k' // kill everything, say opGone, exit
	opLeave      = 'l' // exit and leave what the command left behind
)

// Messages from the keeper.
const (
	opStarted = 'S' // a: PID
	opFailed  = 'F' // a: errno of exec
	opExited  = 'X' // a: wait status
	opStopped = 'T' // a: wait status
	opGone    = 'G' // a: processes that could not be killed
)

type message struct {
	op   byte
	a, b int32
}

func (m message) bytes() []byte {
	put := func(v int32) []byte { return []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)} }
	return slices.Concat([]byte{m.op}, put(m.a), put(m.b))
}

func parseMessage(b []byte) (message, bool) {
	if len(b) != 9 {
		return message{}, false
	}
	get := func(b []byte) int32 { return int32(b[0]) | int32(b[1])<<8 | int32(b[2])<<16 | int32(b[3])<<24 }
	return message{b[0], get(b[1:]), get(b[5:])}, true
}

func send(fd int, m message) error {
	for {
		err := unix.Sendto(fd, m.bytes(), unix.MSG_NOSIGNAL, nil)
		if err != unix.EINTR {
			return err
		}
	}
}

// receive returns false when the other side has gone.
func receive(fd int) (message, bool) {
	var b [16]byte
	for {
		n, _, err := unix.Recvfrom(fd, b[:], 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return message{}, false
		}
		return parseMessage(b[:n])
	}
}

func init() {
	if len(os.Args) > 0 && os.Args[0] == keeperName {
		os.Exit(keeperMain(os.Args[1:]))
	}
}

// forwarded are the signals that tfguard passes on.
var forwarded = []os.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH, unix.SIGALRM}

// notify is signal.Notify for those of the signals that were not ignored when tfguard was started: nohup and
// background jobs of scripts rely on that, for the command as well.
func notify(c chan<- os.Signal, signals ...os.Signal) {
	for _, s := range signals {
		if !signal.Ignored(s) {
			signal.Notify(c, s)
		}
	}
}

// keeperMain runs the keeper: RUNDIR GRACE PATH ARGV….
func keeperMain(args []string) int {
	// Parent-death signals come when the forking *thread* ends, so the command is forked from the main thread, which lives
	// as long as the process. init runs on it.
	runtime.LockOSThread()
	if len(args) < 4 {
		return 125
	}
	runDir, path, argv := args[0], args[2], args[3:]
	grace, err := time.ParseDuration(args[1])
	if err != nil {
		return 125
	}
	unix.CloseOnExec(keeperSocket)
	name := [16]byte{}
	copy(name[:15], keeperName)
	_ = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&name[0])), 0, 0, 0)
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return 125
	}

	k := &keeper{got: map[syscall.Signal]time.Time{}}
	signals := make(chan os.Signal, 64)
	notify(signals, forwarded...)
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)

	pid, err := startChild(path, argv)
	if err != nil {
		var errno syscall.Errno
		errors.As(err, &errno)
		_ = send(keeperSocket, message{op: opFailed, a: int32(errno)})
		return 125
	}
	k.pid = pid
	_ = send(keeperSocket, message{op: opStarted, a: int32(pid)})

	orders := make(chan message)
	go func() {
		for {
			m, ok := receive(keeperSocket)
			if !ok {
				close(orders)
				return
			}
			orders <- m
		}
	}()
	reapAll(k.reaped) // the command may have exited before SIGCHLD was listened for
	for {
		select {
		case s := <-signals:
			k.received(s.(syscall.Signal))
		case <-children:
			reapAll(k.reaped)
		case m, ok := <-orders:
			if !ok { // the supervisor is gone
				k.end(grace)
				_ = os.RemoveAll(runDir)
				return 125
			}
			switch m.op {
			case opSignal:
				if m.b == 1 {
					go k.forward(syscall.Signal(m.a))
				} else {
					k.signal(syscall.Signal(m.a))
				}
			case opSignalTree:
				for _, pid := range descendants(os.Getpid()) {
					_ = unix.Kill(pid, unix.Signal(m.a))
				}
			case opKill:
				left := killTree(10*time.Second, 0, k.reaped)
				_ = send(keeperSocket, message{op: opGone, a: int32(len(left))})
				return 0
			case opLeave:
				return 0
			}
		}
	}
}

type keeper struct {
	pid int

	mu     sync.Mutex
	exited bool
	got    map[syscall.Signal]time.Time
}

func (k *keeper) reaped(pid int, ws unix.WaitStatus) {
	if pid != k.pid {
		return
	}
	switch {
	case ws.Exited(), ws.Signaled():
		k.mu.Lock()
		k.exited = true
		k.mu.Unlock()
		_ = send(keeperSocket, message{op: opExited, a: int32(ws)})
	case ws.Stopped():
		_ = send(keeperSocket, message{op: opStopped, a: int32(ws)})
	}
}

// signal sends to the command, unless it has been reaped and its PID may be another's.
func (k *keeper) signal(s syscall.Signal) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.exited {
		_ = unix.Kill(k.pid, s)
	}
}

func (k *keeper) received(s syscall.Signal) {
	k.mu.Lock()
	k.got[s] = time.Now()
	k.mu.Unlock()
}

// forward passes on a signal that the supervisor got, if it was sent to the supervisor alone. One that was sent to the
// whole group (Ctrl-C) reached the keeper too, and so the command, which must not get it twice.
func (k *keeper) forward(s syscall.Signal) {
	for range 6 {
		k.mu.Lock()
		at, ok := k.got[s]
		if ok && time.Since(at) < 100*time.Millisecond {
			delete(k.got, s)
		} else {
			ok = false
		}
		k.mu.Unlock()
		if ok {
			mine, _ := unix.Getpgid(0)
			if its, err := unix.Getpgid(k.pid); err == nil && its == mine {
				return
			}
			break // the command has made a group of its own
		}
		time.Sleep(5 * time.Millisecond)
	}
	k.signal(s)
}

// end ends the tree after the supervisor's death: politely, then not.
func (k *keeper) end(grace time.Duration) {
	if grace > 0 {
		for _, pid := range descendants(os.Getpid()) {
			_ = unix.Kill(pid, unix.SIGTERM)
			_ = unix.Kill(pid, unix.SIGCONT)
		}
		for deadline := time.Now().Add(grace); time.Now().Before(deadline) && hasChildren(); time.Sleep(5 * time.Millisecond) {
			reapAll(k.reaped)
		}
	}
	killTree(10*time.Second, 0, k.reaped)
}

// startChild forks and executes, as execvp(3) does: a file without "#!" that the kernel refuses is run by the shell.
func startChild(path string, argv []string) (int, error) {
	attr := &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL},
	}
	pid, err := syscall.ForkExec(path, argv, attr)
	if errors.Is(err, syscall.ENOEXEC) {
		return syscall.ForkExec("/bin/sh", append([]string{"/bin/sh", path}, argv[1:]...), attr)
	}
	return pid, err
}

// find is execvp's search: the path of the command, or 126 (found, not executable) or 127 (not found).
func find(command string, env []string) (string, int, error) {
	if strings.Contains(command, "/") {
		return command, 0, nil // exec itself will say what is wrong
	}
	path := ""
	for _, v := range env {
		if p, ok := strings.CutPrefix(v, "PATH="); ok {
			path = p
		}
	}
	denied := error(nil)
	for _, dir := range filepath.SplitList(path) {
		if dir == "" {
			dir = "."
		}
		file := filepath.Join(dir, command)
		if dir == "." {
			file = "./" + command
		}
		fi, err := os.Stat(file)
		if err != nil || fi.IsDir() {
			if errors.Is(err, fs.ErrPermission) {
				denied = err
			}
			continue
		}
		if err := unix.Access(file, unix.X_OK); err != nil {
			denied = &fs.PathError{Op: "exec", Path: file, Err: err}
			continue
		}
		return file, 0, nil
	}
	if denied != nil {
		return "", 126, denied
	}
	return "", 127, fmt.Errorf("%s: %w", command, exec.ErrNotFound)
}
