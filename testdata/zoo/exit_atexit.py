# zoo: id=TFG418 state=hung confidence=proven,likely
# says: heartbeat
# scan: none
# proof: an atexit function joins a daemon thread that waits for a condition nobody notifies
import atexit
import threading

import tensorflow as tf

from zoolib import ready

tick = threading.Condition()


class Heart:
    def beat(self):
        with tick:
            tick.wait()

    def start(self):
        self.thread = threading.Thread(target=self.beat, name="heartbeat", daemon=True)
        self.thread.start()
        atexit.register(self.stop)

    def stop(self):
        self.thread.join()


Heart().start()
print(tf.constant(1).numpy())
ready()
