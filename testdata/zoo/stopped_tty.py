# zoo: id=TFG426 state=stopped confidence=proven
# stdin: pty
# settle: 2s
# exec: any
# proof: a background process group reads its terminal and is stopped by SIGTTIN
import os
import sys

import tensorflow as tf

from zoolib import ready

tf.constant(1)
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    ready()
    print(sys.stdin.readline())
    os._exit(0)
os.waitpid(child, 0)
print("DONE")
