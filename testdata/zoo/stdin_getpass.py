# zoo: id=TFG411 state=waiting confidence=proven,likely
# stdin: pty
# scan: TFG411
# proof: getpass opens /dev/tty and waits for a password
import getpass

import tensorflow as tf

from zoolib import ready

bucket = tf.constant("gs://models")
ready()
secret = getpass.getpass()
print("DONE", bucket, len(secret))
