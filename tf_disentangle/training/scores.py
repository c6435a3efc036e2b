"""Scores of a model: each metric called on a data set and an encoder."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tf_disentangle.protocols import Dataset, Represent

#: (dataset, represent) -> frozen dataclass whose first field is `score`.
Metric = Callable[[Dataset, Represent], Any]


def score(
    dataset: Dataset, represent: Represent, metrics: Sequence[Metric]
) -> dict[str, Any]:
    """Returns each metric's result by the metric's name.

    A metric that comes twice, under two protocols, is told apart by the protocol.
    """
    results: dict[str, Any] = {}
    for metric in metrics:
        result, name = metric(dataset, represent), name_of(metric)
        if name in results:
            name = f"{name} ({getattr(result, 'protocol', len(results))})"
        results[name] = result
    return results


class _Reached(Exception):
    """A metric came as far as its first image."""


def rehearse(dataset: Dataset, metrics: Sequence[Metric]) -> None:
    """Calls each metric up to its first image, so that its arguments are checked.

    A misspelt protocol is then an error before the first step, not after the last.

    Raises:
        Whatever a metric raises for its arguments.
    """

    def represent(images: np.ndarray) -> np.ndarray:
        raise _Reached

    for metric in metrics:
        with contextlib.suppress(_Reached):
            metric(dataset, represent)


def name_of(metric: Metric) -> str:
    """Returns a metric's name, also of a `functools.partial` of it."""
    return getattr(metric, "func", metric).__name__


def described(result: Any) -> str:
    """Returns the protocol of a result in brackets, "" if it has none."""
    protocol = getattr(result, "protocol", "")
    return f"  (protocol {protocol})" if protocol else ""


def as_row(results: dict[str, Any]) -> dict[str, Any]:
    """Returns results as JSON can hold them: dataclasses as dicts, arrays as lists."""
    rows = {}
    for name, result in results.items():
        rows[name] = _plain(dataclasses.asdict(result))
        if hasattr(result, "factor_of_latent"):
            rows[name]["factor_of_latent"] = list(result.factor_of_latent)
    return rows


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value
