# zoo: id=TFG403 state=hung confidence=proven,likely
# settle: 2s
# proof: the main thread is inside `with model_lock` and waits for a graph whose py_function, on a pool thread, waits for model_lock
import threading

import tensorflow as tf

from zoolib import ready

model_lock = threading.Lock()
counts = []


def record(x):
    with model_lock:
        counts.append(float(x))
    return x


@tf.function
def step(x):
    y = tf.py_function(record, [x * 2.0], tf.float32)
    return y + 1.0


ready()
with model_lock:
    print(step(tf.constant(1.0)))
print("DONE")
