# zoo: id=TFG413 state=waiting,hung confidence=proven,likely
# says: sleep
# exec: any
# proof: writes into the pipe of a sleep, which never reads
import subprocess

import tensorflow as tf

from zoolib import ready

viewer = subprocess.Popen(["sleep", "3600"], stdin=subprocess.PIPE)


def emit(n):
    row = tf.strings.as_string(tf.range(n)).numpy()
    viewer.stdin.write(b"\n".join(row))


ready()
emit(200000)
print("DONE")
