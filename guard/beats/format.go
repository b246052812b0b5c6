// Package beats reads and creates the file in which supervised processes record their progress.
//
// The writer is python/tfguard/_beats.py. A file is little-endian and made of 8-byte words:
//
//	header   4096 bytes: the words of the constants h…, then the job's name (256 bytes at 128) and the run's ID (64 at 384)
//	slots    2048 bytes each, one per process, at 4096 + 2048·i
//
// A slot's words are the constants below. Each word is written by one aligned store, without a lock across words: a reader
// sees each value whole, but two values may be of slightly different moments. Times are nanoseconds of CLOCK_MONOTONIC.
// Readers copy with pread and never map the file, because the watched process could truncate it under them.
package beats

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"time"
)

const (
	magic       = 0x0154414542474654 // "TFGBEAT\x01"
	version     = 1
	headerBytes = 4096
	slotWords   = 256
	slotBytes   = 8 * slotWords
	maxSlots    = 1024
)

// Words of the header.
const (
	hMagic = iota
	hVersion
	hHeaderBytes
	hSlotBytes
	hSlots
	hUsed    // slots below this one have been claimed at some time
	hDropped // processes that found no free slot
	hCreated // time
	hSupervisor
	hAttempt
)

const (
	jobAt, jobLen = 128, 256
	runAt, runLen = 384, 64
)

// Words of a slot.
const (
	wState = iota // 0 free, 1 live, 2 the interpreter exits
	wPID          // in the process's own PID namespace
	wStartTicks
	wClaimed
	wLast
	wBeats
	wTrainSteps
	wEvalSteps
	wPredictSteps
	wSessionRuns
	wFunctionCalls
	wEpochs
	wCheckpoints
	wDataItems
	wEpochStarted // 0: no epoch under way
	wStepStarted  // 0: no step under way
	wHooksArmed
	wHooksFailed
	wFlags
	wCallsDropped
	wPredicts
	wLastStep // unused, zero
	wStepTotal
	wStepsTimed
	wRing  = 24 // nanoseconds of the last 32 steps
	wHist  = 56 // counts of steps by duration, see Bounds
	wCalls = 80 // 12 calls in flight of 4 words: kind | tid<<8, started, deadline, unused
	wText  = 128
)

const (
	ringLen   = 32
	histLen   = 24
	callLen   = 12
	callWords = 4
	textBytes = 64
)

// Flags of a slot.
const (
	FlagFaulthandler = 1 // SIGUSR2 writes all Python stacks to faulthandler.txt beside the beat file
	FlagForked       = 2
)

// A Phase is what a process does, as its hooks or its own calls say.
type Phase int

const (
	None Phase = iota
	Train
	Eval
	Predict
	Checkpoint
	Data
	Call
	Session
	User
)

var phases = [...]string{"none", "train", "eval", "predict", "checkpoint", "data", "call", "session", "user"}

func (p Phase) String() string {
	if p < 0 || int(p) >= len(phases) {
		return fmt.Sprintf("phase-%d", int(p))
	}
	return phases[p]
}

// HookNames are the bits of Slot.HooksArmed, as NAMES in python/tfguard/_hooks.py.
var HookNames = [...]string{"keras3.callbacks", "keras3.trainer", "keras3.save", "keras2.callbacks", "keras2.model", "session.run",
	"tf.function", "tf.checkpoint", "tf.checkpoint-manager", "tf.saver", "tf.saved-model", "tf.data"}

// Bounds are the upper bounds (inclusive) of Slot.Hist's buckets; the last bucket has none.
var Bounds = func() (b [histLen - 1]time.Duration) {
	for k := range b {
		b[k] = 100 * time.Microsecond << k
	}
	return
}()

// A Header says whose beats a file holds.
type Header struct {
	Slots      int
	Used       int
	Dropped    uint64
	Created    Time
	Supervisor int
	Attempt    int
	Job, Run   string
}

// Time is CLOCK_MONOTONIC in nanoseconds; 0 means never.
type Time uint64

// Sub is the duration from u to t, never negative (a hostile or torn time must not turn into a huge one).
func (t Time) Sub(u Time) time.Duration {
	if t <= u || t-u > 1<<62 {
		return 0
	}
	return time.Duration(t - u)
}

// An InFlight is a call that has begun and not returned.
type InFlight struct {
	Phase    Phase
	TID      int
	Started  Time
	Deadline Time // 0: none
}

// A Slot is one process's progress.
type Slot struct {
	PID        int
	StartTicks uint64 // with PID, the identity of the process
	Exiting    bool
	Claimed    Time
	Last       Time // last sign of progress of any kind
	TrainSteps uint64
	EvalSteps  uint64
	// PredictSteps counts batches, Predicts whole predict calls.
	PredictSteps  uint64
	Predicts      uint64
	SessionRuns   uint64
	FunctionCalls uint64
	Epochs        uint64
	Checkpoints   uint64
	DataItems     uint64
	EpochStarted  Time
	StepStarted   Time
	HooksArmed    uint64
	HooksFailed   uint64
	Flags         uint64
	CallsDropped  uint64
	StepTotal     time.Duration   // sum of all timed steps
	StepsTimed    uint64          // their number
	Recent        []time.Duration // of the last 32 timed steps, oldest first
	Hist          [histLen]uint64 // timed steps by duration
	Calls         []InFlight      // oldest first
	Program       string
	Framework     string
}

