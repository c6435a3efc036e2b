"""What a command needs of its process before it starts."""

from __future__ import annotations

import os
import signal
import sys


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
