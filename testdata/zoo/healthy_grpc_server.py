# zoo: id=- state=idle
# needs: tensorflow, grpc
# proof: a gRPC server that nobody calls
import concurrent.futures

import grpc
import tensorflow as tf

from zoolib import brief, ready

server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
server.add_insecure_port("127.0.0.1:0")
server.start()
tf.constant(1)
ready()
server.wait_for_termination(timeout=3 if brief() else None)
print("DONE")
