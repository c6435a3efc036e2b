"""Interventional robustness score: does a latent stay put while other factors change?

For latent d, factor k and each value v of it, over the samples with v_k = v:

    dev_dk = mean_v  Q_v | z_d - mean_v z_d |      (Q_v: the quantile near the largest)
    I_dk   = 1 - dev_dk / max_all | z_d - mean z_d |
    IRS    = sum_d w_d max_k I_dk / sum_d w_d,   w_d = max_all | z_d - mean z_d |

A latent that encodes one factor does not move while that factor is held: I is near 1.

References:
    Suter, Miladinovic, Schoelkopf and Bauer (2019), Robustly Disentangled Causal
    Mechanisms, arXiv 1811.00007, sections 4 and 5.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_disentangle.checks import require
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics.information import discretise
from tf_disentangle.metrics.protocol import array_protocol
from tf_disentangle.metrics.samples import Samples, check_samples, varied_factors


@dataclasses.dataclass(frozen=True, eq=False)
class IRSScore:
    """Result of `irs_score`.

    Attributes:
        score: Mean of `latent_scores` with weights `max_deviations`, at most 1, higher
            is better; 0 if every latent is constant, and below 0 only for a few
            samples.
        latent_scores: float64 [L], best robustness of each latent; NaN for a constant
            one.
        parents: int64 [L], the factor with that robustness; -1 for a constant latent.
        robustness: float64 [L, K], I; NaN for a constant latent, and for a factor of
            which no two samples share a value or all do.
        max_deviations: float64 [L], largest distance from the mean, in the code's unit.
        num_active: Number of latents that are not constant; under a "verbatim"
            protocol the sum of their values, as the study's code has it.
        protocol: Its name, with any value that was overridden.
    """

    score: float
    latent_scores: np.ndarray
    parents: np.ndarray
    robustness: np.ndarray
    max_deviations: np.ndarray
    num_active: float
    protocol: str


def irs_score(
    codes: np.ndarray,
    factors: np.ndarray,
    *,
    diff_quantile: float = 0.99,
    num_bins: int = 20,
    protocol: str = "dlib",
    columns: Sequence[CodeColumn] | None = None,
) -> IRSScore:
    """Computes IRS: do latents stay put while a factor is held? (Suter et al., 2019).

    Conventions where the definition leaves a choice: each factor is cut into bins of
    equal width, so continuous factors are accepted; a bin with one sample says nothing
    and is left out of the mean over bins; a factor with one value is the parent of no
    latent. The deviation of a categorical column is that of its one-hot vector in total
    variation, 1 - share of its category in the group ("total variation").

    Args:
        codes: Numbers [N, L]; see `samples` for what is accepted.
        factors: Numbers [N, K], labels or quantities.
        diff_quantile: Quantile used as the largest deviation, in [0, 1]; the paper
            takes 1.
        num_bins: Bins per factor, at least 1.
        protocol: Key of `ARRAY_PROTOCOLS`. In the "verbatim" ones a bin with one
            sample has deviation 0, factors with one value compete, and `num_active` is
            a sum, as in the study's code.
        columns: What the L columns hold; None treats all as continuous.

    Raises:
        ArgumentError: If the arrays break a rule of `samples`, every factor has one
            value or no two samples share a bin, or the protocol is unknown.
    """
    samples = check_samples(codes, factors, columns=columns, continuous_factors=True)
    varied = varied_factors(samples)
    choice = array_protocol(
        protocol,
        "total variation",
        samples.categorical,
        diff_quantile=diff_quantile,
        num_bins=num_bins,
    )
    # In float64 a constant column has the deviation 0 only up to rounding.
    active = samples.codes.min(axis=0) < samples.codes.max(axis=0)
    largest = np.where(active, _deviations(samples.codes, samples).max(axis=0), 0.0)
    least = 1 if choice.verbatim else 2
    deviation = np.full((samples.num_latents, samples.num_factors), np.nan)
    bins = discretise(samples.factors, num_bins)
    for k in np.flatnonzero(varied | choice.verbatim):
        deviation[:, k] = _mean_deviation(samples, bins[:, k], diff_quantile, least)
    usable = ~np.isnan(deviation[0])
    require(
        usable.any(),
        "factors",
        "have two samples with the same value",
        f"{len(bins)} samples that share no bin of a factor",
        "Give more samples or fewer bins.",
    )
    robustness = np.full(deviation.shape, np.nan)
    robustness[active] = 1 - deviation[active] / largest[active, np.newaxis]
    result = _summary(robustness, usable, active, largest, choice.name)
    if choice.verbatim:
        total = float(samples.codes[:, active].sum(dtype=np.float64))
        result = dataclasses.replace(result, num_active=total)
    return result


def _deviations(group: np.ndarray, samples: Samples) -> np.ndarray:
    """Distance of each code of a group [n, L] from the group's mean, float64 [n, L]."""
    group = group.astype(np.float64)
    result = np.abs(group - group.mean(axis=0))
    for d in np.flatnonzero(samples.categorical):
        labels = group[:, d].astype(np.int64)
        result[:, d] = 1 - np.bincount(labels)[labels] / len(labels)
    return result


def _mean_deviation(
    samples: Samples, bins: np.ndarray, quantile: float, least: int
) -> np.ndarray:
    """Mean over the bins of one factor of the quantile of deviations, float64 [L].

    Bins with fewer than `least` samples are left out; NaN if none is left.
    """
    order = np.argsort(bins, kind="stable")
    starts = np.flatnonzero(np.diff(bins[order])) + 1
    groups = [g for g in np.split(samples.codes[order], starts) if len(g) >= least]
    if not groups:
        return np.full(samples.num_latents, np.nan)
    deviations = [
        np.quantile(_deviations(group, samples), quantile, axis=0) for group in groups
    ]
    return np.mean(deviations, axis=0)


def _summary(
    robustness: np.ndarray,
    usable: np.ndarray,
    active: np.ndarray,
    largest: np.ndarray,
    protocol: str,
) -> IRSScore:
    """Takes the best usable factor of each active latent, and their weighted mean."""
    scores = np.full(len(active), np.nan)
    parents = np.full(len(active), -1)
    score = 0.0
    if active.any():
        chosen = np.where(usable, robustness[active], -np.inf)
        scores[active] = chosen.max(axis=1)
        parents[active] = chosen.argmax(axis=1)
        score = float(np.average(scores[active], weights=largest[active]))
    return IRSScore(
        score=score,
        latent_scores=scores,
        parents=parents,
        robustness=robustness,
        max_deviations=largest,
        num_active=int(active.sum()),
        protocol=protocol,
    )
