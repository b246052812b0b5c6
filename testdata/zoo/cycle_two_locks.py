# zoo: id=TFG403 state=hung confidence=proven
# says: trainer, exporter
# core: yes
# proof: each thread is inside `with` of one lock and inside acquire of the other's
import threading

import tensorflow as tf

from zoolib import ready

weights_lock = threading.Lock()
metrics_lock = threading.Lock()
weights = tf.Variable([1.0])
both = threading.Barrier(2)


def train():
    with weights_lock:
        both.wait()
        with metrics_lock:
            weights.assign_add([1.0])


def export():
    with metrics_lock:
        both.wait()
        with weights_lock:
            print(weights.numpy())


threads = [threading.Thread(target=train, name="trainer"), threading.Thread(target=export, name="exporter")]
for t in threads:
    t.start()
ready()
for t in threads:
    t.join()
print("DONE")
