# zoo: id=- state=idle
# core: yes
# proof: an event loop with a server and no client
import asyncio

import tensorflow as tf

from zoolib import brief, ready


async def serve(reader, writer):
    data = await reader.readline()
    writer.write(str(tf.strings.length(data).numpy()).encode())
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    ready()
    if brief():
        await asyncio.sleep(1)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"abc\n")
        print(await reader.read())
    else:
        await server.serve_forever()


asyncio.run(main())
print("DONE")
