//go:build tfcanary

// Command tfguard-canary runs a small TensorFlow graph through the C API and checks its result: is the native layer of an
// installation sound, whatever its Python says? It is a child process of tfguard, and the only cgo in the tree.
//
// It is linked against a stub library (stub.sh) that has the soname of the wheel's libtensorflow_cc and nothing in it, so
// that one binary runs with any TensorFlow: LD_LIBRARY_PATH says which.
//
// It writes one JSON line at each end of a stage (type event) to the descriptor named by TFGUARD_CANARY_FD, else to standard
// output, and exits 0 when all stages were good, 1 when one failed, 2 on bad usage.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"

	tf "github.com/galeone/tensorflow/tensorflow/go"
)

// An event is one line of the canary's protocol; probe/canary reads the same lines from the Python layer.
type event struct {
	Event  string `json:"event"` // begin, end, version
	Stage  string `json:"stage,omitempty"`
	Status string `json:"status,omitempty"` // ok, failed
	Wrong  bool   `json:"wrong,omitempty"`  // the computation ended, with a wrong result
	Detail string `json:"detail,omitempty"`
}

type reporter struct{ out *json.Encoder }

// stage runs f between its two lines. The begin line goes out first, so that a hang is known by its stage.
func (r reporter) stage(name string, f func() (string, error)) bool {
	r.out.Encode(event{Event: "begin", Stage: name})
	detail, err := f()
	e := event{Event: "end", Stage: name, Status: "ok", Detail: detail}
	if err != nil {
		e.Status, e.Detail = "failed", err.Error()
		_, e.Wrong = err.(wrongResult)
	}
	r.out.Encode(e)
	return err == nil
}

func main() {
	if len(os.Args) > 1 {
		fmt.Fprintln(os.Stderr, "usage: LD_LIBRARY_PATH=SITE-PACKAGES/tensorflow tfguard-canary\n\nIt takes no arguments; `tfguard canary` runs it.")
		os.Exit(2)
	}
	file := os.Stdout
	if s := os.Getenv("TFGUARD_CANARY_FD"); s != "" {
		fd, err := strconv.Atoi(s)
		if err != nil || fd < 0 {
			fmt.Fprintf(os.Stderr, "tfguard-canary: TFGUARD_CANARY_FD=%q is no descriptor\n", s)
			os.Exit(2)
		}
		file = os.NewFile(uintptr(fd), "canary protocol")
	}
	r := reporter{json.NewEncoder(file)}
	r.out.Encode(event{Event: "version", Detail: tf.Version()})

	g := &multiplication{n: 256}
	ok := r.stage("graph", g.build) &&
		r.stage("session", g.open) &&
		r.stage("matmul", g.run) &&
		r.stage("load-10-threads", g.load)
	g.close()
	if !ok {
		os.Exit(1)
	}
}
