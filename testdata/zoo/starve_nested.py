# zoo: id=TFG406 state=hung confidence=proven,likely
# settle: 2s
# proof: the only inter-op thread runs a py_function that calls a graph, which needs an inter-op thread
import tensorflow as tf

from zoolib import ready

tf.config.threading.set_inter_op_parallelism_threads(1)


@tf.function
def norm(x):
    return tf.sqrt(tf.reduce_sum(tf.matmul(x, x)))


@tf.function
def loss(x):
    return tf.py_function(lambda v: norm(v) + 1.0, [x], tf.float32)


ready()
print(loss(tf.ones([1000, 1000])))
print("DONE")
