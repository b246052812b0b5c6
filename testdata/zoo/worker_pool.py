# zoo: id=TFG416 state=hung confidence=proven,likely
# settle: 3s
# proof: the worker that had the task was killed; the pool made another, which waits for work, and the result never comes
import multiprocessing
import os
import signal
import time

from zoolib import ready


def augment(i):
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    import tensorflow as tf

    tf.constant(1)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        result = pool.apply_async(augment, (1,))
        time.sleep(1)
        ready()
        print(result.get())
    print("DONE")
