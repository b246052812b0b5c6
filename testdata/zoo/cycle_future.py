# zoo: id=TFG403,- state=hung,unknown confidence=likely,unknown
# exec: any
# scan: none
# proof: the main thread holds the lock and waits for a future whose worker waits for that lock; a future records no holder
import concurrent.futures
import threading

import tensorflow as tf

from zoolib import ready

graph_lock = threading.RLock()
x = tf.constant([1.0, 2.0])


def evaluate():
    with graph_lock:
        return float(tf.reduce_sum(x))


with concurrent.futures.ThreadPoolExecutor(2, thread_name_prefix="eval") as pool:
    with graph_lock:
        future = pool.submit(evaluate)
        ready()
        print(future.result())
print("DONE")
