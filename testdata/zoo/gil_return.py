# zoo: id=TFG405 state=hung confidence=proven
# needs: tensorflow, cc
# settle: 2s
# proof: a foreign call has locked the mutex and waits for the GIL to return; the GIL's holder waits for the mutex
import ctypes
import threading
import time

import tensorflow as tf

from zoolib import build, ready

source = """
#include <pthread.h>
#include <unistd.h>
static pthread_mutex_t pool = PTHREAD_MUTEX_INITIALIZER;
void pool_take(int ms) { pthread_mutex_lock(&pool); usleep(ms * 1000); }
void pool_give(void) { pthread_mutex_unlock(&pool); }
"""
free, held = ctypes.CDLL(build(source)), ctypes.PyDLL(build(source))


def borrow():
    free.pool_take(500)
    free.pool_give()


class Meter:
    def read(self):
        held.pool_take(0)
        held.pool_give()


tf.constant(1)
ready()
threading.Thread(target=borrow, daemon=True).start()
time.sleep(0.2)
reader = threading.Thread(target=Meter().read, name="meter")
reader.start()
reader.join()
print("DONE")
