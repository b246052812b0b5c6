# zoo: id=TFG419 state=hung confidence=proven
# needs: tensorflow, cc
# core: yes
# proof: the pthread mutex's owner field is the TID of a thread that has exited
import ctypes
import threading

import tensorflow as tf

from zoolib import build, ready

lib = ctypes.CDLL(build("""
#include <pthread.h>
static pthread_mutex_t slab = PTHREAD_MUTEX_INITIALIZER;
void slab_lock(void) { pthread_mutex_lock(&slab); }
"""))
thread = threading.Thread(target=lib.slab_lock)
thread.start()
thread.join()
tf.constant(1)
ready()
lib.slab_lock()
print("DONE")
