# zoo: id=TFG417,TFG404 state=hung,waiting confidence=proven,likely
# process: child
# settle: 5s
# exec: any
# proof: subprocess.run waits for a child that waits for its own lock
import subprocess
import sys

import tensorflow as tf

from zoolib import ready

job = """
import threading
import tensorflow as tf
table = threading.Lock()
def put():
    with table:
        size()
def size():
    with table:
        return 0
put()
"""
tf.constant(1)
ready()
subprocess.run([sys.executable, "-c", job])
print("DONE")
