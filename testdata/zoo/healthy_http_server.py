# zoo: id=- state=idle
# needs: tensorflow
# core: yes
# proof: a server that nobody calls; under ZOO_BRIEF it answers a request and ends
import http.server
import threading
import urllib.request

import tensorflow as tf

from zoolib import brief, ready


class Predict(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(float(tf.constant(2.0) * 3.0)).encode())


server = http.server.HTTPServer(("127.0.0.1", 0), Predict)


def ask():
    print(urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/", timeout=9).read())
    server.shutdown()


ready()
if brief():
    threading.Timer(2, ask).start()
server.serve_forever()
print("DONE")
