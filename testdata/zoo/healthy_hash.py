# zoo: id=-,TFG421 state=busy
# proof: compresses and hashes large data in C
import hashlib
import zlib

import tensorflow as tf

from zoolib import brief, ready

data = tf.io.serialize_tensor(tf.range(10_000_000)).numpy()
ready()
for _ in range(1 if brief() else 10**6):
    print(hashlib.sha256(zlib.compress(data, 9)).hexdigest())
print("DONE")
