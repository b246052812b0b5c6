# zoo: id=TFG417 state=waiting,hung confidence=proven,likely
# exec: any
# proof: the shell has ended; its background process keeps the output pipe open, so communicate() does not end
import subprocess

import tensorflow as tf

from zoolib import ready

tf.constant(1)
ready()
out = subprocess.run(["sh", "-c", "sleep 3600 & echo exported"], capture_output=True)
print("DONE", out)
