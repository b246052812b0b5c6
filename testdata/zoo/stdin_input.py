# zoo: id=TFG411 state=waiting confidence=proven,likely
# stdin: pipe
# core: yes
# proof: input() reads a pipe that nobody writes to
import tensorflow as tf

from zoolib import ready

print(tf.constant(1).numpy())
ready()
answer = input("Overwrite the checkpoint? ")
print("DONE", answer)
