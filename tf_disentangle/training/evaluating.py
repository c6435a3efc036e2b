"""Scores of a model on its data: the one place where training calls the metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_disentangle.interfaces import Dataset
from tf_disentangle.metrics import Evaluation, check_arguments, evaluate
from tf_disentangle.metrics.results import as_row, scalars
from tf_disentangle.models import LatentModel
from tf_disentangle.models.encoder import ModelEncoder

#: A name such as "mig", or a function (data, encoder) -> dataclass with `score` first.
Metric = str | Callable[..., Any]


def check_metrics(model: LatentModel, data: Dataset, metrics: Sequence[Metric]) -> None:
    """Checks the metrics' arguments before the first step, without encoding."""
    check_arguments(list(metrics), data, model.columns)


def score(
    model: LatentModel,
    data: Dataset,
    metrics: Sequence[Metric],
    held_out: np.ndarray,
) -> dict[str, Any]:
    """Returns each metric's result by the metric's name, or why there is none."""
    if not metrics:
        return {}
    table = evaluate(data, ModelEncoder(model), list(metrics), held_out=held_out)
    return {
        name: entry.results[0] if isinstance(entry, Evaluation) else entry
        for name, entry in table.items()
    }


def record_scores(
    append: Callable[[dict[str, Any]], None],
    step: int,
    results: dict[str, Any],
    writer: tf.summary.SummaryWriter | None = None,
) -> None:
    """Appends a row of scores and, with a writer, TensorBoard scalars.

    Args:
        append: Takes the row.
        step: Steps that the weights have seen.
        results: By the metric's name; nothing is written if there are none.
        writer: TensorBoard writer.
    """
    if not results:
        return
    append({"step": step, "scores": as_row(results)})
    if writer is None:
        return
    with writer.as_default(step):
        for name, result in results.items():
            for part, value in scalars(result).items():
                tf.summary.scalar(f"{name}/{part}", value)
