# zoo: id=TFG418 state=hung confidence=proven,likely
# says: writer
# scan: none
# proof: at exit concurrent.futures joins a worker that waits for an event nobody sets
import concurrent.futures
import threading

import tensorflow as tf

from zoolib import ready

flushed = threading.Event()
pool = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="writer")
pool.submit(flushed.wait)
print(tf.constant(1).numpy())
ready()
