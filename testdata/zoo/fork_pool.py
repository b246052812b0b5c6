# zoo: id=TFG401 state=hung confidence=proven
# process: child
# settle: 3s
# proof: both pool workers were forked after the first op; each waits inside its first graph
import multiprocessing

import tensorflow as tf

from zoolib import ready


@tf.function
def features(x):
    return tf.linalg.matmul(x, x, transpose_b=True)


def extract(n):
    return float(features(tf.ones([1000, 1000]) * n)[0, 0])


if __name__ == "__main__":
    extract(0)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        ready()
        print(pool.map(extract, range(4)))
    print("DONE")
