"""Modularity: does each latent know about one factor only?

    t_d = max_k I(z_d; v_k)^2
    m_d = 1 - ( sum_k I(z_d; v_k)^2 - t_d ) / ( t_d (K - 1) )

and the score is the mean of m_d over the latents. (Ridgeway & Mozer, section 3; t_d
there is the square of theta_d.)

References:
    Ridgeway and Mozer (2018), Learning Deep Disentangled Embeddings With the
    F-Statistic Loss, arXiv 1802.05312.
    Locatello et al. (2019), Challenging Common Assumptions, arXiv 1811.12359.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics.information import discretise, mutual_information
from tf_disentangle.metrics.protocol import array_protocol
from tf_disentangle.metrics.samples import check_samples, varied_factors


@dataclasses.dataclass(frozen=True, eq=False)
class ModularityScore:
    """Result of `modularity_score`.

    Attributes:
        score: Mean over the latents that know anything, in [0, 1], higher is better;
            0 if none does.
        latent_scores: float64 [L], m_d; NaN for a latent that knows nothing of any
            factor.
        mutual_information: float64 [L, K], nats.
        protocol: Its name, with any value that was overridden.
    """

    score: float
    latent_scores: np.ndarray
    mutual_information: np.ndarray
    protocol: str


def modularity_score(
    codes: np.ndarray,
    factors: np.ndarray,
    *,
    num_bins: int = 20,
    protocol: str = "dlib",
    columns: Sequence[CodeColumn] | None = None,
) -> ModularityScore:
    """Computes modularity: one factor per latent? (Ridgeway & Mozer, 2018).

    Conventions where the definition leaves a choice: a latent without information (a
    constant one) is left out; a factor with one value does not count in K; with one
    factor left every informed latent is modular; a categorical column is used as it
    is, without bins ("as is"). A latent of pure noise is *not* left out: its counted
    information is never exactly 0, and its score is due to chance.

    Args:
        codes: Numbers [N, L]; see `samples` for what is accepted.
        factors: Labels [N, K].
        num_bins: Bins per continuous latent, at least 1.
        protocol: Key of `ARRAY_PROTOCOLS`. In the "verbatim" ones a latent without
            information scores 0 and stays in the mean, factors with one value count,
            and K = 1 gives NaN, as in the study's code.
        columns: What the L columns hold; None treats all as continuous.

    Raises:
        ArgumentError: If the arrays break a rule of `samples`, or every factor has one
            value.
    """
    samples = check_samples(codes, factors, columns=columns)
    varied = varied_factors(samples)
    choice = array_protocol(protocol, "as is", samples.categorical, num_bins=num_bins)
    labels = discretise(samples.codes, num_bins, samples.num_categories)
    matrix = mutual_information(labels, samples.factors)
    if choice.verbatim:
        scores = modularity_of_latents(matrix)
        scores[~matrix.any(axis=1)] = 0.0
        score = float(np.mean(scores))
    else:
        scores = modularity_of_latents(matrix[:, varied])
        if varied.sum() == 1:
            scores[matrix.any(axis=1)] = 1.0
        known = ~np.isnan(scores)
        score = float(np.mean(scores[known])) if known.any() else 0.0
    return ModularityScore(score, scores, matrix, choice.name)


def modularity_of_latents(matrix: np.ndarray) -> np.ndarray:
    """m_d of each row of a matrix [L, K]; NaN for a row of zeros and for K = 1."""
    squares = matrix**2
    best = squares.max(axis=1)
    others = squares.sum(axis=1) - best
    scores = np.full(len(matrix), np.nan)
    if matrix.shape[1] > 1:
        known = best > 0
        scores[known] = 1 - others[known] / (best[known] * (matrix.shape[1] - 1))
    return scores
