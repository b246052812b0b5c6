# zoo: id=TFG408 state=hung confidence=proven,likely
# settle: 2s
# says: lock
# proof: the generator waits for a lock whose holder waits for an event that nothing sets
import threading

import tensorflow as tf

from zoolib import ready

files = threading.Lock()
resume = threading.Event()
entered = threading.Event()


def rotate():
    with files:
        entered.set()
        resume.wait()


def lines():
    for n in range(100):
        with files:
            yield n


threading.Thread(target=rotate, name="rotator", daemon=True).start()
entered.wait()
ready()
for n in tf.data.Dataset.from_generator(lines, tf.int32).prefetch(1):
    print(int(n))
print("DONE")
