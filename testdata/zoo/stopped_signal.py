# zoo: id=TFG426 state=stopped confidence=proven
# exec: any
# core: yes
# proof: the process has stopped itself with SIGSTOP: state T
import os
import signal

import tensorflow as tf

from zoolib import ready

tf.constant(1)
ready()
os.kill(os.getpid(), signal.SIGSTOP)
print("DONE")
