"""Threads blocked in many kinds of frames; prints where each stands, as CPython itself sees it."""
import asyncio
import faulthandler
import functools
import json
import queue
import sys
import threading
import time

stop = threading.Lock()
stop.acquire()
ready = threading.Semaphore(0)


def block():
    ready.release()
    stop.acquire()


def plain():
    block()


def generator():
    yield 1
    block()
    yield 2


def in_generator():
    for _ in generator():
        pass


async def inner():
    await asyncio.sleep(0)
    block()


async def outer():
    await inner()


def in_coroutine():
    asyncio.new_event_loop().run_until_complete(outer())


def in_comprehension():
    return [
        [block() for _ in range(1)]
        for _ in range(1)
    ]


def in_c_call():
    return sorted(
        [2, 1],
        key=lambda x:
            block(),
    )


class Thing:
    @property
    def attribute(self):
        return block()

    def __lt__(self, other):
        return self.attribute

    @staticmethod
    def nested():
        def deep(n):
            if n:
                return deep(n - 1)
            return max(Thing(), Thing())
        deep(20)


def in_exec():
    exec(compile("def f():\n\n\n  block()\n\nf()\n", "<made up>", "exec"), {"block": block})


def in_long():
    src = ["def g():"] + ["    x = %d" % i for i in range(700)] + ["    y = (1,"] + [""] * 400 + ["    block(),", ")", "g()"]
    exec(compile("\n".join(src), "long.py", "exec"), {"block": block})


def in_handler():
    try:
        raise ValueError
    except ValueError:
        try:
            with stop2:
                functools.partial(block)()
        finally:
            pass


def unicode_näme():
    block()


stop2 = threading.RLock()
targets = [plain, in_generator, in_coroutine, in_comprehension, in_c_call, Thing.nested, in_exec, in_long, in_handler, unicode_näme]
threads = [threading.Thread(target=t, name=t.__name__, daemon=i % 2 == 0) for i, t in enumerate(targets)]
for t in threads:
    t.start()
for t in threads:
    ready.acquire()
time.sleep(0.3)

frames = sys._current_frames()
expect = []
for t in threads:
    f = frames[t.ident]
    stack = []
    while f:
        stack.append([getattr(f.f_code, "co_qualname", f.f_code.co_name), f.f_code.co_filename, f.f_lineno])
        f = f.f_back
    expect.append({"tid": t.native_id, "name": t.name, "daemon": t.daemon, "ident": t.ident, "frames": stack})
print(json.dumps({"main": threading.main_thread().native_id, "threads": expect}), flush=True)
sys.stdin.read()
