# zoo: id=TFG403 state=hung confidence=proven
# says: saver
# proof: the main thread joins a thread that waits for the lock which the main thread holds in `with`
import threading

import tensorflow as tf

from zoolib import ready

checkpoint_lock = threading.Lock()
value = tf.Variable(1.0)


def save():
    with checkpoint_lock:
        print(value.numpy())


class Trainer:
    def close(self):
        saver = threading.Thread(target=save, name="saver")
        with checkpoint_lock:
            saver.start()
            ready()
            saver.join()


Trainer().close()
print("DONE")
