# zoo: id=TFG404 state=hung confidence=proven
# core: yes
# proof: the same thread is inside `with` of the lock that it waits for
import threading

import tensorflow as tf

from zoolib import ready


class Model:
    def __init__(self):
        self.lock = threading.Lock()
        self.w = tf.Variable(1.0)

    def predict(self, x):
        with self.lock:
            return self.scale(x)

    def scale(self, x):
        with self.lock:
            return x * self.w.numpy()


model = Model()
ready()
print(model.predict(2.0))
print("DONE")
