# zoo: id=TFG421,- state=busy
# exec: left
# ends: no
# settle: 2s
# proof: a tf.while_loop whose condition stays true; a pool thread uses the CPU
import tensorflow as tf

from zoolib import ready


@tf.function
def settle(x):
    return tf.while_loop(lambda v: tf.reduce_all(v > -1.0), lambda v: [tf.sin(v) * 0.9], [x])


ready()
print(settle(tf.ones([1000])))
print("DONE")
