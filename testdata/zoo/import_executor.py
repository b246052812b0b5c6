# zoo: id=TFG410 state=hung confidence=proven,likely
# says: ops_registry
# proof: the module's body waits for a pool whose worker imports that module
import os
import sys
import tempfile

import tensorflow as tf

from zoolib import ready

folder = tempfile.mkdtemp()
sys.path.insert(0, folder)
with open(os.path.join(folder, "ops_registry.py"), "w") as f:
    f.write("""
import concurrent.futures

def scan(i):
    import ops_registry
    return ops_registry.__name__, i

with concurrent.futures.ThreadPoolExecutor(2) as pool:
    found = list(pool.map(scan, range(2)))
""")
tf.constant(1)
ready()
import ops_registry

print("DONE", ops_registry.found)
