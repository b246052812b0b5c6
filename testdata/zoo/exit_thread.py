# zoo: id=TFG418 state=hung confidence=proven,likely
# says: uploader
# core: yes
# proof: the main thread is in threading._shutdown and joins a non-daemon thread that waits for a queue nobody fills
import queue
import threading

import tensorflow as tf

from zoolib import ready

pending = queue.Queue()


def upload():
    while True:
        print(pending.get())


threading.Thread(target=upload, name="uploader").start()
print(tf.constant(1).numpy())
ready()
