# zoo: id=TFG404 state=hung confidence=proven
# proof: an eager py_function runs on the calling thread, which holds the lock that it wants
import threading

import tensorflow as tf

from zoolib import ready

vocabulary = threading.Lock()


def encode(x):
    with vocabulary:
        return x + 1


def tokens(x):
    return tf.py_function(encode, [x], tf.int32)


ready()
with vocabulary:
    print(tokens(tf.constant(1)))
print("DONE")
