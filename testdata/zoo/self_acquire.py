# zoo: id=TFG404,- state=hung,unknown confidence=likely,unknown
# exec: any
# proof: one thread takes a Lock twice with acquire(), which records no holder; no other thread exists
import threading

import tensorflow as tf

from zoolib import ready

lock = threading.Lock()


def load():
    lock.acquire()
    return tf.constant(1.0)


load()
ready()
load()
print("DONE")
