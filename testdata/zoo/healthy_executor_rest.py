# zoo: id=- state=idle
# proof: eight pool workers wait for work and the main thread for a signal
import concurrent.futures
import signal

import tensorflow as tf

from zoolib import brief, ready

pool = concurrent.futures.ThreadPoolExecutor(8)
print(sum(pool.map(lambda n: float(tf.constant(float(n))), range(64))))
ready()
if brief():
    signal.signal(signal.SIGALRM, lambda *a: None)
    signal.alarm(3)
signal.pause()
pool.shutdown()
print("DONE")
