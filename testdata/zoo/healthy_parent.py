# zoo: id=- state=waiting,busy
# settle: 2s
# core: yes
# proof: the parent waits for a child that uses the CPU
import subprocess
import sys

import tensorflow as tf

from zoolib import brief, ready

tf.constant(1)
ready()
subprocess.run([sys.executable, "-c", f"print(sum(i * i for i in range({20_000_000 if brief() else 10**12})))"])
print("DONE")
