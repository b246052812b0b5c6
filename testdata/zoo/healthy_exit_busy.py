# zoo: id=-,TFG421 state=busy
# proof: the interpreter exits and waits for a non-daemon thread that still computes
import threading

import tensorflow as tf

from zoolib import brief, ready


def checkpoint():
    x = tf.ones([300, 300])
    for _ in range(300 if brief() else 10**9):
        x = tf.tanh(x @ x)


threading.Thread(target=checkpoint, name="saver").start()
ready()
