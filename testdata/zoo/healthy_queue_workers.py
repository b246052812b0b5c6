# zoo: id=- state=busy
# proof: workers wait for a queue while the main thread trains
import queue
import threading
import time

import tensorflow as tf

from zoolib import brief, ready

jobs = queue.Queue()


def work():
    while True:
        jobs.get()()


for n in range(4):
    threading.Thread(target=work, name=f"saver-{n}", daemon=True).start()
w = tf.Variable(tf.ones([300, 300]))
ready()
end = time.monotonic() + (3 if brief() else 10**6)
while time.monotonic() < end:
    w.assign(tf.tanh(w @ w))
print("DONE")
