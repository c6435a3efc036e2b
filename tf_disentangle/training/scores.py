"""Scores of a model: each metric called on a data set and an encoder."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tf_disentangle.interfaces import CodeColumn, Dataset, Encoder
from tf_disentangle.metrics import EncodedFactors, columns_for
from tf_disentangle.metrics.estimators.shared_fits import sharing_fits

#: (dataset, encode) -> frozen dataclass whose first field is `score`.
Metric = Callable[[Dataset, Encoder], Any]


def score(
    dataset: Dataset,
    encode: Encoder,
    metrics: Sequence[Metric],
    columns: Sequence[CodeColumn] | None = None,
) -> dict[str, Any]:
    """Returns each metric's result by the metric's name.

    A metric that comes twice, under two protocols, is told apart by the protocol.

    Args:
        dataset: What to score on.
        encode: Images to codes.
        metrics: To call with both.
        columns: What the columns of the codes hold, for the metrics that ask.
    """
    results: dict[str, Any] = {}
    if len(metrics) > 1:  # They share the codes of the images that both ask for.
        encode = EncodedFactors(dataset, encode)
    with sharing_fits():
        for metric in metrics:
            name = name_of(metric)
            result = metric(dataset, encode, **columns_for(metric, columns, name))
            if name in results:
                name = f"{name} ({getattr(result, 'protocol', len(results))})"
            results[name] = result
    return results


class _Reached(Exception):
    """A metric came as far as its first image."""


def dry_run(
    dataset: Dataset,
    metrics: Sequence[Metric],
    columns: Sequence[CodeColumn] | None = None,
) -> None:
    """Calls each metric up to its first image, so that its arguments are checked.

    A misspelt protocol is then an error before the first step, not after the last.

    Raises:
        Whatever a metric raises for its arguments.
    """

    def encode(images: np.ndarray) -> np.ndarray:
        raise _Reached

    for metric in metrics:
        with contextlib.suppress(_Reached):
            options = columns_for(metric, columns, name_of(metric))
            metric(dataset, encode, **options)


def name_of(metric: Metric) -> str:
    """Returns a metric's name, also of a `functools.partial` of it."""
    return getattr(metric, "func", metric).__name__


def described(result: Any) -> str:
    """Returns the protocol of a result in brackets, "" if it has none."""
    protocol = getattr(result, "protocol", "")
    return f"  (protocol {protocol})" if protocol else ""
