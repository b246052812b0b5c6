# zoo: id=TFG407 state=hung confidence=proven,likely
# settle: 2s
# core: yes
# proof: Session.run waits for a dequeue; the process has one Python thread, which is in that run, so nothing can enqueue
import tensorflow.compat.v1 as tf

from zoolib import ready

tf.disable_eager_execution()
q = tf.FIFOQueue(10, [tf.float32], shapes=[[]])
item = q.dequeue()
with tf.Session() as session:
    session.run(tf.constant(1.0))
    ready()
    print(session.run(item))
print("DONE")
