"""Metrics of disentanglement: numpy in, a frozen record out, never TensorFlow.

    metrics.mig_score(codes, factors)                       arrays
    metrics.evaluate(data, encoder, ["mig", "factor_vae"])  a data set and an encoder

A metric is a function of `codes [N, L]` and `factors [N, K]` with its `Input`; the
choices that change its value form a named protocol (`docs/protocols.md`), and the name
is part of the result.

Read `metric.py` first, then one metric (`supervised/mig.py`). The other modules:

    samples, tables         check arrays; information, estimators compute with them
    sources, encoding       sample from a data set or from rows, and encode the samples
    votes                   metrics that draw their own batches
    calls, evaluation       many metrics over many seeds; results holds what they return
    bounds, intervals       floor and ceiling of a score, and its error

To add a metric: its file, its test, and one entry in `METRICS`. The closure test in
`tests/contracts/test_metrics.py` then asks for the metric's properties.
"""

from typing import TYPE_CHECKING, Any

from tf_disentangle import checks
from tf_disentangle.metrics.bounds import Bounds, FactorCodes, Noise
from tf_disentangle.metrics.calls import calls_of, check_arguments
from tf_disentangle.metrics.encoding import EncodedFactors
from tf_disentangle.metrics.evaluation import evaluate, evaluate_arrays
from tf_disentangle.metrics.intervals import (
    Interval,
    accuracy_interval,
    bootstrap_interval,
    mean_interval,
)
from tf_disentangle.metrics.metric import METRICS, Input, Metric, named
from tf_disentangle.metrics.printing import Scores
from tf_disentangle.metrics.protocol import (
    ARRAY_PROTOCOLS,
    BETA_VAE_PROTOCOLS,
    FACTOR_VAE_PROTOCOLS,
)
from tf_disentangle.metrics.results import Evaluation, Refusal, Spread
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
from tf_disentangle.metrics.tables import scored_factors
from tf_disentangle.metrics.unsupervised.activity import ActiveUnits, active_units
from tf_disentangle.metrics.unsupervised.aggregate import (
    AggregatePosteriorScores,
    aggregate_posterior,
    aggregate_posterior_scores,
)
from tf_disentangle.metrics.unsupervised.correlation import (
    UnsupervisedScores,
    unsupervised_scores,
)
from tf_disentangle.metrics.unsupervised.evidence import log_evidence
from tf_disentangle.metrics.unsupervised.hoyer import HoyerSparsity, hoyer_sparsity
from tf_disentangle.metrics.unsupervised.udr import UDRScore, udr_score

METRICS.update(
    (metric.name, metric)
    for metric in (
        Metric(active_units, Input.CODES, greater_is_better=None),
        Metric(aggregate_posterior, Input.ENCODER, greater_is_better=False),
        Metric(beta_vae_score, Input.VOTES),
        Metric(dci_score, Input.SPLIT),
        Metric(downstream_scores, Input.SPLIT),
        Metric(explicitness_score, Input.SPLIT, seed_splits_only=True),
        Metric(factor_vae_score, Input.VOTES),
        Metric(hoyer_sparsity, Input.CODES),
        Metric(irs_score, Input.CODES_AND_FACTORS),
        Metric(log_evidence, Input.ENCODER),
        Metric(mig_score, Input.CODES_AND_FACTORS, verbatim_latents=2),
        Metric(modularity_score, Input.CODES_AND_FACTORS),
        Metric(sap_score, Input.SPLIT, verbatim_latents=2, seed_splits_only=True),
        Metric(statistical_efficiency, Input.SPLIT),
        Metric(strong_downstream_score, Input.VOTES),
        Metric(unified_scores, Input.SPLIT, verbatim_latents=2),
        Metric(unsupervised_scores, Input.CODES, greater_is_better=False),
    )
)

#: The metrics by which models are usually compared: the scores of the study of
#: Locatello et al. (2019), and IRS from its library. The others fit many classifiers.
STUDY: tuple[str, ...] = (
    "beta_vae",
    "dci",
    "explicitness",
    "factor_vae",
    "irs",
    "mig",
    "modularity",
    "sap",
    "unsupervised",
)

#: Names of the protocols of each metric that has several.
PROTOCOLS: dict[str, tuple[str, ...]] = {
    name: tuple(ARRAY_PROTOCOLS)
    for name, metric in METRICS.items()
    if "protocol" in metric.options
} | {"beta_vae": tuple(BETA_VAE_PROTOCOLS), "factor_vae": tuple(FACTOR_VAE_PROTOCOLS)}

__all__ = [
    "METRICS",
    "PROTOCOLS",
    "STUDY",
    "ActiveUnits",
    "AggregatePosteriorScores",
    "AssignmentAccuracy",
    "BetaVAEScore",
    "Bounds",
    "DCIScore",
    "DownstreamScores",
    "EncodedFactors",
    "Evaluation",
    "ExplicitnessScore",
    "FactorCodes",
    "FactorVAEScore",
    "HoyerSparsity",
    "IRSScore",
    "InferredProperty",
    "Input",
    "Interval",
    "MIGScore",
    "Metric",
    "ModularityScore",
    "Noise",
    "Refusal",
    "SAPScore",
    "Scores",
    "Spread",
    "StatisticalEfficiency",
    "StrongDownstreamScore",
    "UDRScore",
    "UnifiedScores",
    "UnsupervisedScores",
    "accuracy_interval",
    "active_units",
    "aggregate_posterior",
    "aggregate_posterior_scores",
    "assignment_accuracy",
    "beta_vae_score",
    "bootstrap_interval",
    "calls_of",
    "check_arguments",
    "dci_score",
    "downstream_scores",
    "evaluate",
    "evaluate_arrays",
    "explicitness_score",
    "factor_vae_score",
    "hoyer_sparsity",
    "inferred_property",
    "irs_score",
    "log_evidence",
    "mean_interval",
    "mig_score",
    "modularity_score",
    "named",
    "sap_score",
    "scored_factors",
    "split_objects",
    "statistical_efficiency",
    "strong_downstream_score",
    "udr_score",
    "unified_scores",
    "unsupervised_scores",
]


def __dir__() -> list[str]:
    """Lists the public names, without the modules that define them."""
    return sorted(__all__)


if not TYPE_CHECKING:  # With it a type checker would accept any name.

    def __getattr__(name: str) -> Any:
        """Names the function to users who write a metric's name, `metrics.mig`."""
        hint = checks.suggestion(name, __all__)
        if name in METRICS:
            hint = f"Did you mean {METRICS[name].function.__name__}?"
        text = f"module {__name__!r} has no attribute {name!r}. {hint}"
        raise AttributeError(text.strip())
