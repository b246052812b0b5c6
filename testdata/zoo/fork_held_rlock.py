# zoo: id=TFG402 state=hung confidence=proven,likely
# process: child
# settle: 2s
# proof: the RLock's owner field names a thread of the parent that the child does not have
import multiprocessing
import threading
import time

import tensorflow as tf

from zoolib import ready


class Registry:
    def __init__(self):
        self.guard = threading.RLock()
        self.models = {"base": tf.constant(1.0)}
        self.loaded = threading.Event()

    def load(self):
        with self.guard:
            with self.guard:
                self.loaded.set()
                time.sleep(3600)

    def names(self):
        self.guard.acquire()
        try:
            return list(self.models)
        finally:
            self.guard.release()


if __name__ == "__main__":
    registry = Registry()
    threading.Thread(target=registry.load, daemon=True).start()
    registry.loaded.wait()
    process = multiprocessing.get_context("fork").Process(target=registry.names)
    process.start()
    ready()
    process.join()
    print("DONE")
