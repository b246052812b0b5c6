# zoo: id=TFG403 state=hung confidence=proven,likely
# settle: 2s
# proof: the consumer holds the lock in `with` and waits for tf.data, whose map function waits for that lock
import threading

import tensorflow as tf

from zoolib import ready

index = threading.RLock()


def lookup(i):
    with index:
        return i * 3


rows = tf.data.Dataset.range(8).map(lambda i: tf.py_function(lookup, [i], tf.int64), num_parallel_calls=2).prefetch(1)


def epoch(source):
    with index:
        for row in source:
            print(int(row))


ready()
epoch(rows)
print("DONE")
