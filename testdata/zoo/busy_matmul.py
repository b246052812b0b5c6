# zoo: id=TFG421,- state=busy
# exec: left
# core: yes
# proof: one product of two 5000 x 5000 matrices after the other, each some seconds long: CPU time rises
import tensorflow as tf

from zoolib import brief, ready

x = tf.ones([5000, 5000], tf.float64)
ready()
for _ in range(1 if brief() else 10000):
    y = tf.matmul(x, x)
print("DONE", y.shape)
