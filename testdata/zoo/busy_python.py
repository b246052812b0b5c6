# zoo: id=TFG421,- state=busy
# says: collatz
# exec: left
# ends: no
# proof: a Python loop that never ends; CPU time rises
import tensorflow as tf

from zoolib import ready


def collatz(n):
    while True:
        n = n // 2 if n % 2 == 0 else 3 * n + 1


tf.constant(1)
ready()
collatz(27)
print("DONE")
