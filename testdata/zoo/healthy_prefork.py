# zoo: id=- state=idle,waiting
# settle: 3s
# proof: a pre-fork server: the workers import TensorFlow after the fork and wait in accept
import os
import signal
import socket
import time

from zoolib import brief, ready

listener = socket.create_server(("127.0.0.1", 0))
children = []
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        import tensorflow as tf

        @tf.function
        def score(x):
            return tf.reduce_sum(tf.matmul(x, x))

        score(tf.ones([1000, 1000]))
        ready()
        while True:
            conn, _ = listener.accept()
            conn.sendall(str(float(score(tf.ones([1000, 1000])))).encode())
            conn.close()
    children.append(pid)
if brief():
    time.sleep(20)
    print(socket.create_connection(listener.getsockname()).recv(64))
    for pid in children:
        os.kill(pid, signal.SIGTERM)
for pid in children:
    os.waitpid(pid, 0)
print("DONE")
