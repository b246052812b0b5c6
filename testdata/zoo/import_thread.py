# zoo: id=TFG410 state=hung confidence=proven
# says: plugin_table
# proof: the module's body joins a thread that imports from that module; its module lock is held by the importer
import os
import sys
import tempfile

import tensorflow as tf

from zoolib import ready

folder = tempfile.mkdtemp()
with open(os.path.join(folder, "plugin_table.py"), "w") as f:
    f.write("""
import threading
names = []

def fill():
    from plugin_table import names as table
    table.append("conv")

loader = threading.Thread(target=fill, name="loader")
loader.start()
loader.join()
""")
sys.path.insert(0, folder)
tf.constant(1)
ready()
import plugin_table

print("DONE", plugin_table.names)
