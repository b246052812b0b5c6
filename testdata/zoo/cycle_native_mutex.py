# zoo: id=TFG403 state=hung confidence=proven
# needs: tensorflow, cc
# scan: none
# says: writer
# proof: one thread owns the pthread mutex (its TID is in it) and waits for the Lock; the Lock's holder waits for the mutex
import ctypes
import threading

import tensorflow as tf

from zoolib import build, ready

lib = ctypes.CDLL(build("""
#include <pthread.h>
static pthread_mutex_t store = PTHREAD_MUTEX_INITIALIZER;
void store_open(void) { pthread_mutex_lock(&store); }
void store_close(void) { pthread_mutex_unlock(&store); }
"""))
step_lock = threading.Lock()
state = tf.Variable(0.0)
both = threading.Barrier(2)


def write():
    lib.store_open()
    both.wait()
    with step_lock:
        state.assign(2.0)
    lib.store_close()


def step():
    with step_lock:
        both.wait()
        lib.store_open()
        lib.store_close()


thread = threading.Thread(target=write, name="writer")
thread.start()
ready()
step()
thread.join()
print("DONE")
