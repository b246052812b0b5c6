# zoo: id=- state=idle,waiting
# exec: left
# proof: a parameter server that joins for ever by design; a session of this process runs on it first. Nothing ends it but a timer.
import os
import threading

import tensorflow.compat.v1 as tf

from zoolib import brief, ready

tf.disable_eager_execution()
server = tf.distribute.Server.create_local_server()
with tf.Session(server.target) as session:
    print(session.run(tf.constant(1.0) + 1.0))
ready()
if brief():
    threading.Timer(2, os._exit, [0]).start()
server.join()
