# zoo: id=TFG402 state=hung confidence=proven,likely
# process: child
# needs: tensorflow, openmp
# settle: 2s
# scan: none
# proof: the child enters a second parallel region of libgomp, whose team threads stayed in the parent, and waits at their barrier
import ctypes
import os

import tensorflow as tf

from zoolib import build, ready

lib = ctypes.CDLL(build("""
double total(int n) { double t = 0;
#pragma omp parallel for reduction(+:t) num_threads(4)
for (int i = 0; i < n; i++) t += i; return t; }
""", "-fopenmp"))
lib.total.restype = ctypes.c_double
tf.constant(1)
print(lib.total(1000))
child = os.fork()
if child == 0:
    print(lib.total(1000))
    os._exit(0)
ready()
os.waitpid(child, 0)
print("DONE")
