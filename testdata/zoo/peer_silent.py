# zoo: id=TFG409 state=waiting,hung confidence=proven,likely
# settle: 6s
# says: 127.0.0.1
# exec: any
# proof: the session's second worker is a socket that listens and never answers
import socket

import tensorflow.compat.v1 as tf

from zoolib import ready

silent = socket.create_server(("127.0.0.1", 0))
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    own = s.getsockname()[1]
cluster = tf.train.ClusterSpec({"worker": [f"127.0.0.1:{own}", f"127.0.0.1:{silent.getsockname()[1]}"]})
server = tf.distribute.Server(cluster, job_name="worker", task_index=0)
ready()
with tf.Graph().as_default():
    with tf.device("/job:worker/task:1"):
        x = tf.constant(1.0) + 1.0
    with tf.Session(server.target) as session:
        print(session.run(x))
print("DONE")
