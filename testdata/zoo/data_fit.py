# zoo: id=TFG408 state=hung confidence=proven,likely
# needs: tensorflow, keras
# settle: 4s
# proof: Model.fit waits for a generator that waits on a Condition nobody notifies
import threading

import numpy as np
import tensorflow as tf

from zoolib import ready

arrived = threading.Condition()


def batches():
    while True:
        with arrived:
            arrived.wait()
        yield np.ones([8, 4], "float32"), np.ones([8, 1], "float32")


model = tf.keras.Sequential([tf.keras.layers.Input([4]), tf.keras.layers.Dense(1)])
model.compile("sgd", "mse")
spec = (tf.TensorSpec([None, 4]), tf.TensorSpec([None, 1]))
rows = tf.data.Dataset.from_generator(batches, output_signature=spec).prefetch(1)
ready()
model.fit(rows, steps_per_epoch=2, verbose=0)
print("DONE")
