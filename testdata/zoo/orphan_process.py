# zoo: id=TFG419,- state=hung,unknown confidence=proven,likely,unknown
# settle: 2s
# exec: any
# proof: the process that held the multiprocessing.Lock was killed; a POSIX semaphore is not released by that
import multiprocessing
import os
import signal

from zoolib import ready


def append(lock):
    lock.acquire()
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    import tensorflow as tf

    tf.constant(1)
    context = multiprocessing.get_context("spawn")
    lock = context.Lock()
    process = context.Process(target=append, args=(lock,))
    process.start()
    process.join()
    ready()
    with lock:
        print("DONE")
