# zoo: id=- state=waiting,busy,idle
# settle: 6s
# proof: joins workers that train
import multiprocessing

from zoolib import brief, ready


def train(steps):
    import tensorflow as tf

    w = tf.Variable(tf.ones([200, 200]))
    for _ in range(steps):
        w.assign(tf.tanh(w @ w))


if __name__ == "__main__":
    import tensorflow as tf

    tf.constant(1)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=train, args=(100 if brief() else 10**9,)) for _ in range(2)]
    for w in workers:
        w.start()
    ready()
    for w in workers:
        w.join()
    print("DONE")
