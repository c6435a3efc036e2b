"""Metrics of disentanglement: numpy in, a frozen record out, never TensorFlow.

A metric is a function of arrays, `codes [N, L]` and `factors [N, K]`, or, where it has
to draw by itself, of a `Dataset` and a callable `encode(images) -> codes`; the
choices that change its value stand in a named protocol (`docs/protocols.md`), and the
name is part of the result.

To add a metric: its file, its test, and one entry in `ARRAY_METRICS` or
`SAMPLING_METRICS`. The closure test in `tests/contracts/test_metrics.py` then asks for
the metric's properties.
"""

import inspect
from collections.abc import Callable
from typing import Any

from tf_disentangle.metrics.encoding import EncodedFactors
from tf_disentangle.metrics.evaluation import (
    Evaluation,
    Spread,
    evaluate,
    evaluate_arrays,
)
from tf_disentangle.metrics.intervals import (
    Interval,
    accuracy_interval,
    bootstrap_interval,
    mean_interval,
)
from tf_disentangle.metrics.on_dataset import (
    chosen_names,
    columns_for,
    needs,
    on_dataset,
)
from tf_disentangle.metrics.protocol import (
    ARRAY_PROTOCOLS,
    BETA_VAE_PROTOCOLS,
    FACTOR_VAE_PROTOCOLS,
)
from tf_disentangle.metrics.supervised.assignment import (
    AssignmentAccuracy,
    assignment_accuracy,
)
from tf_disentangle.metrics.supervised.beta_vae import BetaVAEScore, beta_vae_score
from tf_disentangle.metrics.supervised.dci import DCIScore, dci_score
from tf_disentangle.metrics.supervised.downstream import (
    DownstreamScores,
    StatisticalEfficiency,
    downstream_scores,
    statistical_efficiency,
)
from tf_disentangle.metrics.supervised.explicitness import (
    ExplicitnessScore,
    explicitness_score,
)
from tf_disentangle.metrics.supervised.factor_vae import (
    FactorVAEScore,
    factor_vae_score,
)
from tf_disentangle.metrics.supervised.inferred_property import (
    InferredProperty,
    inferred_property,
    split_objects,
)
from tf_disentangle.metrics.supervised.irs import IRSScore, irs_score
from tf_disentangle.metrics.supervised.mig import MIGScore, mig_score
from tf_disentangle.metrics.supervised.modularity import (
    ModularityScore,
    modularity_score,
)
from tf_disentangle.metrics.supervised.sap import SAPScore, sap_score
from tf_disentangle.metrics.supervised.strong_downstream import (
    StrongDownstreamScore,
    strong_downstream_score,
)
from tf_disentangle.metrics.supervised.unified import UnifiedScores, unified_scores
from tf_disentangle.metrics.unsupervised.activity import ActiveUnits, active_units
from tf_disentangle.metrics.unsupervised.aggregate import (
    AggregatePosteriorScores,
    aggregate_posterior_scores,
)
from tf_disentangle.metrics.unsupervised.correlation import (
    UnsupervisedScores,
    unsupervised_scores,
)
from tf_disentangle.metrics.unsupervised.hoyer import HoyerSparsity, hoyer_sparsity
from tf_disentangle.metrics.unsupervised.udr import UDRScore, udr_score

#: Metrics of arrays by name; `on_dataset` makes metrics of a data set of them.
ARRAY_METRICS: dict[str, Callable[..., Any]] = {
    "active_units": active_units,
    "dci_score": dci_score,
    "downstream_scores": downstream_scores,
    "explicitness_score": explicitness_score,
    "hoyer_sparsity": hoyer_sparsity,
    "irs_score": irs_score,
    "mig_score": mig_score,
    "modularity_score": modularity_score,
    "sap_score": sap_score,
    "statistical_efficiency": statistical_efficiency,
    "unified_scores": unified_scores,
    "unsupervised_scores": unsupervised_scores,
}

#: Metrics that draw batches of their own: (dataset, encode, ...).
SAMPLING_METRICS: dict[str, Callable[..., Any]] = {
    "beta_vae_score": beta_vae_score,
    "factor_vae_score": factor_vae_score,
    "strong_downstream_score": strong_downstream_score,
}

#: Every metric as (dataset, encode, ...) -> result, by the name that configuration
#: and records use. `metrics.mig_score` is the function of arrays and
#: `METRICS["mig_score"]` that of a data set, which gin calls `@mig_score`.
METRICS: dict[str, Callable[..., Any]] = {
    **SAMPLING_METRICS,
    **{name: on_dataset(metric) for name, metric in ARRAY_METRICS.items()},
}

#: The scores of the representations in the study of Locatello et al. (2019), and IRS of
#: its library: what a model is usually compared by. The others fit many classifiers.
STUDY: tuple[str, ...] = (
    "beta_vae_score",
    "dci_score",
    "explicitness_score",
    "factor_vae_score",
    "irs_score",
    "mig_score",
    "modularity_score",
    "sap_score",
    "unsupervised_scores",
)

#: Names of the protocols of each metric that has several.
PROTOCOLS: dict[str, tuple[str, ...]] = {
    "beta_vae_score": tuple(BETA_VAE_PROTOCOLS),
    "factor_vae_score": tuple(FACTOR_VAE_PROTOCOLS),
    "strong_downstream_score": tuple(ARRAY_PROTOCOLS),
    **{
        name: tuple(ARRAY_PROTOCOLS)
        for name, metric in ARRAY_METRICS.items()
        if "protocol" in inspect.signature(metric).parameters
    },
}

__all__ = [
    "ARRAY_METRICS",
    "METRICS",
    "PROTOCOLS",
    "SAMPLING_METRICS",
    "STUDY",
    "ActiveUnits",
    "AggregatePosteriorScores",
    "AssignmentAccuracy",
    "BetaVAEScore",
    "DCIScore",
    "DownstreamScores",
    "EncodedFactors",
    "Evaluation",
    "ExplicitnessScore",
    "FactorVAEScore",
    "HoyerSparsity",
    "IRSScore",
    "InferredProperty",
    "Interval",
    "MIGScore",
    "ModularityScore",
    "SAPScore",
    "Spread",
    "StatisticalEfficiency",
    "StrongDownstreamScore",
    "UDRScore",
    "UnifiedScores",
    "UnsupervisedScores",
    "accuracy_interval",
    "active_units",
    "aggregate_posterior_scores",
    "assignment_accuracy",
    "beta_vae_score",
    "bootstrap_interval",
    "chosen_names",
    "columns_for",
    "dci_score",
    "downstream_scores",
    "evaluate",
    "evaluate_arrays",
    "explicitness_score",
    "factor_vae_score",
    "hoyer_sparsity",
    "inferred_property",
    "irs_score",
    "mean_interval",
    "mig_score",
    "modularity_score",
    "needs",
    "on_dataset",
    "sap_score",
    "split_objects",
    "statistical_efficiency",
    "strong_downstream_score",
    "udr_score",
    "unified_scores",
    "unsupervised_scores",
]
