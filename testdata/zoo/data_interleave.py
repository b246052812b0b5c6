# zoo: id=TFG408 state=hung confidence=proven,likely
# settle: 2s
# proof: each interleaved generator waits for an event that nothing sets
import threading

import tensorflow as tf

from zoolib import ready

opened = threading.Event()


def shard(i):
    opened.wait()
    yield i


def read(i):
    return tf.data.Dataset.from_generator(shard, tf.int64, args=(i,))


rows = tf.data.Dataset.range(4).interleave(read, cycle_length=4, num_parallel_calls=4)
ready()
for row in rows:
    print(row)
print("DONE")
