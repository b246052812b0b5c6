# zoo: id=TFG415 state=waiting confidence=proven,likely
# needs: tensorflow, root, fuse
# settle: 2s
# says: train.tfrecord
# exec: any
# proof: a file system in user space answers LOOKUP and OPEN and never READ; the mount is private to this process tree
import ctypes
import os
import struct
import tempfile
import time

import tensorflow as tf

from zoolib import ready

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result:
        raise OSError(ctypes.get_errno(), what)


def serve(fd):
    now = int(time.time())

    def attributes(node):
        mode = 0o40755 if node == 1 else 0o100644
        return struct.pack("<QQQQQQIIIIIIIIII", node, 1 << 20, 2048, now, now, now, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    while True:
        request = os.read(fd, 1 << 18)
        _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
        answer, error = b"", 0
        if opcode == 26:  # INIT
            answer = struct.pack("<IIIIHHIIHHI", 7, 31, 65536, 0, 12, 10, 65536, 1, 1, 0, 0) + bytes(28)
        elif opcode == 1:  # LOOKUP
            answer = struct.pack("<QQQQII", 2, 1, 60, 60, 0, 0) + attributes(2)
        elif opcode == 3:  # GETATTR
            answer = struct.pack("<QII", 60, 0, 0) + attributes(node)
        elif opcode in (14, 27):  # OPEN, OPENDIR
            answer = struct.pack("<QII", 1, 0, 0)
        elif opcode == 15:  # READ
            continue
        elif opcode in (2, 36, 42):  # FORGET, INTERRUPT, BATCH_FORGET: no answer
            continue
        elif opcode not in (18, 25, 29):  # RELEASE, FLUSH, RELEASEDIR succeed
            error = -38
        os.write(fd, struct.pack("<IiQ", 16 + len(answer), error, unique) + answer)


libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
check(libc.unshare(0x20000), "unshare CLONE_NEWNS")
check(libc.mount(b"none", b"/", None, 0x44000, None), "mount --make-rprivate /")
folder = tempfile.mkdtemp(prefix="zoo-fuse-")
device = os.open("/dev/fuse", os.O_RDWR)
check(libc.mount(b"cold", folder.encode(), b"fuse", 0, f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()), "mount fuse")
if os.fork() == 0:
    serve(device)
os.close(device)
ready()
print(tf.io.read_file(os.path.join(folder, "train.tfrecord")))
print("DONE")
