# zoo: id=TFG401 state=hung confidence=proven
# process: child
# settle: 2s
# proof: Session.run in the forked child waits for pool threads that stayed in the parent
import os

import tensorflow.compat.v1 as tf

from zoolib import ready

tf.disable_eager_execution()
x = tf.placeholder(tf.float32, [1000, 1000])
y = tf.reduce_sum(tf.matmul(x, x))
session = tf.Session()
feed = {x: [[1.0] * 1000] * 1000}
session.run(y, feed)
child = os.fork()
if child == 0:
    print(session.run(y, feed))
    os._exit(0)
ready()
os.waitpid(child, 0)
print("DONE")
