package proc

import (
	"bytes"
	"encoding/hex"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// A Socket is one line of /proc/PID/net/tcp, tcp6, udp, udp6 or unix.
type Socket struct {
	Proto         string
	Local, Remote string // "127.0.0.1:8000"; of a unix socket its path
	State         string // of TCP: ESTABLISHED, LISTEN, …
	QueuedIn      uint64 // bytes; of a listening socket, connections to accept
	QueuedOut     uint64
	Inode         uint64
}

// tcpStates are the kernel's TCP_* numbers (include/net/tcp_states.h).
var tcpStates = map[uint64]string{1: "ESTABLISHED", 2: "SYN_SENT", 3: "SYN_RECV", 4: "FIN_WAIT1", 5: "FIN_WAIT2", 6: "TIME_WAIT",
	7: "CLOSE", 8: "CLOSE_WAIT", 9: "LAST_ACK", 10: "LISTEN", 11: "CLOSING", 12: "NEW_SYN_RECV"}

// Sockets lists the sockets of the network namespace of a process.
func (fs FS) Sockets(pid int) []Socket {
	var out []Socket
	for _, proto := range []string{"tcp", "tcp6", "udp", "udp6"} {
		if b, err := fs.read(itoa(pid), "net", proto); err == nil {
			out = append(out, ParseInet(b, proto)...)
		}
	}
	if b, err := fs.read(itoa(pid), "net", "unix"); err == nil {
		out = append(out, ParseUnix(b)...)
	}
	return out
}

// ParseInet parses the lines of net/tcp and its like:
//
//	0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000 1000 0 4711 …
func ParseInet(b []byte, proto string) []Socket {
	var out []Socket
	for _, line := range bytes.Split(b, []byte("\n")) {
		f := strings.Fields(string(line))
		if len(f) < 10 || !strings.HasSuffix(f[0], ":") {
			continue
		}
		s := Socket{Proto: proto, Local: inetAddr(f[1]), Remote: inetAddr(f[2])}
		state, _ := strconv.ParseUint(f[3], 16, 64)
		if strings.HasPrefix(proto, "tcp") {
			s.State = tcpStates[state]
		}
		tx, rx, _ := strings.Cut(f[4], ":")
		s.QueuedOut, _ = strconv.ParseUint(tx, 16, 64)
		s.QueuedIn, _ = strconv.ParseUint(rx, 16, 64)
		s.Inode, _ = strconv.ParseUint(f[9], 10, 64)
		if strings.HasSuffix(s.Remote, ":0") {
			s.Remote = ""
		}
		out = append(out, s)
	}
	return out
}

// inetAddr decodes "0100007F:1F40": 32-bit words in the host's byte order, little-endian here, then the port.
func inetAddr(s string) string {
	a, p, ok := strings.Cut(s, ":")
	raw, err := hex.DecodeString(a)
	if !ok || err != nil || len(raw)%4 != 0 {
		return ""
	}
	for i := 0; i < len(raw); i += 4 {
		raw[i], raw[i+1], raw[i+2], raw[i+3] = raw[i+3], raw[i+2], raw[i+1], raw[i]
	}
	addr, ok := netip.AddrFromSlice(raw)
	port, err := strconv.ParseUint(p, 16, 16)
	if !ok || err != nil {
		return ""
	}
	return net.JoinHostPort(addr.Unmap().String(), strconv.FormatUint(port, 10))
}

// ParseUnix parses the lines of net/unix:
//
//	0000000000000000: 00000002 00000000 00010000 0001 01 4711 /run/x.sock
func ParseUnix(b []byte) []Socket {
	var out []Socket
	for _, line := range bytes.Split(b, []byte("\n")) {
		f := strings.Fields(string(line))
		if len(f) < 7 || !strings.HasSuffix(f[0], ":") {
			continue
		}
		s := Socket{Proto: "unix"}
		s.Inode, _ = strconv.ParseUint(f[6], 10, 64)
		if len(f) > 7 {
			s.Local = f[7]
		}
		if flags, _ := strconv.ParseUint(f[3], 16, 64); flags&0x10000 != 0 { // __SO_ACCEPTCON
			s.State = "LISTEN"
		}
		out = append(out, s)
	}
	return out
}
