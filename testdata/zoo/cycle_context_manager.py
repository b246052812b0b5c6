# zoo: id=TFG403,- state=hung,unknown confidence=proven,likely,unknown
# exec: any
# scan: none
# proof: the locks are held by suspended generators of @contextmanager, which no thread's frame chain reaches
import contextlib
import threading

import tensorflow as tf

from zoolib import ready

left, right = threading.Lock(), threading.Lock()
both = threading.Barrier(2)
step = tf.Variable(0)


@contextlib.contextmanager
def exclusive(lock):
    with lock:
        yield step


def run(a, b):
    with exclusive(a) as s:
        both.wait()
        with exclusive(b):
            s.assign_add(1)


threads = [threading.Thread(target=run, args=p) for p in ((left, right), (right, left))]
for t in threads:
    t.start()
ready()
for t in threads:
    t.join()
print("DONE")
