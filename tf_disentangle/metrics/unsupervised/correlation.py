"""How far the latents are from being independent of each other.

With S the covariance of the codes and D its diagonal part:

    TC = 1/2 (sum_d log S_dd - log det S)                    total correlation if
                                                             the codes were Gaussian
    W  = 2 tr S - 2 tr (D^1/2 S D^1/2)^1/2                   squared 2-Wasserstein
                                                             distance N(0, S), N(0, D)
    W / tr S                                                 the same without scale
    mean over d != e of I(z_d; z_e)                          codes cut into bins

All are 0 for independent latents (the last but for the bias of counting, about
(B - 1)^2 / 2N nats for B bins) and lower is better. They distinguish a code with
independent columns from another code, but not a disentangled one from an entangled one:
see Theorem 1 of the study.

References:
    Locatello et al. (2019), Challenging Common Assumptions, arXiv 1811.12359.
    Watanabe (1960), Information theoretical analysis of multivariate correlation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics.information import discretise, mutual_information
from tf_disentangle.metrics.protocol import array_protocol
from tf_disentangle.metrics.samples import check_codes


@dataclasses.dataclass(frozen=True, eq=False)
class UnsupervisedScores:
    """Result of `unsupervised_scores`; of every number, lower is more independent.

    Attributes:
        score: The Gaussian total correlation in nats, at least 0; infinite where one
            latent is a linear function of others.
        gaussian_wasserstein: W, in squared units of the codes, at least 0.
        gaussian_wasserstein_normalised: W / tr S, in [0, 2); 0 if all are constant.
        mutual_information_score: Mean mutual information of two latents, in nats; 0
            for one latent.
        latent_information: float64 [L, L], mutual information of each pair, in nats.
        constant: bool [L], latents with one value only.
        protocol: Its name, with any value that was overridden.
    """

    score: float
    gaussian_wasserstein: float
    gaussian_wasserstein_normalised: float
    mutual_information_score: float
    latent_information: np.ndarray
    constant: np.ndarray
    protocol: str


def unsupervised_scores(
    codes: np.ndarray,
    *,
    num_bins: int = 20,
    protocol: str = "dlib",
    columns: Sequence[CodeColumn] | None = None,
) -> UnsupervisedScores:
    """Computes how latents depend on each other (Locatello et al., 2019).

    Conventions where the definition leaves a choice: a constant latent depends on
    nothing, so the total correlation is that of the others, and it counts in the mean
    of the mutual information as a latent that shares none; a categorical column is left
    out of the three Gaussian numbers and enters the mutual information by its
    categories ("as is").

    Args:
        codes: Numbers [N, L], N at least 2, finite.
        num_bins: Bins per latent for the mutual information, at least 1.
        protocol: Key of `ARRAY_PROTOCOLS`. The "verbatim" ones take the study's formula
            as it stands: with a constant latent the total correlation is NaN (log 0),
            or, by rounding of its mean, an arbitrary number.
        columns: What the L columns hold; None treats all as continuous.

    Raises:
        ArgumentError: If the codes are not finite numbers [N, L], `num_bins` is below
            1, or the protocol is unknown.
    """
    codes, num_categories = check_codes(codes, columns=columns)
    categorical = np.asarray(num_categories) > 0
    choice = array_protocol(protocol, "as is", categorical, num_bins=num_bins)
    constant = np.ptp(codes, axis=0) == 0
    used = ~categorical if choice.verbatim else ~categorical & ~constant
    covariance = covariance_of(codes[:, used])
    wasserstein = gaussian_wasserstein(covariance)
    trace = float(np.trace(covariance))
    bins = discretise(codes, num_bins, num_categories)
    information = mutual_information(bins, bins)
    return UnsupervisedScores(
        score=gaussian_total_correlation(covariance, verbatim=choice.verbatim),
        gaussian_wasserstein=wasserstein,
        gaussian_wasserstein_normalised=wasserstein / trace if trace > 0 else 0.0,
        mutual_information_score=off_diagonal_mean(information),
        latent_information=information,
        constant=constant,
        protocol=choice.name,
    )


def covariance_of(codes: np.ndarray) -> np.ndarray:
    """Covariance (ddof 1) of codes [N, L], float64 [L, L], also for L 0 and 1."""
    centred = codes - codes.mean(axis=0, dtype=np.float64)
    return centred.T @ centred / (len(codes) - 1)


def gaussian_total_correlation(
    covariance: np.ndarray, *, verbatim: bool = False
) -> float:
    """Total correlation of N(0, S), in nats.

    Through the eigenvalues of the correlation matrix, whose rounding does not depend
    on the scales of the latents.

    Args:
        covariance: S, float64 [L, L].
        verbatim: log det S by its LU factors, without care for singular S.
    """
    if verbatim:
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(np.diag(covariance))
            return float(0.5 * (np.sum(logs) - np.linalg.slogdet(covariance)[1]))
    if len(covariance) < 2:
        return 0.0
    deviation = np.sqrt(np.diag(covariance))
    values = np.linalg.eigvalsh(covariance / np.outer(deviation, deviation))
    if values[0] <= len(values) * np.finfo(np.float64).eps:
        return float("inf")  # Singular up to rounding.
    return max(0.0, float(-0.5 * np.sum(np.log(values))))


def gaussian_wasserstein(covariance: np.ndarray) -> float:
    """Squared 2-Wasserstein distance of N(0, S) and N(0, diag S), at least 0.

    The study takes the root of D S, which is not symmetric; it has the eigenvalues of
    D^1/2 S D^1/2, which is, and so the same trace.
    """
    deviation = np.sqrt(np.diag(covariance))
    values = np.linalg.eigvalsh(covariance * np.outer(deviation, deviation))
    roots = np.sum(np.sqrt(np.clip(values, 0, None)))
    return max(0.0, float(2 * np.trace(covariance) - 2 * roots))


def off_diagonal_mean(matrix: np.ndarray) -> float:
    """Mean of the entries off the diagonal of [L, L]; 0 for L = 1."""
    size = len(matrix)
    if size < 2:
        return 0.0
    return float((matrix.sum() - np.trace(matrix)) / (size * (size - 1)))
