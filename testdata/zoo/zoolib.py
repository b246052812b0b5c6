"""What the programs of the zoo share: how one says that it is ready, and how it builds a C library."""
import hashlib
import os
import subprocess
import sys
import tempfile


def ready(pid=None):
    """Say that the process pid (this one by default) is in its final state, or will be within the settle time."""
    pid = pid or os.getpid()
    path = os.environ.get("ZOO_READY")
    if path:
        with open(path + ".new", "w") as f:
            f.write(f"{pid}\n")
        os.rename(path + ".new", path)
    else:
        print("READY", pid, flush=True)


def brief():
    """True where a healthy program must end by itself in a few seconds, which proves that it is healthy."""
    return bool(os.environ.get("ZOO_BRIEF"))


def build(source, *flags, compiler="cc", suffix=".c"):
    """Compile source into a shared library and return its path; the same source is compiled once."""
    name = hashlib.sha256("\0".join([source, compiler, *flags]).encode()).hexdigest()[:16]
    folder = os.path.join(tempfile.gettempdir(), f"tfguard-zoo-{os.getuid()}")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    library = os.path.join(folder, f"ext{name}.so")
    if not os.path.exists(library):
        text = os.path.join(folder, f"ext{name}-{os.getpid()}{suffix}")
        with open(text, "w") as f:
            f.write(source)
        subprocess.run([compiler, "-g", "-O1", "-shared", "-fPIC", "-pthread", text, "-o", f"{text}.so", *flags],
                       check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        os.rename(f"{text}.so", library)
        os.remove(text)
    return library
