# zoo: id=TFG404 state=hung confidence=proven
# settle: 2s
# proof: a signal handler runs on the main thread and wants the lock that the main thread holds in `with`
import signal
import threading
import time

import tensorflow as tf

from zoolib import ready

stats = threading.Lock()
seen = tf.Variable(0)


def report(signum, frame):
    with stats:
        print(seen.numpy())


signal.signal(signal.SIGALRM, report)
signal.setitimer(signal.ITIMER_REAL, 0.5)
ready()
with stats:
    time.sleep(1)
print("DONE")
