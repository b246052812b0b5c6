# zoo: id=TFG401 state=hung confidence=proven
# process: child
# settle: 2s
# proof: a forked multiprocessing.Process runs a graph without the pool threads of its parent; the parent joins it
import multiprocessing

import tensorflow as tf

from zoolib import ready

weights = tf.Variable(tf.ones([1000, 1000]))


@tf.function
def score(x):
    return tf.matmul(x, weights)


def serve(rows):
    print(score(tf.ones([rows, 1000])).shape)


if __name__ == "__main__":
    score(tf.ones([1000, 1000]))
    worker = multiprocessing.get_context("fork").Process(target=serve, args=(1000,), name="server")
    worker.start()
    ready()
    worker.join()
    print("DONE")
