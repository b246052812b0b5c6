# zoo: id=TFG424,- state=busy,idle
# settle: 8s
# exec: any
# proof: each call makes a Session with pools of its own and closes none; the count of threads rises
import time

import tensorflow.compat.v1 as tf

from zoolib import ready

tf.disable_eager_execution()
options = tf.ConfigProto(use_per_session_threads=True, inter_op_parallelism_threads=4, intra_op_parallelism_threads=4)
kept = []


def predict(x):
    session = tf.Session(config=options)
    kept.append(session)
    return session.run(y, {p: x})


p = tf.placeholder(tf.float32, [])
y = p * 2.0
ready()
for n in range(1500):
    predict(float(n))
    time.sleep(0.1)
time.sleep(3600)
print("DONE")
