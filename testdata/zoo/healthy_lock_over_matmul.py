# zoo: id=-,TFG421 state=busy
# settle: 2s
# proof: the lock's holder computes; the others wait for their turn
import threading

import tensorflow as tf

from zoolib import brief, ready

model_lock = threading.Lock()
x = tf.ones([4000, 4000], tf.float64)


def predict():
    for _ in range(1 if brief() else 10**6):
        with model_lock:
            y = tf.matmul(x, x)
    return y


threads = [threading.Thread(target=predict, name=f"request-{n}") for n in range(3)]
for t in threads:
    t.start()
ready()
for t in threads:
    t.join()
print("DONE")
