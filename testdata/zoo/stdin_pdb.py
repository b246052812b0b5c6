# zoo: id=TFG411 state=waiting confidence=proven,likely
# stdin: pty
# proof: pdb's prompt on a terminal where nobody types
import pdb

import tensorflow as tf

from zoolib import ready


def loss(x):
    y = tf.reduce_mean(x)
    ready()
    pdb.set_trace()
    return y


loss(tf.constant([1.0, 2.0]))
print("DONE")
