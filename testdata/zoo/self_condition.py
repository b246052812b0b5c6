# zoo: id=TFG404 state=hung confidence=proven
# says: publisher
# proof: the Condition's lock is a Lock, entered twice by one thread
import threading

import tensorflow as tf

from zoolib import ready

changed = threading.Condition(threading.Lock())
version = tf.Variable(0)


def bump():
    with changed:
        version.assign_add(1)
        changed.notify_all()


def publish():
    with changed:
        bump()


thread = threading.Thread(target=publish, name="publisher")
thread.start()
ready()
thread.join()
print("DONE")
