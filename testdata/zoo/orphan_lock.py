# zoo: id=TFG419,- state=hung,unknown confidence=likely,unknown
# exec: any
# proof: the thread that took the Lock with acquire() has exited; CPython records no holder of a Lock
import threading

import tensorflow as tf

from zoolib import ready

journal = threading.Lock()


def begin():
    journal.acquire()


thread = threading.Thread(target=begin)
thread.start()
thread.join()
tf.constant(1)
ready()
with journal:
    print("DONE")
