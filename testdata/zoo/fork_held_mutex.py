# zoo: id=TFG402 state=hung confidence=proven,likely
# process: child
# needs: tensorflow, cc
# settle: 2s
# scan: none
# proof: the pthread mutex's owner field is the TID of a thread that exists only in the parent
import ctypes
import os
import threading

import tensorflow as tf

from zoolib import build, ready

lib = ctypes.CDLL(build("""
#include <pthread.h>
#include <unistd.h>
static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER;
void table_rebuild(void) { pthread_mutex_lock(&table); sleep(3600); pthread_mutex_unlock(&table); }
int table_held(void) { if (pthread_mutex_trylock(&table)) return 1; pthread_mutex_unlock(&table); return 0; }
int table_size(void) { pthread_mutex_lock(&table); pthread_mutex_unlock(&table); return 1; }
"""))
tf.constant(1)
threading.Thread(target=lib.table_rebuild, daemon=True).start()
while not lib.table_held():
    pass
child = os.fork()
if child == 0:
    lib.table_size()
    os._exit(0)
ready()
os.waitpid(child, 0)
print("DONE")
