# zoo: id=TFG403,- state=hung,unknown confidence=likely,unknown
# scan: none
# exec: any
# proof: like cycle_two_locks, but the locks were entered through ExitStack: the holder is in its deque, not on a frame's value stack
import contextlib
import threading

import tensorflow as tf

from zoolib import ready

shards = [threading.Lock(), threading.Lock()]
table = tf.Variable([0.0, 0.0])
both = threading.Barrier(2)


def move(order):
    with contextlib.ExitStack() as stack:
        for i, lock in enumerate(order):
            stack.enter_context(lock)
            if i == 0:
                both.wait()
        table.assign([1.0, 1.0])


threads = [threading.Thread(target=move, args=(o,)) for o in (shards, shards[::-1])]
for t in threads:
    t.start()
ready()
for t in threads:
    t.join()
print("DONE")
