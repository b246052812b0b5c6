# zoo: id=TFG403,- state=hung,unknown confidence=likely,unknown
# exec: any
# scan: none
# proof: the consumer holds the lock while it waits for the queue that only a producer, waiting for that lock, could fill
import queue
import threading

import tensorflow as tf

from zoolib import ready

device = threading.Lock()
batches = queue.Queue()


def produce():
    with device:
        batches.put(tf.constant(1.0))


with device:
    threading.Thread(target=produce, name="producer", daemon=True).start()
    ready()
    print(batches.get())
print("DONE")
