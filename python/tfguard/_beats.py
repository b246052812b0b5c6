"""The writer of heartbeats: one process's slot in a file that the supervisor reads from outside.

A beat is a few aligned 8-byte stores into a shared mapping, so it costs a fraction of a microsecond, needs no thread, and
stays readable when this process hangs, even while native code holds the GIL. The file's layout is documented in
``guard/beats/format.go``; the two are kept equal by a test. Standard library only, Python 3.9 and later.

All times are ``time.monotonic_ns()`` (CLOCK_MONOTONIC), which every process of the machine shares.
"""

from __future__ import annotations

import array
import mmap
import os
import sys
import threading
import time
from bisect import bisect_left
from typing import List, Optional, Union

MAGIC = 0x0154414542474654  # b"TFGBEAT\x01", little-endian
VERSION = 1

# Words of the header.
H_MAGIC, H_VERSION, H_HEADER_BYTES, H_SLOT_BYTES, H_SLOTS, H_USED, H_DROPPED = range(7)

# Words of a slot.
STATE, PID, START_TICKS, CLAIMED = 0, 1, 2, 3
LAST, BEATS = 4, 5
TRAIN_STEPS, EVAL_STEPS, PREDICT_STEPS, SESSION_RUNS, FUNCTION_CALLS = 6, 7, 8, 9, 10
EPOCHS, CHECKPOINTS, DATA_ITEMS = 11, 12, 13
EPOCH_STARTED, STEP_STARTED = 14, 15
HOOKS_ARMED, HOOKS_FAILED, FLAGS, CALLS_DROPPED = 16, 17, 18, 19
PREDICTS, LAST_STEP, STEP_TOTAL, STEPS_TIMED = 20, 21, 22, 23
RING, RING_LEN = 24, 32
HIST, HIST_LEN = 56, 24
CALLS, CALL_WORDS, CALL_LEN = 80, 4, 12
TEXT, TEXT_WORDS = 128, 8  # two texts of 64 bytes: the program, the framework's version
SLOT_WORDS = 256

FREE, LIVE, EXITING = 0, 1, 2
FLAG_FAULTHANDLER = 1  # SIGUSR2 writes all stacks to the run's faulthandler.txt
FLAG_FORKED = 2  # this process was forked from one that had a slot

# Kinds of calls in flight; the youngest one is the process's phase.
TRAIN, EVAL, PREDICT, CHECKPOINT, DATA, CALL, SESSION, USER = range(1, 9)

# Upper bounds of the step histogram's buckets in nanoseconds: 100 us * 2**k; the last bucket has none.
BOUNDS: List[int] = [100_000 << k for k in range(HIST_LEN - 1)]

_now = time.monotonic_ns
_Words = Union["memoryview[int]", "array.array[int]"]


