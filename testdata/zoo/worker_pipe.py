# zoo: id=TFG416 state=hung confidence=proven,likely
# settle: 3s
# proof: the writer of the pipe is a zombie, and this process keeps the write end open, so that no end of file comes
import multiprocessing
import os

from zoolib import ready


def measure(conn):
    os._exit(1)


if __name__ == "__main__":
    import tensorflow as tf

    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=measure, args=(theirs,))
    process.start()
    ready()
    print(tf.constant(ours.recv()))
    print("DONE")
