"""Scores of a model on its data: the one place where training calls the metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_disentangle.interfaces import Dataset
from tf_disentangle.metrics import Evaluation, calls_of, check_arguments, evaluate
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
    done: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns each metric's result by its name, or why there is none, and its call.

    A result that `done` has by its call is not computed again.
    """
    if not metrics:
        return {}, {}
    calls = {call.name: call.key({}) for call in calls_of(list(metrics))}
    encoder = ModelEncoder(model)
    table = evaluate(data, encoder, list(metrics), held_out=held_out, done=done)
    results = {
        name: entry.results[0] if isinstance(entry, Evaluation) else entry
        for name, entry in table.items()
    }
    return results, calls


def record_scores(
    append: Callable[[dict[str, Any]], None],
    step: int,
    results: dict[str, Any],
    calls: dict[str, str],
    writer: tf.summary.SummaryWriter | None = None,
) -> None:
    """Appends a row of scores and, with a writer, TensorBoard scalars.

    Args:
        append: Takes the row.
        step: Steps that the weights have seen.
        results: By the metric's name; nothing is written if there are none.
        calls: What was called, by which `bin/evaluate` recognises a result.
        writer: TensorBoard writer.
    """
    if not results:
        return
    append({"step": step, "scores": as_row(results), "calls": calls})
    if writer is None:
        return
    with writer.as_default(step):
        for name, result in results.items():
            for part, value in scalars(result).items():
                tf.summary.scalar(f"{name}/{part}", value)
