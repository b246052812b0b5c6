# zoo: id=- state=busy,idle,waiting
# core: yes
# proof: four threads take turns on one lock, 2 s each; each turn ends by itself
import threading
import time

import tensorflow as tf

from zoolib import brief, ready

gpu = threading.Lock()
value = tf.Variable(0.0)


def turn():
    for _ in range(1 if brief() else 100000):
        with gpu:
            value.assign_add(1.0)
            time.sleep(2)
        time.sleep(0.01)


threads = [threading.Thread(target=turn) for _ in range(4)]
for t in threads:
    t.start()
ready()
for t in threads:
    t.join()
print("DONE")
