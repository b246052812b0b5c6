# zoo: id=- state=waiting
# settle: 2s
# proof: waits for the lock of a file that a live process holds while it computes
import fcntl
import subprocess
import sys
import tempfile

import tensorflow as tf

from zoolib import brief, ready

cache = tempfile.NamedTemporaryFile()
owner = subprocess.Popen([sys.executable, "-c", "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX)\n"
                          "print('held', flush=True); print(sum(i * i for i in range(int(sys.argv[2]))))",
                          cache.name, str(20_000_000 if brief() else 10**12)], stdout=subprocess.PIPE, text=True)
owner.stdout.readline()
tf.constant(1)
ready()
fcntl.flock(cache, fcntl.LOCK_EX)
print("DONE")
