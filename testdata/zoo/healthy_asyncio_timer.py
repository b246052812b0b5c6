# zoo: id=- state=idle
# proof: an event loop whose only task sleeps
import asyncio

import tensorflow as tf

from zoolib import brief, ready


async def nightly():
    while True:
        await asyncio.sleep(3 if brief() else 86400)
        print(tf.constant(1).numpy())
        if brief():
            return


ready()
asyncio.run(nightly())
print("DONE")
