"""Mutual information gap: is each factor in one latent, or in two?

    MIG = 1/K sum_k  ( I(z_(1); v_k) - I(z_(2); v_k) ) / H(v_k)     (Chen et al., eq. 6)

z_(1) and z_(2) are the latents that know most and second most about factor v_k. The
information is counted over bins of equal width, as the study of Locatello et al. does;
Chen et al. integrate over q(z|x) instead.

References:
    Chen, Li, Grosse and Duvenaud (2018), Isolating Sources of Disentanglement in VAEs,
    arXiv 1802.04942, section 4.
    Locatello et al. (2019), Challenging Common Assumptions, arXiv 1811.12359.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_disentangle.checks import require
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics.information import discretise, entropy, mutual_information
from tf_disentangle.metrics.protocol import array_protocol
from tf_disentangle.metrics.samples import check_samples, varied_factors


@dataclasses.dataclass(frozen=True, eq=False)
class MIGScore:
    """Result of `mig_score`.

    Attributes:
        score: Mean gap, in [0, 1], higher is better.
        gaps: float64 [K], gap of each factor as a share of its entropy; NaN for a
            factor with one value, which is left out of the mean.
        mutual_information: float64 [L, K], nats.
        entropies: float64 [K], entropy of each factor in the sample, nats.
        protocol: Its name, with any value that was overridden.
    """

    score: float
    gaps: np.ndarray
    mutual_information: np.ndarray
    entropies: np.ndarray
    protocol: str


def mig_score(
    codes: np.ndarray,
    factors: np.ndarray,
    *,
    num_bins: int = 20,
    protocol: str = "dlib",
    columns: Sequence[CodeColumn] | None = None,
) -> MIGScore:
    """Computes MIG, the mutual information gap (Chen et al., 2018).

    It measures how much more one latent knows about each factor than the next one.

    Conventions where the definition leaves a choice: with one latent, the second knows
    nothing; a factor with one value has no gap and is left out; a categorical column
    is used as it is, without bins ("as is").

    Args:
        codes: Numbers [N, L]; see `samples` for what is accepted.
        factors: Labels [N, K].
        num_bins: Bins per continuous latent, at least 1.
        protocol: Key of `ARRAY_PROTOCOLS`. The "verbatim" ones give NaN if a factor
            has one value and refuse L = 1, as the study's code does.
        columns: What the L columns hold; None treats all as continuous.

    Raises:
        ArgumentError: If the arrays break a rule of `samples`, or every factor has one
            value.

    Example:
        >>> import numpy as np
        >>> import tf_disentangle as td
        >>> factors = np.random.default_rng(0).integers(0, 4, (1000, 2))
        >>> codes = np.column_stack([factors[:, 1], factors[:, 0]])
        >>> round(td.metrics.mig_score(codes, factors).score, 2)
        1.0
    """
    samples = check_samples(codes, factors, columns=columns)
    varied = varied_factors(samples)
    choice = array_protocol(protocol, "as is", samples.categorical, num_bins=num_bins)
    labels = discretise(samples.codes, num_bins, samples.num_categories)
    matrix = mutual_information(labels, samples.factors)
    entropies = entropy(samples.factors)
    gaps = np.full(samples.num_factors, np.nan)
    rivals = matrix
    if samples.num_latents == 1 and not choice.verbatim:
        rivals = np.vstack([matrix, np.zeros_like(matrix)])
    # The information is at most the entropy, but for rounding.
    gaps[varied] = np.minimum(top_two_gap(rivals)[varied] / entropies[varied], 1.0)
    kept = slice(None) if choice.verbatim else varied
    return MIGScore(float(np.mean(gaps[kept])), gaps, matrix, entropies, choice.name)


def top_two_gap(matrix: np.ndarray) -> np.ndarray:
    """Difference of the two largest entries in each column of [L, K], float64 [K].

    Raises:
        ArgumentError: If L = 1.
    """
    require(len(matrix) > 1, "codes", "have at least 2 latents", len(matrix))
    second, first = np.partition(matrix, -2, axis=0)[-2:]
    return first - second
