# zoo: id=TFG419 state=hung confidence=proven
# proof: the RLock's owner field is the ident of a thread that has exited
import threading

import tensorflow as tf

from zoolib import ready

settings = threading.RLock()


def begin():
    settings.acquire()


thread = threading.Thread(target=begin)
thread.start()
thread.join()
tf.constant(1)


def read():
    with settings:
        print("DONE")


ready()
read()
