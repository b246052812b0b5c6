# zoo: id=- state=idle
# core: yes
# proof: the prefetch buffer is full and the consumer sleeps
import time

import tensorflow as tf

from zoolib import brief, ready

rows = tf.data.Dataset.range(1_000_000).map(lambda n: n * n, num_parallel_calls=4).batch(32).prefetch(4)
ready()
for row in rows:
    print(row[0])
    time.sleep(3 if brief() else 3600)
    if brief():
        break
print("DONE")
