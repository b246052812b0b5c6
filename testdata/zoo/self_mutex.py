# zoo: id=TFG404 state=hung confidence=proven
# needs: tensorflow, cc
# proof: the pthread mutex's owner field is the TID of the thread that waits for it
import ctypes

import tensorflow as tf

from zoolib import build, ready

lib = ctypes.CDLL(build("""
#include <pthread.h>
static pthread_mutex_t arena = PTHREAD_MUTEX_INITIALIZER;
void arena_enter(void) { pthread_mutex_lock(&arena); }
"""))
tf.constant(1)
lib.arena_enter()
ready()
lib.arena_enter()
print("DONE")
