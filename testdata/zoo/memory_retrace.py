# zoo: id=TFG425,- state=busy
# settle: 4s
# exec: any
# scan: none
# proof: a Python number as argument makes tf.function trace a new graph for each call; memory rises
import tensorflow as tf

from zoolib import ready


@tf.function
def scaled(x, factor):
    for _ in range(50):
        x = tf.tanh(x * factor)
    return x


x = tf.ones([10])
ready()
for n in range(1_000_000):
    scaled(x, float(n))
print("DONE")
