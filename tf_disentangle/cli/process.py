"""What a command needs of its process before it starts."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys

_LAST_WORDS = """
tf_disentangle: the process was killed, or crashed, without a word of its own. What it
had saved is whole, and the same command goes on from there. Common causes:
- want of memory: lower train.batch_size or the networks' width;
- the file of the data cache was cut short while in use: it is checked, and made again,
  at the next start;
- kill -9.
"""


def require_utf8() -> None:
    """Starts this process again in Python's UTF-8 mode, if the locale is another.

    Python would hand TensorFlow paths that it cannot decode.
    """
    if sys.getfilesystemencoding() == "utf-8" or os.environ.get("PYTHONUTF8") == "1":
        return
    os.environ["PYTHONUTF8"] = "1"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


class Terminated(BaseException):
    """SIGTERM came; like KeyboardInterrupt, no `except Exception` holds it."""


def raise_on_sigterm() -> None:
    """Has SIGTERM end this process as Ctrl-C does, everything closed in good order."""

    def raise_it(number: int, frame: object) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, raise_it)


def explain_sudden_death() -> None:
    """Has a small second process say what to do if this one dies without a word.

    Nothing in this process can: not when the system kills it for want of memory, nor
    when a page of a mapped file is gone (SIGBUS). The watcher waits on a pipe that the
    system closes with this process, and takes no other part in it.
    """
    if not hasattr(os, "fork"):  # Windows
        return
    heard, tell = os.pipe()
    if os.fork():
        os.close(heard)
        atexit.register(_farewell, tell)
        return
    os.close(tell)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        if not os.read(heard, 1):
            os.write(2, _LAST_WORDS.encode())
    os._exit(0)


def _farewell(tell: int) -> None:
    """Tells the watcher that this process ends in good order."""
    with contextlib.suppress(OSError):
        os.write(tell, b".")
