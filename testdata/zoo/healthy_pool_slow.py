# zoo: id=- state=waiting,busy
# settle: 3s
# proof: the parent waits for pool workers that compute
import multiprocessing

from zoolib import brief, ready


def work(n):
    return sum(i * i for i in range(n))


if __name__ == "__main__":
    import tensorflow as tf

    tf.constant(1)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        ready()
        print(pool.map(work, [10_000_000 if brief() else 10**12] * 2))
    print("DONE")
