# zoo: id=TFG422 state=busy
# exec: left
# settle: 2s
# proof: the first call of a large jit_compile=True function: LLVM uses the CPU
import tensorflow as tf

from zoolib import brief, ready

depth = 30 if brief() else 2500


@tf.function(jit_compile=True)
def deep(x):
    for i in range(depth):
        x = tf.sort(tf.tanh(x @ x) * float(i), axis=i % 2) + tf.cumsum(x)
    return x


x = tf.ones([16, 16])
deep.get_concrete_function(x)
ready()
print(deep(x))
print("DONE")
