# zoo: id=TFG405 state=hung confidence=proven
# needs: tensorflow, cc
# settle: 2s
# core: yes
# proof: one thread owns the mutex and waits in PyGILState_Ensure; the GIL's holder waits for the mutex in a PyDLL call
import ctypes
import threading
import time

import tensorflow as tf

from zoolib import build, ready

source = """
#include <pthread.h>
#include <unistd.h>
static pthread_mutex_t ring = PTHREAD_MUTEX_INITIALIZER;
void ring_each(void (*f)(void)) { pthread_mutex_lock(&ring); usleep(500000); f(); pthread_mutex_unlock(&ring); }
int ring_size(void) { pthread_mutex_lock(&ring); pthread_mutex_unlock(&ring); return 0; }
"""
free, held = ctypes.CDLL(build(source)), ctypes.PyDLL(build(source))
visit = ctypes.CFUNCTYPE(None)(lambda: None)
tf.constant(1)
ready()
threading.Thread(target=free.ring_each, args=(visit,), name="walker", daemon=True).start()
time.sleep(0.2)
print(held.ring_size())
print("DONE")
