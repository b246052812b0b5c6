# zoo: id=TFG408 state=hung confidence=proven,likely
# settle: 2s
# says: queue
# core: yes
# proof: the generator waits for a queue.Queue that no thread fills
import queue

import tensorflow as tf

from zoolib import ready

feed = queue.Queue()


def samples():
    while True:
        yield feed.get()


rows = tf.data.Dataset.from_generator(samples, output_signature=tf.TensorSpec([], tf.float32)).batch(4)
ready()
for row in rows:
    print(row)
print("DONE")
