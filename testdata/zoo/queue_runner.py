# zoo: id=TFG407 state=hung confidence=proven,likely
# settle: 2s
# proof: an input pipeline of queue runners that start_queue_runners never started
import tensorflow.compat.v1 as tf

from zoolib import ready

tf.disable_eager_execution()
name = tf.train.string_input_producer(["a", "b"]).dequeue()
batch = tf.train.batch([name], batch_size=2)
with tf.Session() as session:
    session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
    ready()
    print(session.run(batch))
print("DONE")
