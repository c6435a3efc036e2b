"""Metrics of disentanglement: numpy in, a frozen record out, never TensorFlow.

A metric is a function of arrays, `codes [N, L]` and `factors [N, K]`, or, where it has
to draw by itself, of a `Dataset` and a callable `represent(images) -> codes`; the
choices that change its value stand in a named protocol (`docs/protocols.md`), and the
name is part of the result.

To add a metric: its file, its test, and one entry in `ARRAY_METRICS` or
`SAMPLING_METRICS`. The closure test in `tests/contracts/test_metrics.py` then asks for
the metric's properties.
"""

from collections.abc import Callable
from typing import Any

from tf_disentangle.metrics.evaluation import Evaluation, evaluate, evaluate_arrays
from tf_disentangle.metrics.intervals import (
    Interval,
    accuracy_interval,
    bootstrap_interval,
    mean_interval,
)
from tf_disentangle.metrics.on_dataset import on_dataset
from tf_disentangle.metrics.selection.udr import UDRScore, udr_score
from tf_disentangle.metrics.supervised.factor_vae import (
    FactorVAEScore,
    factor_vae_score,
)
from tf_disentangle.metrics.unsupervised.activity import ActiveUnits, active_units
from tf_disentangle.metrics.unsupervised.aggregate import (
    AggregatePosteriorScores,
    aggregate_posterior_scores,
)
from tf_disentangle.metrics.unsupervised.correlation import (
    UnsupervisedScores,
    unsupervised_scores,
)

#: Metrics of arrays by name; `on_dataset` makes metrics of a data set of them.
ARRAY_METRICS: dict[str, Callable[..., Any]] = {
    "active_units": active_units,
    "unsupervised_scores": unsupervised_scores,
}

#: Metrics that draw batches of their own: (dataset, represent, ...).
SAMPLING_METRICS: dict[str, Callable[..., Any]] = {
    "factor_vae_score": factor_vae_score,
}

#: Every metric as (dataset, represent, ...) -> result, by the name that configuration
#: and records use. `metrics.mig_score` is the function of arrays and
#: `METRICS["mig_score"]` that of a data set, which gin calls `@mig_score`.
METRICS: dict[str, Callable[..., Any]] = {
    **SAMPLING_METRICS,
    **{name: on_dataset(metric) for name, metric in ARRAY_METRICS.items()},
}

__all__ = [
    "ARRAY_METRICS",
    "METRICS",
    "SAMPLING_METRICS",
    "ActiveUnits",
    "AggregatePosteriorScores",
    "Evaluation",
    "FactorVAEScore",
    "Interval",
    "UDRScore",
    "UnsupervisedScores",
    "accuracy_interval",
    "active_units",
    "aggregate_posterior_scores",
    "bootstrap_interval",
    "evaluate",
    "evaluate_arrays",
    "factor_vae_score",
    "mean_interval",
    "on_dataset",
    "udr_score",
    "unsupervised_scores",
]
