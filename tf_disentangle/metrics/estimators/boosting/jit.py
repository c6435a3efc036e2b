"""Compiles the loops that numpy cannot express.

Only modules that are imported inside functions use it: `import tf_disentangle.metrics`
neither imports numba nor compiles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles without the GIL, and keeps the machine code between processes.

    numba writes it beside the source or into NUMBA_CACHE_DIR or the user's cache
    folder; where none can be written, each process compiles anew. Arithmetic is
    IEEE's, in the order of the source: the equality with scikit-learn depends on it.
    """
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # "cannot cache function: no locator available"
        return numba.njit(nogil=True)(function)
