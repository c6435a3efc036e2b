"""TensorFlow's import without its notes on stderr."""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import re
import sys
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from tf_disentangle import determinism


def import_tensorflow() -> None:
    """Imports TensorFlow, unless it is there, and keeps its notes from the reader.

    They tell of processors and of a GPU that is not there, some of them as errors. If
    the import fails they are shown, since then they may say why. They are shown at once
    where TensorFlow would end the process, since the processor has no AVX, and where
    the environment variable TF_CPP_MIN_LOG_LEVEL asks for them: it is 0 or 1.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # of what comes later
    with held_back_stderr():
        determinism.run_operations_in_turn()
    if not _are_wanted():
        # In a notebook it tells of each file that it writes, too.
        logging.getLogger("tensorflow").setLevel(logging.WARNING)


def cpu_flags(file: str = "/proc/cpuinfo") -> set[str] | None:
    """Returns the instruction sets of the processor; None where Linux is not."""
    try:
        text = pathlib.Path(file).read_text()
    except OSError:
        return None
    line = re.search(r"^(?:flags|Features)\s*: (.*)$", text, re.MULTILINE)
    return set(line[1].split()) if line else None


def can_import(flags: set[str] | None) -> bool:
    """Returns False where TensorFlow's import would end the process.

    Args:
        flags: The processor's instruction sets; None where they are not known.
    """
    return flags is None or bool(flags & {"avx", "asimd"})


@contextlib.contextmanager
def held_back_stderr() -> Iterator[None]:
    """Collects what is written to file descriptor 2; shows it only on an error.

    It collects nothing where the process may be aborted, which would lose the reason
    (the processor has no AVX), where TF_CPP_MIN_LOG_LEVEL is 0 or 1, and where there is
    no stderr or no place for a temporary file.
    """
    shown = _are_wanted() or not can_import(cpu_flags())
    opened = None if shown else _opened()
    if opened is None:
        yield
        return
    kept, held = opened
    with held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


def _opened() -> tuple[int, BinaryIO] | None:
    """Returns a copy of file descriptor 2, and a file in its place; None without one.

    Where stderr is closed, another file may have the descriptor 2.
    """
    if sys.stderr is None or sys.stderr.closed:
        return None
    try:
        sys.stderr.flush()
        held = tempfile.TemporaryFile()  # noqa: SIM115 (its caller closes it)
    except OSError:
        return None
    try:
        return os.dup(2), held
    except OSError:
        held.close()
        return None


def _are_wanted() -> bool:
    """Returns whether the user asks for TensorFlow's notes."""
    return os.environ.get("TF_CPP_MIN_LOG_LEVEL") in ("0", "1")
