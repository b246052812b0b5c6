# zoo: id=- state=idle,waiting,busy
# settle: 2s
# proof: the generator sleeps 3 s for each element, and the elements come
import time

import tensorflow as tf

from zoolib import brief, ready


def samples():
    for n in range(3 if brief() else 10**6):
        time.sleep(3)
        yield n


ready()
for n in tf.data.Dataset.from_generator(samples, output_signature=tf.TensorSpec([], tf.int32)).prefetch(2):
    print(int(n))
print("DONE")
