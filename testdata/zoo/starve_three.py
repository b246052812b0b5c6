# zoo: id=TFG406 state=hung confidence=proven,likely
# settle: 2s
# proof: both inter-op threads wait in py_functions for a third that no thread is left to run
import queue

import tensorflow as tf

from zoolib import ready

tf.config.threading.set_inter_op_parallelism_threads(2)
results = queue.Queue()


def ask(x):
    return results.get()


def answer(x):
    results.put(x)
    results.put(x)
    return x


@tf.function
def step(x):
    a = tf.py_function(ask, [x], tf.float32)
    b = tf.py_function(ask, [x + 1.0], tf.float32)
    for _ in range(20):
        x = tf.tanh(x)
    return a + b + tf.py_function(answer, [x], tf.float32)


ready()
print(step(tf.constant(1.0)))
print("DONE")
