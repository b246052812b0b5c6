# zoo: id=TFG407 state=hung confidence=proven,likely
# proof: an eager dequeue on the only Python thread
import tensorflow as tf

from zoolib import ready

q = tf.queue.PriorityQueue(4, [tf.float32], [[]])
ready()
print(q.dequeue())
print("DONE")
