# zoo: id=TFG411 state=waiting confidence=proven,likely
# stdin: pipe
# proof: iterates over standard input, a pipe that nobody writes to
import sys

import tensorflow as tf

from zoolib import ready


def paths():
    ready()
    for line in sys.stdin:
        yield line.strip()


for path in paths():
    print(tf.strings.length(path))
print("DONE")
