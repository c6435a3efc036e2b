"""TensorFlow's import without its notes on stderr."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator

from tf_disentangle import determinism


def import_tensorflow() -> None:
    """Imports TensorFlow, unless it is there, and keeps its notes from the reader.

    They tell of processors and of a GPU that is not there, some of them as errors. If
    the import fails they are shown, since then they may say why.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # of what comes later
    with held_back_stderr():
        determinism.run_operations_in_turn()
    # In a notebook it tells of each file that it writes, too.
    logging.getLogger("tensorflow").setLevel(logging.WARNING)


@contextlib.contextmanager
def held_back_stderr() -> Iterator[None]:
    """Collects what is written to file descriptor 2; shows it only on an error."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
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