// Steps counts training, evaluation and prediction steps, or Session.run and tf.function calls where there are none of those.
func (s *Slot) Steps() uint64 {
	if n := s.TrainSteps + s.EvalSteps + s.PredictSteps; n > 0 {
		return n
	}
	return s.SessionRuns + s.FunctionCalls
}

// Phase is the phase of the youngest call in flight.
func (s *Slot) Phase() Phase {
	if len(s.Calls) == 0 {
		return None
	}
	return s.Calls[len(s.Calls)-1].Phase
}

// In returns the oldest call in flight of that phase, or nil.
func (s *Slot) In(p Phase) *InFlight {
	for i := range s.Calls {
		if s.Calls[i].Phase == p {
			return &s.Calls[i]
		}
	}
	return nil
}

// Armed names the hooks that armed.
func (s *Slot) Armed() []string { return hookNames(s.HooksArmed) }

// Failed names the hooks that found their module changed.
func (s *Slot) Failed() []string { return hookNames(s.HooksFailed) }

func hookNames(set uint64) (names []string) {
	for ; set != 0; set &= set - 1 {
		if i := bits.TrailingZeros64(set); i < len(HookNames) {
			names = append(names, HookNames[i])
		}
	}
	return names
}

func word(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }

func text(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(bytes.ToValidUTF8(b, []byte("?")))
}

func decodeHeader(b []byte) (h Header, err error) {
	if len(b) < headerBytes {
		return h, fmt.Errorf("beat file of %d bytes has no header", len(b))
	}
	if m := word(b, hMagic); m != magic {
		return h, fmt.Errorf("no beat file: it begins with %#x", m)
	}
	if v := word(b, hVersion); v != version {
		return h, fmt.Errorf("beat file of version %d; this tfguard reads version %d", v, version)
	}
	if hb, sb := word(b, hHeaderBytes), word(b, hSlotBytes); hb != headerBytes || sb != slotBytes {
		return h, fmt.Errorf("beat file with a header of %d and slots of %d bytes", hb, sb)
	}
	slots := min(word(b, hSlots), maxSlots)
	return Header{
		Slots: int(slots), Used: int(min(word(b, hUsed), slots)), Dropped: word(b, hDropped), Created: Time(word(b, hCreated)),
		Supervisor: int(int32(word(b, hSupervisor))), Attempt: int(int32(word(b, hAttempt))),
		Job: text(b[jobAt : jobAt+jobLen]), Run: text(b[runAt : runAt+runLen]),
	}, nil
}

// decodeSlot returns nil for a free slot.
func decodeSlot(b []byte) *Slot {
	state := word(b, wState)
	pid := word(b, wPID)
	if state == 0 || pid == 0 || pid > 1<<22 { // PID_MAX_LIMIT, include/linux/threads.h
		return nil
	}
	s := &Slot{
		PID: int(pid), StartTicks: word(b, wStartTicks), Exiting: state == 2, Claimed: Time(word(b, wClaimed)), Last: Time(word(b, wLast)),
		TrainSteps: word(b, wTrainSteps), EvalSteps: word(b, wEvalSteps), PredictSteps: word(b, wPredictSteps), Predicts: word(b, wPredicts),
		SessionRuns: word(b, wSessionRuns), FunctionCalls: word(b, wFunctionCalls), Epochs: word(b, wEpochs),
		Checkpoints: word(b, wCheckpoints), DataItems: word(b, wDataItems),
		EpochStarted: Time(word(b, wEpochStarted)), StepStarted: Time(word(b, wStepStarted)),
		HooksArmed: word(b, wHooksArmed), HooksFailed: word(b, wHooksFailed), Flags: word(b, wFlags), CallsDropped: word(b, wCallsDropped),
		StepTotal: duration(word(b, wStepTotal)), StepsTimed: word(b, wStepsTimed),
		Program: text(b[8*wText:][:textBytes]), Framework: text(b[8*wText+textBytes:][:textBytes]),
	}
	n := min(s.StepsTimed, ringLen)
	for i := range n {
		s.Recent = append(s.Recent, duration(word(b, wRing+int((s.StepsTimed-n+i)%ringLen))))
	}
	for i := range s.Hist {
		s.Hist[i] = word(b, wHist+i)
	}
	for i := range callLen {
		at := wCalls + callWords*i
		kind := word(b, at)
		if kind == 0 {
			continue
		}
		c := InFlight{Phase: Phase(kind & 0xff), TID: int(min(kind>>8, 1<<22)), Started: Time(word(b, at+1)), Deadline: Time(word(b, at+2))}
		j := len(s.Calls)
		s.Calls = append(s.Calls, c)
		for ; j > 0 && s.Calls[j-1].Started > c.Started; j-- {
			s.Calls[j] = s.Calls[j-1]
		}
		s.Calls[j] = c
	}
	return s
}

func duration(ns uint64) time.Duration { return time.Duration(min(ns, 1<<62)) }

// Decode reads a whole beat file from memory.
func Decode(b []byte) (Header, []Slot, error) {
	h, err := decodeHeader(b)
	if err != nil {
		return h, nil, err
	}
	var slots []Slot
	for i := range h.Used {
		at := headerBytes + i*slotBytes
		if at+slotBytes > len(b) {
			return h, slots, fmt.Errorf("beat file ends inside slot %d of %d", i, h.Used)
		}
		if s := decodeSlot(b[at : at+slotBytes]); s != nil {
			slots = append(slots, *s)
		}
	}
	return h, slots, nil
}
