# zoo: id=TFG406 state=hung confidence=proven,likely
# settle: 2s
# core: yes
# proof: the only inter-op thread is inside a py_function that waits for another py_function of the same graph
import threading

import tensorflow as tf

from zoolib import ready

tf.config.threading.set_inter_op_parallelism_threads(1)
meet = threading.Barrier(2)


def left(x):
    meet.wait()
    return x


def right(x):
    meet.wait()
    return x


@tf.function
def both(x):
    return tf.py_function(left, [x], tf.float32) + tf.py_function(right, [x], tf.float32)


ready()
print(both(tf.constant(1.0)))
print("DONE")
