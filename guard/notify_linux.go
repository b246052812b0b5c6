package guard

import (
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"

	"tfguard/guard/beats"
)

// notifySocket speaks the receiving side of sd_notify(3) for programs that aren't Python, and passes what it hears on to
// the service manager that tfguard itself runs under, if any.
type notifySocket struct {
	conn     *net.UnixConn
	path     string
	ready    atomic.Bool
	watchdog atomic.Uint64 // beats.Time of the last WATCHDOG=1
}

func listenNotify(dir, upstream string) (*notifySocket, error) {
	n := &notifySocket{path: filepath.Join(dir, "notify")}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: n.path, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	n.conn = conn
	var up net.Conn
	if upstream != "" {
		if up, err = net.Dial("unixgram", upstream); err != nil {
			up = nil
		}
	}
	go n.listen(up)
	return n, nil
}

func (n *notifySocket) listen(up net.Conn) {
	if up != nil {
		defer up.Close()
	}
	b := make([]byte, 4096)
	for {
		k, err := n.conn.Read(b)
		if err != nil {
			return
		}
		var pass []string
		for _, line := range strings.Split(string(b[:k]), "\n") {
			switch line {
			case "READY=1":
				n.ready.Store(true)
			case "WATCHDOG=1":
				n.watchdog.Store(uint64(beats.Now()))
			}
			if line != "" && !strings.HasPrefix(line, "MAINPID=") { // the service's main process is tfguard
				pass = append(pass, line)
			}
		}
		if up != nil && len(pass) > 0 {
			_, _ = up.Write([]byte(strings.Join(pass, "\n")))
		}
	}
}

func (n *notifySocket) close() {
	if n != nil {
		n.conn.Close()
	}
}
