# zoo: id=TFG401 state=hung confidence=proven
# settle: 2s
# proof: like fork_os, but the parent has exited: only the child is left to tell
import os

import tensorflow as tf

from zoolib import ready


@tf.function
def step(x):
    return tf.reduce_sum(tf.matmul(x, x))


x = tf.ones([1000, 1000])
step(x)
if os.fork():
    os._exit(0)
os.setsid()
ready()
print(float(step(x)))
print("DONE")
