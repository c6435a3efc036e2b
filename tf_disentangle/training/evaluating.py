"""Scores of a model on its data: the one place where training calls the metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.interfaces import Dataset
from tf_disentangle.metrics import METRICS
from tf_disentangle.metrics.results import as_row, numbers
from tf_disentangle.models import LatentModel
from tf_disentangle.training import scores

#: A name such as "mig", or a function (data, encoder) -> dataclass with `score` first.
Metric = str | Callable[..., Any]


def evaluate(
    model: LatentModel, data: Dataset, metrics: Sequence[Metric]
) -> dict[str, Any]:
    """Returns each metric's result by the metric's name."""
    columns = model.latents.columns
    return scores.score(data, model.encode, _functions(metrics, data), columns)


def check_metrics(model: LatentModel, data: Dataset, metrics: Sequence[Metric]) -> None:
    """Calls each metric up to its first image, so that its arguments are checked.

    A misspelt name or protocol is then an error before the first step.
    """
    scores.dry_run(data, _functions(metrics, data), model.latents.columns)


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
            for part, value in numbers(result).items():
                tf.summary.scalar(f"{name}/{part}", value)


def _functions(metrics: Sequence[Metric], data: Dataset) -> list[Callable[..., Any]]:
    """Returns the metrics as functions (data, encoder)."""
    functions = []
    for metric in metrics:
        if isinstance(metric, str):
            forms = (metric, f"{metric}_score", f"{metric}_scores")
            name = next((form for form in forms if form in METRICS), None)
            rule = "name metrics of the library"
            remedy = checks.nearest(metric, METRICS)
            checks.require(name, "metrics", rule, metric, remedy)
            metric = METRICS[name]
        rule = "be names, or functions (data, encoder)"
        fits = checks.accepts(metric, data, None)
        checks.require(fits, "metrics", rule, metric)
        functions.append(metric)
    return functions
