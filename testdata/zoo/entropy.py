# zoo: id=TFG412 state=waiting,hung confidence=proven,likely
# needs: tensorflow, cc
# stdin: pipe
# exec: any
# proof: a function with the symbol of std::random_device reads 4 bytes of descriptor 0, as the mixed libstdc++ layouts make it do
import ctypes

import tensorflow as tf

from zoolib import build, ready

lib = ctypes.CDLL(build("""
#include <unistd.h>
static int device = 0; /* the other layout's field: descriptor 0 in place of /dev/urandom */
unsigned _ZNSt13random_device9_M_getvalEv(void *self) {
  unsigned value = 0;
  if (read(device, &value, sizeof value) < 0) return 0;
  return value;
}
unsigned seed(void) { return _ZNSt13random_device9_M_getvalEv(0) + 1; }
""", "-Wl,-Bsymbolic"))
tf.constant(1)
ready()
print(lib.seed())
print("DONE")
