# zoo: id=- state=idle,waiting
# proof: waits with a timeout in a loop, and wakes each second
import threading

import tensorflow as tf

from zoolib import brief, ready

changed = threading.Condition()
limit = tf.constant(3)


def watch():
    n = 0
    with changed:
        while not (brief() and n > limit.numpy()):
            changed.wait(timeout=1)
            n += 1


thread = threading.Thread(target=watch, name="watcher")
thread.start()
ready()
thread.join()
print("DONE")
