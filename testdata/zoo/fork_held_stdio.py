# zoo: id=TFG402 state=hung confidence=proven,likely
# process: child
# settle: 2s
# proof: a thread was inside BufferedWriter.write (its buffer lock held, the pipe full) at the fork; the child writes to the same buffer
import os
import threading
import time

import tensorflow as tf

from zoolib import ready

r, w = os.pipe()
log = os.fdopen(w, "wb", 65536)
tf.constant(1)


def flood():
    log.write(b"x" * (1 << 20))


threading.Thread(target=flood, name="logger", daemon=True).start()
time.sleep(0.5)
child = os.fork()
if child == 0:
    log.write(b"child\n")
    log.flush()
    os._exit(0)
ready()
os.waitpid(child, 0)
print("DONE")
