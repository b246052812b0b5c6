# zoo: id=TFG403,- state=hung,unknown confidence=likely,unknown
# exec: any
# scan: none
# proof: like cycle_two_locks with acquire(): CPython records no holder of a Lock, so that nothing can be proven
import threading

import tensorflow as tf

from zoolib import ready

first, second = threading.Lock(), threading.Lock()
both = threading.Barrier(2)
total = tf.Variable(0.0)


def add(a, b):
    a.acquire()
    both.wait()
    b.acquire()
    total.assign_add(1.0)
    b.release()
    a.release()


threads = [threading.Thread(target=add, args=p) for p in ((first, second), (second, first))]
for t in threads:
    t.start()
ready()
for t in threads:
    t.join()
print("DONE")
