# zoo: id=- state=idle
# proof: the structure of a notebook kernel: a main loop that selects on its sockets, a heartbeat thread, an output thread
import selectors
import socket
import threading

import tensorflow as tf

from zoolib import brief, ready


def echo(sock):
    while True:
        data = sock.recv(64)
        if not data:
            return
        sock.sendall(data)


pairs = [socket.socketpair() for _ in range(5)]
threading.Thread(target=echo, args=(pairs[0][1],), name="Heartbeat", daemon=True).start()
threading.Thread(target=echo, args=(pairs[1][1],), name="IOPub", daemon=True).start()
loop = selectors.DefaultSelector()
for ours, theirs in pairs[2:]:
    loop.register(theirs, selectors.EVENT_READ)
tf.constant(1)
ready()
if brief():
    threading.Timer(2, pairs[2][0].sendall, [b"shutdown"]).start()
for key, _ in loop.select():
    print(key.fileobj.recv(64))
print("DONE")
