# zoo: id=TFG416 state=hung confidence=proven,likely
# settle: 3s
# proof: the only process that could put into the queue is a zombie
import multiprocessing
import os

from zoolib import ready


def load(out):
    os._exit(137)


if __name__ == "__main__":
    import tensorflow as tf

    context = multiprocessing.get_context("spawn")
    out = context.Queue()
    loader = context.Process(target=load, args=(out,), name="loader")
    loader.start()
    ready()
    print(tf.constant(out.get()))
    print("DONE")
