# zoo: id=TFG401 state=hung confidence=proven
# process: child
# settle: 2s
# proof: the child goes on with an iterator whose prefetch thread stayed in the parent
import os

import tensorflow as tf

from zoolib import ready

rows = tf.data.Dataset.range(100).map(lambda n: n * 2, num_parallel_calls=4).prefetch(2)
rows = iter(rows)
print(next(rows).numpy())
child = os.fork()
if child == 0:
    for row in rows:
        print(int(row))
    os._exit(0)
ready()
os.waitpid(child, 0)
print("DONE")
