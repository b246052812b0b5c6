# zoo: id=TFG425,- state=busy,idle
# settle: 4s
# exec: any
# proof: each step keeps a tensor of 1 MB; resident memory rises (to 3 GB at most)
import time

import tensorflow as tf

from zoolib import ready

history = []
ready()
for n in range(3000):
    history.append(tf.random.normal([512, 512]))
    time.sleep(0.05)
time.sleep(3600)
print("DONE")
