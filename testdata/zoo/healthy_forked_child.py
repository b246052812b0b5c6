# zoo: id=- state=idle,waiting
# settle: 2s
# exec: left
# proof: a child forked after TensorFlow waits in select for its parent's orders, which is its work
import os
import select
import time

import tensorflow as tf

from zoolib import brief, ready

print(float(tf.reduce_sum(tf.ones([1000, 1000]))))
r, w = os.pipe()
child = os.fork()
if child == 0:
    ready()
    while True:
        select.select([r], [], [])
        os._exit(0 if os.read(r, 8) == b"end" else 1)
time.sleep(3 if brief() else 3600)
os.write(w, b"end")
os.waitpid(child, 0)
print("DONE")
