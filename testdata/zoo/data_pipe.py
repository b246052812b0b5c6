# zoo: id=TFG408 state=hung,waiting confidence=proven,likely
# settle: 2s
# says: pipe
# proof: the map function reads a pipe whose write end only this process has and never writes
import os

import tensorflow as tf

from zoolib import ready

r, w = os.pipe()


def decode(i):
    return int.from_bytes(os.read(r, 8), "little")


rows = tf.data.Dataset.range(100).map(lambda i: tf.py_function(decode, [i], tf.int64), num_parallel_calls=4)
ready()
for row in rows.batch(8).prefetch(2):
    print(row)
print("DONE")
