# zoo: id=TFG424,- state=busy,idle
# settle: 5s
# says: watcher
# exec: any
# proof: each step starts a thread that never ends; the count of threads rises
import threading
import time

import tensorflow as tf

from zoolib import ready

forever = threading.Event()


def step(n):
    threading.Thread(target=forever.wait, name=f"watcher-{n}", daemon=True).start()
    return tf.constant(n) + 1


ready()
for n in range(3000):
    step(n)
    time.sleep(0.05)
time.sleep(3600)
print("DONE")
