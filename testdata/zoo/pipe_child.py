# zoo: id=TFG413 state=hung,waiting confidence=proven,likely
# process: child
# settle: 6s
# exec: any
# proof: the child fills the pipe of its output and the parent, its only reader, waits for its end
import subprocess
import sys

import tensorflow as tf

from zoolib import ready

job = """
import tensorflow as tf
for step in range(100000):
    print("step", step, "loss", 1.0 / (step + 1), flush=True)
"""
tf.constant(1)
process = subprocess.Popen([sys.executable, "-c", job], stdout=subprocess.PIPE)
ready()
process.wait()
print("DONE")
