# zoo: id=TFG408 state=waiting,hung confidence=proven,likely
# settle: 2s
# says: socket
# proof: the generator reads a socket whose peer, a process that sleeps, never writes
import socket
import subprocess
import sys

import tensorflow as tf

from zoolib import ready

peer = subprocess.Popen([sys.executable, "-c", "import socket, time; s = socket.create_server(('127.0.0.1', 0));"
                         "print(s.getsockname()[1], flush=True); c = s.accept(); time.sleep(3600)"],
                        stdout=subprocess.PIPE, text=True)
source = socket.create_connection(("127.0.0.1", int(peer.stdout.readline())))


def records():
    while True:
        yield source.recv(4)


def consume():
    for row in tf.data.Dataset.from_generator(records, output_signature=tf.TensorSpec([], tf.string)).prefetch(2):
        print(row)


ready()
consume()
print("DONE")
