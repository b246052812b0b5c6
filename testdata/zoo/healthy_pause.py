# zoo: id=- state=idle
# proof: a daemon that waits for signals
import signal

import tensorflow as tf

from zoolib import brief, ready

signal.signal(signal.SIGALRM, lambda *a: print(tf.constant(1).numpy()))
if brief():
    signal.alarm(3)
ready()
while True:
    signal.pause()
    if brief():
        break
print("DONE")
