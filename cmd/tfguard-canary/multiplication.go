//go:build tfcanary

package main

import (
	"fmt"
	"sync"
	"time"

	tf "github.com/galeone/tensorflow/tensorflow/go"
)

// A multiplication is the canary's graph: y = relu(a·b + c) over n×n matrices of small integers, so that float32 holds
// every sum exactly and the result has one right value in each place. The product is large enough for TensorFlow to hand
// it to its thread pools.
type multiplication struct {
	n       int
	graph   *tf.Graph
	a, y    tf.Output
	session *tf.Session
	input   *tf.Tensor
	want    [][]float32
}

// wrongResult is a computation that ended and was wrong.
type wrongResult string

func (w wrongResult) Error() string { return string(w) }

func (m *multiplication) build() (string, error) {
	n := m.n
	a, b, c := matrix(n), matrix(n), matrix(n)
	m.want = matrix(n)
	for i := range n {
		for j := range n {
			a[i][j] = float32((i*7+j*3)%11 - 5)
			b[i][j] = float32((i*5+j*2)%13 - 6)
			c[i][j] = float32((i + j) % 17)
		}
	}
	for i := range n {
		row := m.want[i]
		copy(row, c[i])
		for k := range n {
			for j, v := range b[k] {
				row[j] += a[i][k] * v
			}
		}
		for j := range row {
			row[j] = max(row[j], 0)
		}
	}

	var err error
	if m.input, err = tf.NewTensor(a); err != nil {
		return "", err
	}
	m.graph = tf.NewGraph()
	add := func(kind, name string, inputs []tf.Input, attrs map[string]any) (out tf.Output) {
		if err != nil {
			return
		}
		var op *tf.Operation
		if op, err = m.graph.AddOperation(tf.OpSpec{Type: kind, Name: name, Input: inputs, Attrs: attrs}); err == nil {
			out = op.Output(0)
		}
		return
	}
	constant := func(name string, value [][]float32) tf.Output {
		t, tensorErr := tf.NewTensor(value)
		if err == nil {
			err = tensorErr
		}
		return add("Const", name, nil, map[string]any{"dtype": tf.Float, "value": t})
	}
	m.a = add("Placeholder", "a", nil, map[string]any{"dtype": tf.Float})
	product := add("MatMul", "product", []tf.Input{m.a, constant("b", b)}, nil)
	sum := add("AddV2", "sum", []tf.Input{product, constant("c", c)}, nil)
	m.y = add("Relu", "y", []tf.Input{sum}, nil)
	return "", err
}

func matrix(n int) [][]float32 {
	m := make([][]float32, n)
	cells := make([]float32, n*n)
	for i := range m {
		m[i], cells = cells[:n], cells[n:]
	}
	return m
}

func (m *multiplication) open() (string, error) {
	var err error
	m.session, err = tf.NewSession(m.graph, nil)
	return "", err
}

func (m *multiplication) close() {
	if m.session != nil {
		m.session.Close()
	}
}

func (m *multiplication) run() (string, error) {
	out, err := m.session.Run(map[tf.Output]*tf.Tensor{m.a: m.input}, []tf.Output{m.y}, nil)
	if err != nil {
		return "", err
	}
	got, ok := out[0].Value().([][]float32)
	if !ok || len(got) != m.n {
		return "", wrongResult(fmt.Sprintf("relu(a·b + c) has shape %v, want [%d %d]", out[0].Shape(), m.n, m.n))
	}
	bad, first := 0, ""
	for i, row := range m.want {
		for j, want := range row {
			if len(got[i]) != m.n || got[i][j] != want {
				if bad++; bad == 1 && len(got[i]) == m.n {
					first = fmt.Sprintf("[%d][%d] is %g, want %g", i, j, got[i][j], want)
				}
			}
		}
	}
	if bad > 0 {
		return "", wrongResult(fmt.Sprintf("%d of %d values of relu(a·b + c) are wrong: %s", bad, m.n*m.n, first))
	}
	return fmt.Sprintf("relu(a·b + c), %d×%d: all %d values right", m.n, m.n, m.n*m.n), nil
}

// load runs the graph from ten threads at once, as the guide's load test does.
func (m *multiplication) load() (string, error) {
	const threads = 10
	start := time.Now()
	errs := make([]error, threads)
	var wg sync.WaitGroup
	for i := range threads {
		wg.Add(1)
		go func() {
			defer wg.Done()
			_, errs[i] = m.run()
		}()
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d concurrent runs in %.3f s, all right", threads, time.Since(start).Seconds()), nil
}
