# zoo: id=- state=idle,waiting,busy
# settle: 2s
# core: yes
# proof: a child forked after TensorFlow that only sleeps and counts
import os
import time

import tensorflow as tf

from zoolib import brief, ready


@tf.function
def step(x):
    return tf.matmul(x, x)


step(tf.ones([1000, 1000]))
child = os.fork()
if child == 0:
    for n in range(3 if brief() else 10**6):
        time.sleep(1)
        sum(range(1000))
    os._exit(0)
ready()
os.waitpid(child, 0)
print("DONE")
