# zoo: id=- state=busy
# core: yes
# proof: trains with tf.GradientTape at full speed
import time

import tensorflow as tf

from zoolib import brief, ready

w = tf.Variable(tf.random.normal([64, 1]))
rows = tf.data.Dataset.from_tensors((tf.random.normal([256, 64]), tf.ones([256, 1]))).repeat().prefetch(2)


@tf.function
def step(x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((x @ w - y) ** 2)
    w.assign_sub(0.01 * tape.gradient(loss, w))
    return loss


end = time.monotonic() + (4 if brief() else 10**6)
for n, (x, y) in enumerate(rows):
    step(x, y)
    if n == 10:
        ready()
    if time.monotonic() > end:
        break
print("DONE")
