# zoo: id=TFG406 state=hung confidence=proven,likely
# settle: 2s
# proof: the only inter-op thread is inside a py_func that calls run of the same Session
import numpy as np
import tensorflow.compat.v1 as tf

from zoolib import ready

tf.disable_eager_execution()
session = tf.Session(config=tf.ConfigProto(inter_op_parallelism_threads=1, intra_op_parallelism_threads=1))
table = tf.constant(np.ones([500, 500], np.float32))
lookup = tf.reduce_sum(tf.matmul(table, tf.placeholder_with_default(table, [500, 500])))


def call(x):
    return session.run(lookup) + x


out = tf.py_func(call, [tf.placeholder_with_default(tf.constant(1.0, tf.float32), [])], tf.float32)
ready()
print(session.run(out))
print("DONE")
