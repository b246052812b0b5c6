# zoo: id=TFG403 state=hung confidence=proven
# says: alpha, beta, gamma
# core: yes
# proof: three threads in a ring: RLock, Condition and Lock, each held by the next
import threading

import tensorflow as tf

from zoolib import ready


class Stage:
    def __init__(self, lock):
        self.lock = lock
        self.value = tf.Variable(0.0)
        self.next = None

    def update(self, barrier):
        def outer():
            with self.lock:
                barrier.wait()
                inner()

        def inner():
            with self.next.lock:
                self.next.value.assign(1.0)

        outer()


stages = [Stage(threading.RLock()), Stage(threading.Condition()), Stage(threading.Lock())]
for a, b in zip(stages, stages[1:] + stages[:1]):
    a.next = b
barrier = threading.Barrier(3)
threads = [threading.Thread(target=s.update, args=(barrier,), name=n, daemon=True)
           for s, n in zip(stages, ["alpha", "beta", "gamma"])]
for t in threads:
    t.start()
ready()
for t in threads:
    t.join()
print("DONE")