class Beats:
    """This process's slot. Without a file, or when it is full, every method still works and writes to nowhere."""

    def __init__(self, path: Optional[str] = None) -> None:
        self.path = path
        self.armed = False
        self.why = "" if path else "TFGUARD_BEATS is not set"  # why armed is False
        self._map: Optional[mmap.mmap] = None
        self._w: _Words = array.array("Q", bytes(SLOT_WORDS * 8))
        self._free: List[int] = []
        self._fork_registered = False
        self._reset()
        if path:
            self.claim()

    def _reset(self) -> None:
        self._steps = 0
        self._step_total = 0
        self._free = [CALLS + CALL_WORDS * i for i in reversed(range(CALL_LEN))]

    def claim(self) -> bool:
        """Takes a free slot for this process. Returns False, and says why in ``why``, when there is none."""
        try:
            self._claim()
            self.armed, self.why = True, ""
        except Exception as error:  # a full disk, a removed folder, no rights: the program must not notice
            self.armed, self.why = False, f"{type(error).__name__}: {error}"
            self._w = array.array("Q", bytes(SLOT_WORDS * 8))
        if not self._fork_registered and hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)
            self._fork_registered = True
        return self.armed

    def _claim(self) -> None:
        import fcntl

        if sys.byteorder != "little":
            raise OSError("heartbeats need a little-endian machine")
        assert self.path is not None
        # An open file description of its own, so that the lock is not shared with a parent that forked us.
        fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0))
        try:
            for attempt in range(100):  # a stopped holder must not hang us
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError:
                    if attempt == 99:
                        raise
                    time.sleep(0.001)
            if self._map is None:
                self._map = _map_file(fd)
            everything = memoryview(self._map)
            head = everything[:4096].cast("Q")
            if head[H_MAGIC] != MAGIC or head[H_VERSION] != VERSION:
                raise OSError(f"{self.path} is not a beat file of version {VERSION}")
            if head[H_HEADER_BYTES] != 4096 or head[H_SLOT_BYTES] != SLOT_WORDS * 8:
                raise OSError(f"{self.path}: slots of an unknown size")
            slots = min(head[H_SLOTS], (len(everything) - 4096) // (SLOT_WORDS * 8))
            for i in _candidates(head[H_USED], slots):
                at = 4096 + i * SLOT_WORDS * 8
                words = everything[at : at + SLOT_WORDS * 8].cast("Q")
                if words[STATE] != FREE and _alive(words[PID], words[START_TICKS]):
                    continue
                _fill(words)
                self._reset()
                self._w = words
                if i >= head[H_USED]:
                    head[H_USED] = i + 1
                return
            head[H_DROPPED] += 1
            raise OSError("the beat file has no free slot")
        finally:
            fcntl.flock(fd, fcntl.LOCK_UN)  # closing is not enough: mmap keeps a duplicate of the descriptor
            os.close(fd)

    def _after_fork(self) -> None:
        """A forked child needs a slot of its own; what its parent had in flight is not its own."""
        flags = self._w[FLAGS]
        armed, failed = self._w[HOOKS_ARMED], self._w[HOOKS_FAILED]
        texts = [self._w[TEXT + i] for i in range(2 * TEXT_WORDS)]
        if self.path and self.armed:
            self.claim()
        else:
            self._w = array.array("Q", bytes(SLOT_WORDS * 8))
            self._reset()
        w = self._w
        w[FLAGS] = flags | FLAG_FORKED
        w[HOOKS_ARMED], w[HOOKS_FAILED] = armed, failed
        for i, text in enumerate(texts):
            w[TEXT + i] = text

    def beat(self) -> None:
        """Says that the process goes on."""
        w = self._w
        w[LAST] = _now()
        w[BEATS] += 1

    def step_begin(self) -> None:
        w = self._w
        w[LAST] = w[STEP_STARTED] = _now()

    def step_end(self, counter: int) -> None:
        """Counts a step (``TRAIN_STEPS``, ``EVAL_STEPS`` or ``PREDICT_STEPS``) and how long it took."""
        w = self._w
        now = _now()
        started = w[STEP_STARTED]
        w[LAST] = now
        w[counter] += 1
        if started:
            took = now - started
            n = self._steps
            self._steps = n + 1
            w[STEP_STARTED] = 0
            w[RING + (n & 31)] = took
            w[STEPS_TIMED] = n + 1
            self._step_total += took
            w[STEP_TOTAL] = self._step_total
            w[HIST + bisect_left(BOUNDS, took)] += 1

    def count(self, counter: int) -> None:
        """Adds one to a counter, and beats."""
        w = self._w
        w[LAST] = _now()
        w[counter] += 1

    def epoch_begin(self) -> None:
        self._w[EPOCH_STARTED] = self._w[LAST] = _now()

    def epoch_end(self) -> None:
        w = self._w
        w[EPOCH_STARTED] = 0
        w[LAST] = _now()
        w[EPOCHS] += 1

    def begin(self, kind: int, timeout: Optional[float] = None) -> int:
        """Opens a call of that kind; its deadline, if any, is ``timeout`` seconds from now, and enforced from outside.

        Returns a token for ``end``. When twelve calls are open already, the call is not recorded (the token is 0).
        """
        w = self._w
        now = _now()
        w[LAST] = now
        try:
            at = self._free.pop()
        except IndexError:
            w[CALLS_DROPPED] += 1
            return 0
        w[at + 1] = now
        w[at + 2] = 0 if timeout is None else now + max(0, int(timeout * 1e9))
        w[at] = kind | threading.get_native_id() << 8
        return at

    def end(self, token: int) -> None:
        """Closes a call that ``begin`` opened."""
        w = self._w
        w[LAST] = _now()
        if token:
            w[token] = 0
            self._free.append(token)

    def hook(self, bit: int, ok: bool) -> None:
        """Records that a hook armed, or could not."""
        self._w[HOOKS_ARMED if ok else HOOKS_FAILED] |= 1 << bit

    def flag(self, flag: int) -> None:
        self._w[FLAGS] |= flag

    def text(self, index: int, text: str) -> None:
        """Sets text 0 (the program) or 1 (the framework and its version); at most 63 bytes are kept."""
        raw = text.encode("utf-8", "replace")[:63].ljust(TEXT_WORDS * 8, b"\0")
        for i in range(TEXT_WORDS):
            self._w[TEXT + index * TEXT_WORDS + i] = int.from_bytes(raw[8 * i : 8 * i + 8], "little")

    def exiting(self) -> None:
        """Says that the interpreter has begun to exit."""
        self._w[LAST] = _now()
        self._w[STATE] = EXITING


def _map_file(fd: int) -> mmap.mmap:
    if sys.version_info >= (3, 13):
        return mmap.mmap(fd, 0, trackfd=False)  # keeps no descriptor open
    return mmap.mmap(fd, 0)


def _candidates(used: int, slots: int) -> List[int]:
    """Slots in the order in which to try them: never used ones first, then those of processes that are gone."""
    used = min(used, slots)
    return list(range(used, slots)) + list(range(used))


def _fill(words: "memoryview[int]") -> None:
    words[STATE] = FREE
    for i in range(1, SLOT_WORDS):
        words[i] = 0
    words[PID] = os.getpid()
    words[START_TICKS] = _start_ticks("self")
    words[CLAIMED] = words[LAST] = _now()
    words[STATE] = LIVE


def _start_ticks(pid: Union[int, str]) -> int:
    """Clock ticks between boot and the start of the process: field 22 of /proc/PID/stat; 0 when it can't be read."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            return int(f.read().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0


def _alive(pid: int, ticks: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return not ticks or _start_ticks(pid) == ticks


_current: Optional[Beats] = None


def current() -> Beats:
    """The beats of this process: those of ``TFGUARD_BEATS``, or ones that go nowhere."""
    global _current
    if _current is None:
        _current = Beats(os.environ.get("TFGUARD_BEATS") or None)
    return _current
