# zoo: id=TFG401 state=hung confidence=proven
# process: child
# settle: 2s
# core: yes
# proof: the child has one thread; its op waits for a notification that only a tf_Compute thread of the parent could give
import os

import tensorflow as tf

from zoolib import ready


@tf.function
def step(x):
    return tf.reduce_sum(tf.matmul(x, x))


x = tf.ones([1000, 1000])
step(x)
child = os.fork()
if child == 0:
    print(float(step(x)))
    os._exit(0)
ready()
os.waitpid(child, 0)
print("DONE")
