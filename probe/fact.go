// Package probe holds the facts that tfguard reads: plain data, with where each was read and why it is missing.
// It reads nothing itself; the packages below it do, and probe/capture assembles a Snapshot from them.
package probe

// A Fact is one observed value, where it was read, and why it is missing.
// Missing is empty when Value was read.
type Fact[T any] struct {
	Value   T      `json:"value"`
	Source  string `json:"source,omitempty"`
	Missing string `json:"missing,omitempty"`
}

// Known reports whether the value was read.
func (f Fact[T]) Known() bool { return f.Missing == "" }

// Of is a value that was read from source.
func Of[T any](value T, source string) Fact[T] { return Fact[T]{Value: value, Source: source} }

// Unread is a value that could not be read from source, and why.
func Unread[T any](source, why string) Fact[T] { return Fact[T]{Source: source, Missing: why} }
