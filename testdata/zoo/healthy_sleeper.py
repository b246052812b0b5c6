# zoo: id=- state=idle
# core: yes
# proof: sleeps until its next run
import time

import tensorflow as tf

from zoolib import brief, ready

ready()
while True:
    time.sleep(3 if brief() else 3600)
    print(tf.constant(1).numpy())
    if brief():
        break
print("DONE")
