# zoo: id=TFG413 state=hung confidence=proven,likely
# process: child
# settle: 5s
# exec: any
# proof: the worker's feeder thread fills the queue's pipe; the parent joins the worker before it reads the queue
import multiprocessing

from zoolib import ready


def work(results):
    results.put(b"x" * (1 << 20))


if __name__ == "__main__":
    import tensorflow as tf

    tf.constant(1)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    worker = context.Process(target=work, args=(results,), name="reducer")
    worker.start()
    ready()
    worker.join()
    print("DONE", len(results.get()))
