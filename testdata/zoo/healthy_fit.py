# zoo: id=- state=busy
# needs: tensorflow, keras
# settle: 4s
# proof: Model.fit at work
import numpy as np
import tensorflow as tf

from zoolib import brief, ready

model = tf.keras.Sequential([tf.keras.layers.Input([32]), tf.keras.layers.Dense(64, "relu"), tf.keras.layers.Dense(1)])
model.compile("adam", "mse")
ready()
model.fit(np.ones([4096, 32], "float32"), np.ones([4096, 1], "float32"), epochs=3 if brief() else 100000, verbose=0)
print("DONE")
