# zoo: id=TFG410,TFG403 state=hung confidence=proven
# says: feature_store
# proof: the module's body wants a lock whose holder imports that module
import os
import sys
import tempfile
import threading

import tensorflow as tf

from zoolib import ready

folder = tempfile.mkdtemp()
sys.path.insert(0, folder)
with open(os.path.join(folder, "feature_store.py"), "w") as f:
    f.write("""
import __main__
__main__.importing.set()
with __main__.config:
    columns = []
""")
config = threading.RLock()
importing = threading.Event()
tf.constant(1)


def load():
    import feature_store
    return feature_store.columns


thread = threading.Thread(target=load, name="loader")
with config:
    thread.start()
    importing.wait()
    ready()
    import feature_store
print("DONE", feature_store.columns)
