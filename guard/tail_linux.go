package guard

import (
	"bytes"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// tailBytes is how much of the output is kept.
const tailBytes = 64 << 10

// A tail copies the command's output through a pipe, and keeps its end. It is used on request only, because a pipe in
// between is not the descriptor that the command would have had; a terminal is never replaced.
type tail struct {
	mu    sync.Mutex
	kept  []byte
	child []*os.File // our copies of what the command got
	done  sync.WaitGroup
}

// newTail replaces descriptors 1 and 2 in files, where they are no terminals. When both are one file, they share one
// pipe, so that their order is kept.
func newTail(files []uintptr, stdout, stderr io.Writer) (*tail, error) {
	t := &tail{}
	var st [3]unix.Stat_t
	same := unix.Fstat(1, &st[1]) == nil && unix.Fstat(2, &st[2]) == nil && st[1].Dev == st[2].Dev && st[1].Ino == st[2].Ino
	for fd, to := range map[int]io.Writer{1: stdout, 2: stderr} {
		if terminal(fd) || fd == 2 && same {
			continue
		}
		r, w, err := os.Pipe()
		if err != nil {
			return t, err
		}
		files[fd] = w.Fd()
		t.child = append(t.child, w)
		t.done.Add(1)
		go t.copy(r, to)
	}
	if same && !terminal(1) {
		files[2] = files[1]
	}
	return t, nil
}

func terminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

func (t *tail) copy(r *os.File, to io.Writer) {
	defer t.done.Done()
	defer r.Close() // when the reader is gone, the command gets SIGPIPE, as it would have
	b := make([]byte, 32<<10)
	for {
		n, err := r.Read(b)
		if n > 0 {
			t.mu.Lock()
			t.kept = append(t.kept, b[:n]...)
			if len(t.kept) > 2*tailBytes {
				t.kept = append(t.kept[:0], t.kept[len(t.kept)-tailBytes:]...)
			}
			t.mu.Unlock()
			if _, werr := to.Write(b[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// started closes our copies, so that the pipes end with the command.
func (t *tail) started() {
	for _, f := range t.child {
		f.Close()
	}
}

// drain waits until the command's last output is copied; what it left behind may hold the pipe for longer.
func (t *tail) drain(limit time.Duration) {
	done := make(chan struct{})
	go func() { t.done.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(limit):
	}
}

func (t *tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.kept[max(0, len(t.kept)-tailBytes):])
}
