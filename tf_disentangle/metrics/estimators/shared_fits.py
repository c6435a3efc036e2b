"""One fit for all metrics of an evaluation that ask for the same classifier.

DCI, the unified scores, downstream accuracy and statistical efficiency fit the same
trees to the same codes if they have the same seed and size. Inside `sharing_fits()`, a
fit is kept under a digest of all that it depends on, so that the second metric to ask
for it gets the very object that the first one got, and hence the same score.
"""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

#: How many fits are kept, the most recently used ones: about 1 MB each for a factor of
#: 40 values and 10,000 samples.
CAPACITY = 64

_KEPT: contextvars.ContextVar[OrderedDict[bytes, Any] | None] = contextvars.ContextVar(
    "fits", default=None
)


@contextlib.contextmanager
def sharing_fits() -> Iterator[None]:
    """Keeps fits until the end of the block; an inner block shares the outer's."""
    if _KEPT.get() is not None:
        yield
        return
    token = _KEPT.set(OrderedDict())
    try:
        yield
    finally:
        _KEPT.reset(token)


def shared(
    fit: Callable[[np.ndarray, np.ndarray, int], Any],
    name: str,
    features: np.ndarray,
    labels: np.ndarray,
    seed: int,
) -> Any:
    """Returns fit(features, labels, seed), the kept one if there is one.

    Args:
        fit: The classifier, a function of the following arguments alone.
        name: Name of the classifier.
        features: float [N, F].
        labels: int [N].
        seed: Seed of the classifier.
    """
    kept = _KEPT.get()
    if kept is None:
        return fit(features, labels, seed)
    key = _digest(name, features, labels, seed)
    if key not in kept:
        kept[key] = fit(features, labels, seed)
        if len(kept) > CAPACITY:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return kept[key]


def _digest(name: str, *parts: np.ndarray | int) -> bytes:
    """Returns a key of a classifier's name and arguments."""
    digest = hashlib.blake2b(name.encode(), digest_size=32)
    for part in map(np.asarray, parts):
        digest.update(f"|{part.dtype}{part.shape}|".encode())
        digest.update(np.ascontiguousarray(part).data)
    return digest.digest()
