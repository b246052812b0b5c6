# tfguard's sitecustomize. `tfguard exec` puts this folder in front of PYTHONPATH, so Python imports this file at start-up.
# It arms heartbeats when TFGUARD_BEATS is set, moves the folder to the end of sys.path (where `import tfguard` finds the
# companion, and nothing of the program is shadowed), and then runs the sitecustomize that would have run without it.
# The syntax is that of any Python, because any Python may inherit PYTHONPATH.
import os
import sys


def _tfguard_arm():
    import atexit

    from tfguard import _beats, _hooks

    beats = _beats.current()
    if not beats.armed:
        return
    for arg in getattr(sys, "orig_argv", [])[1:]:  # sys.argv is not set yet
        if not arg.startswith("-"):
            beats.text(0, os.path.basename(arg))
            break
    run = os.path.dirname(os.environ["TFGUARD_BEATS"])
    try:
        import faulthandler
        import signal

        if signal.getsignal(signal.SIGUSR2) == signal.SIG_DFL:
            fd = os.open(os.path.join(run, "faulthandler.txt"), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                import fcntl

                # High, so that a program that closes and reuses low descriptors does not get our output in its file.
                high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 200)
                os.close(fd)
                fd = high
            except (OSError, ValueError):
                pass
            faulthandler.register(signal.SIGUSR2, file=fd, all_threads=True, chain=False)
            beats.flag(_beats.FLAG_FAULTHANDLER)
    except Exception:
        pass
    atexit.register(beats.exiting)
    _hooks.install(beats)


_tfguard_here = os.path.dirname(os.path.abspath(__file__))
if os.environ.get("TFGUARD_BEATS") and sys.version_info >= (3, 8):
    try:
        _tfguard_arm()
    except BaseException:  # SystemExit here would end the program
        pass
_tfguard_inside = [p for p in sys.path if os.path.abspath(p) == _tfguard_here]
sys.path[:] = [p for p in sys.path if os.path.abspath(p) != _tfguard_here]
_tfguard_self = sys.modules.pop("sitecustomize", None)
try:
    import sitecustomize  # noqa: F401  the user's or the distribution's
except ImportError as _tfguard_error:
    if getattr(_tfguard_error, "name", "sitecustomize") != "sitecustomize":
        raise
    if _tfguard_self is not None:
        sys.modules["sitecustomize"] = _tfguard_self
finally:
    sys.path.extend(_tfguard_inside[:1])
