# zoo: id=- state=idle,waiting,busy,unknown
# proof: two threads take two locks in opposite order, but give up after 3 s and start again
import random
import threading
import time

import tensorflow as tf

from zoolib import brief, ready

a, b = threading.Lock(), threading.Lock()
total = tf.Variable(0)
end = time.monotonic() + (6 if brief() else 10**6)


def move(first, second):
    while time.monotonic() < end:
        with first:
            time.sleep(0.1)
            if second.acquire(timeout=3):
                total.assign_add(1)
                second.release()
        time.sleep(random.random() / 10)


threads = [threading.Thread(target=move, args=p) for p in ((a, b), (b, a))]
for t in threads:
    t.start()
ready()
for t in threads:
    t.join()
print("DONE")
