# zoo: id=TFG401 state=hung confidence=proven
# process: child
# settle: 3s
# proof: the executor's workers were forked after the first op; the parent waits for a future
import concurrent.futures
import multiprocessing

import tensorflow as tf

from zoolib import ready


class Ranker:
    def __init__(self):
        self.w = tf.Variable(tf.ones([1000, 1000]))

    @tf.function
    def rank(self, x):
        return tf.reduce_max(tf.matmul(x, self.w))


ranker = Ranker()


def job(n):
    return float(ranker.rank(tf.ones([1000, 1000])))


if __name__ == "__main__":
    job(0)
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        future = pool.submit(job, 1)
        ready()
        print(future.result())
    print("DONE")
