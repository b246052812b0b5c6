# zoo: id=TFG402 state=hung confidence=proven,likely
# process: child
# settle: 2s
# core: yes
# proof: another thread was inside `with cache_lock` at the fork; in the child that thread does not exist
import os
import threading
import time

import tensorflow as tf

from zoolib import ready

cache_lock = threading.Lock()
entered = threading.Event()
cache = {"w": tf.constant([1.0])}


def refresh():
    with cache_lock:
        entered.set()
        time.sleep(3600)


threading.Thread(target=refresh, name="refresher", daemon=True).start()
entered.wait()
child = os.fork()
if child == 0:
    with cache_lock:
        print(cache.keys())
    os._exit(0)
ready()
os.waitpid(child, 0)
print("DONE")
