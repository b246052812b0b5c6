# zoo: id=TFG409 state=waiting,hung confidence=proven,likely
# settle: 6s
# says: 127.0.0.1
# exec: any
# proof: TF_CONFIG names a second worker on a port where nothing listens
import json
import os
import socket


def port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": [f"127.0.0.1:{port()}", f"127.0.0.1:{port()}"]},
                                      "task": {"type": "worker", "index": 0}})
import tensorflow as tf

from zoolib import ready

ready()
strategy = tf.distribute.MultiWorkerMirroredStrategy()
print(strategy.num_replicas_in_sync)
print("DONE")
