# zoo: id=TFG421,- state=busy
# exec: left
# proof: one C-level operation on a large integer keeps the GIL and the CPU; another thread waits for the GIL
import threading
import time

import tensorflow as tf

from zoolib import brief, ready


def poll():
    while True:
        time.sleep(0.1)


threading.Thread(target=poll, name="poller", daemon=True).start()
tf.constant(1)
ready()
for _ in range(1 if brief() else 10000):
    n = pow(3, 4_000_000 if brief() else 40_000_000)
print("DONE", n.bit_length())
