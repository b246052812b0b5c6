# zoo: id=TFG414 state=waiting confidence=proven,likely
# says: 127.0.0.1
# proof: urlopen without a timeout on a helper thread; the server accepted, read nothing and sleeps; the main thread joins
import subprocess
import sys
import threading
import urllib.request

import tensorflow as tf

from zoolib import ready

peer = subprocess.Popen([sys.executable, "-c", "import socket, time; s = socket.create_server(('127.0.0.1', 0));"
                         "print(s.getsockname()[1], flush=True); c = s.accept(); time.sleep(3600)"],
                        stdout=subprocess.PIPE, text=True)
url = f"http://127.0.0.1:{int(peer.stdout.readline())}/model.bin"


def download():
    with urllib.request.urlopen(url) as reply:
        print(tf.constant(reply.read()))


thread = threading.Thread(target=download, name="downloader")
thread.start()
ready()
thread.join()
print("DONE")
