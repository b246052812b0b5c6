# zoo: id=- state=idle,waiting
# proof: a handler thread waits for the next request of a client that keeps its connection open
import http.client
import http.server
import subprocess
import sys
import threading
import time

import tensorflow as tf

from zoolib import brief, ready


class Predict(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = str(float(tf.constant(2.0) * 3.0)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        ready()


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Predict)
client = subprocess.Popen([sys.executable, "-c", "import http.client, time\n"
                           f"c = http.client.HTTPConnection('127.0.0.1', {server.server_port})\n"
                           f"c.request('GET', '/'); c.getresponse().read(); time.sleep({3 if brief() else 3600})"])
if brief():
    threading.Thread(target=lambda: (client.wait(), server.shutdown()), daemon=True).start()
server.serve_forever()
print("DONE")
