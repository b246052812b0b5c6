# zoo: id=TFG414 state=waiting confidence=proven,likely
# says: 127.0.0.1
# core: yes
# proof: recv without a timeout from a peer that accepted and sleeps
import socket
import subprocess
import sys

import tensorflow as tf

from zoolib import ready

peer = subprocess.Popen([sys.executable, "-c", "import socket, time; s = socket.create_server(('127.0.0.1', 0));"
                         "print(s.getsockname()[1], flush=True); c = s.accept(); time.sleep(3600)"],
                        stdout=subprocess.PIPE, text=True)
address = ("127.0.0.1", int(peer.stdout.readline()))


class Client:
    def __init__(self):
        self.sock = socket.create_connection(address)

    def fetch(self):
        self.sock.sendall(b"weights\n")
        return tf.io.decode_raw(self.sock.recv(1024), tf.uint8)


client = Client()
ready()
print(client.fetch())
print("DONE")
