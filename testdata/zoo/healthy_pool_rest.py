# zoo: id=- state=idle
# settle: 3s
# proof: a multiprocessing pool that has nothing to do, and a parent that sleeps; under ZOO_BRIEF the pool still works after the rest
import multiprocessing
import time

from zoolib import brief, ready

if __name__ == "__main__":
    import tensorflow as tf

    with multiprocessing.get_context("spawn").Pool(2) as pool:
        print(tf.constant(pool.map(abs, [-1, 2])))
        ready()
        time.sleep(3 if brief() else 3600)
        print(pool.map(abs, [-3, 4]))
    print("DONE")
