# zoo: id=- state=busy
# proof: the main thread joins a thread that computes
import threading

import tensorflow as tf

from zoolib import brief, ready


def simulate():
    x = tf.ones([300, 300])
    for _ in range(300 if brief() else 10**9):
        x = tf.tanh(x @ x)


thread = threading.Thread(target=simulate, name="simulator")
thread.start()
ready()
thread.join()
print("DONE")
