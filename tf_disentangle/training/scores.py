"""Scores of a model: each metric called on a data set and an encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tf_disentangle.interfaces import CodeColumn, Dataset, Encoder
from tf_disentangle.metrics import Evaluation, check_arguments, evaluate
from tf_disentangle.metrics.results import as_row, scalars
from tf_disentangle.training.callbacks import IntervalCallback
from tf_disentangle.training.run_folder import RunFolder

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
    if not metrics:
        return {}
    table = evaluate(dataset, encode, metrics, columns=columns)
    return {
        name: entry.results[0] if isinstance(entry, Evaluation) else entry
        for name, entry in table.items()
    }


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
    for metric in metrics:
        check_arguments(metric, dataset, columns)


def name_of(metric: Metric) -> str:
    """Returns a metric's name, also of a `functools.partial` of it."""
    return getattr(metric, "func", metric).__name__


def described(result: Any) -> str:
    """Returns the protocol of a result in brackets, "" if it has none."""
    protocol = getattr(result, "protocol", "")
    return f"  (protocol {protocol})" if protocol else ""


class Score(IntervalCallback):
    """Scores the model at a intervals: a row of metrics.jsonl and TensorBoard scalars.

    The last step is left to the end of the run, which scores in any case.

    Args:
        interval: Steps per epoch of `fit`.
        every: Steps between two scorings; 0 is never.
        last: The run's last step.
        folder: Where the rows go.
        writer: TensorBoard writer.
        call: Returns the results of the model as it is, by name.
    """

    def __init__(
        self,
        interval: int,
        every: int,
        last: int,
        folder: RunFolder,
        writer: tf.summary.SummaryWriter,
        call: Callable[[], dict[str, Any]],
    ) -> None:
        super().__init__(interval, every)
        self._last, self._folder, self._writer = last, folder, writer
        self._call = call

    def act(self, step: int, logs: dict[str, Any]) -> None:
        """Scores, unless this is the last step."""
        if step < self._last:
            record_scores(self._folder, step, self._call(), self._writer)


def record_scores(
    folder: RunFolder,
    step: int,
    results: dict[str, Any],
    writer: tf.summary.SummaryWriter | None = None,
) -> None:
    """Appends a row of scores and, with a writer, TensorBoard scalars.

    Args:
        folder: Of the run.
        step: Of the weights.
        results: By the metric's name; nothing is written if there are none.
        writer: TensorBoard writer.
    """
    if not results:
        return
    folder.append({"step": step, "scores": as_row(results)})
    if writer is None:
        return
    with writer.as_default(step):
        for name, result in results.items():
            for part, value in scalars(result).items():
                tf.summary.scalar(f"{name}/{part}", value)
