"""Separated attribute predictability: does one latent predict a factor, or do two?

    SAP = 1/K sum_k  S_(1)k - S_(2)k                     (Kumar et al., section 4.2)

S_dk is how well latent d alone predicts factor k: the test accuracy of a linear support
vector machine or, for continuous factors, the squared correlation.

References:
    Kumar, Sattigeri and Balakrishnan (2018), Variational Inference of Disentangled
    Latent Concepts from Unlabeled Observations, arXiv 1711.00848.
    Locatello et al. (2019), Challenging Common Assumptions, arXiv 1811.12359.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics.protocol import array_protocol
from tf_disentangle.metrics.samples import Samples, check_split, one_hot, varied_factors
from tf_disentangle.metrics.supervised.mig import top_two_gap

_REGULARISATION = 0.01  # C of the study's support vector machines
_NO_VARIANCE = 1e-12  # below it the study's code takes a latent for constant


@dataclasses.dataclass(frozen=True, eq=False)
class SAPScore:
    """Result of `sap_score`.

    Attributes:
        score: Mean gap, in [0, 1], higher is better.
        gaps: float64 [K], best minus second best of each factor; NaN for a factor with
            one value in the train part, which is left out of the mean.
        predictability: float64 [L, K], S, in [0, 1]; NaN in the columns left out.
        protocol: Its name, with any value that was overridden.
    """

    score: float
    gaps: np.ndarray
    predictability: np.ndarray
    protocol: str


def sap_score(
    codes: np.ndarray,
    factors: np.ndarray,
    test_codes: np.ndarray | None = None,
    test_factors: np.ndarray | None = None,
    *,
    seed: int = 0,
    continuous_factors: bool = False,
    protocol: str = "dlib",
    columns: Sequence[CodeColumn] | None = None,
) -> SAPScore:
    """Computes SAP, separated attribute predictability (Kumar et al., 2018).

    It measures how much better one latent predicts each factor than the next one.

    The support vector machines are `LinearSVC(C=0.01, class_weight="balanced")`, by the
    primal solver to a tolerance of 1e-6. Both of scikit-learn's solvers, dual (the
    study's) and primal (today's), approach this minimum, so that the protocols agree.

    Conventions where the definition leaves a choice: with one latent, the second is a
    constant one; a factor with one value in the train part is left out; a categorical
    column enters as one feature per category, and with continuous factors by the
    correlation ratio ("one-hot"). The score depends on the scale of the latents, since
    the machines are regularised.

    Args:
        codes: Numbers [N, L]; see `samples` for what is accepted.
        factors: Labels [N, K]; any numbers if `continuous_factors`.
        test_codes: Numbers [M, L], not used with continuous factors; None holds out a
            third of the rows, by the seed, and the result's protocol says so.
        test_factors: Labels [M, K].
        seed: Seed of the split, at least 0.
        continuous_factors: Squared correlation on the train part instead of accuracy.
        protocol: Key of `ARRAY_PROTOCOLS`. The "verbatim" ones refuse what the study's
            code fails on: L = 1 and a factor with one value.
        columns: What the L columns hold; None treats all as continuous.

    Raises:
        ArgumentError: If the arrays break a rule of `samples`, every factor has one
            value in the train part, or the protocol is unknown.
    """
    train, test, note = check_split(
        codes,
        factors,
        test_codes,
        test_factors,
        seed=seed,
        columns=columns,
        continuous_factors=continuous_factors,
    )
    choice = array_protocol(
        protocol, "one-hot", train.categorical, continuous_factors=continuous_factors
    )
    varied = varied_factors(train, all_must=choice.verbatim)
    if train.num_latents == 1 and not choice.verbatim:
        train, test = _with_constant_latent(train), _with_constant_latent(test)
    matrix = np.full((train.num_latents, train.num_factors), np.nan)
    for k in np.flatnonzero(varied).tolist():
        for d in range(train.num_latents):
            if continuous_factors:
                matrix[d, k] = _squared_correlation(train, d, train.factors[:, k])
            else:
                matrix[d, k] = _accuracy(train, test, d, k)
    gaps = top_two_gap(matrix)
    matrix = matrix[: np.shape(codes)[1]]
    name = choice.name + note
    return SAPScore(float(np.mean(gaps[varied])), gaps, matrix, name)


def _with_constant_latent(samples: Samples) -> Samples:
    """The samples with one more latent, which is 0 throughout."""
    return dataclasses.replace(
        samples,
        codes=np.pad(samples.codes, ((0, 0), (0, 1))),
        num_categories=(*samples.num_categories, 0),
    )


def _one_latent(samples: Samples, latent: int) -> Samples:
    return dataclasses.replace(
        samples,
        codes=samples.codes[:, latent : latent + 1],
        num_categories=samples.num_categories[latent : latent + 1],
    )


def _accuracy(train: Samples, test: Samples, latent: int, factor: int) -> float:
    """Share of test samples whose factor one latent predicts."""
    from sklearn.svm import LinearSVC  # scikit-learn takes a second to import

    machine = LinearSVC(
        C=_REGULARISATION,
        class_weight="balanced",
        dual=False,
        tol=1e-6,
        max_iter=10_000,
    )
    features = one_hot(_one_latent(train, latent))[0]
    machine.fit(features, train.factors[:, factor])
    predicted = machine.predict(one_hot(_one_latent(test, latent))[0])
    return float(np.mean(predicted == test.factors[:, factor]))


def _squared_correlation(train: Samples, latent: int, factor: np.ndarray) -> float:
    """Share of the factor's variance that is linear in one latent."""
    code = train.codes[:, latent].astype(np.float64)
    if train.num_categories[latent]:
        labels = code.astype(np.int64)
        # A category that only the test part has counts 0 here and is never looked up.
        counts = np.maximum(np.bincount(labels), 1)
        code = (np.bincount(labels, weights=factor) / counts)[labels]
    covariance = np.cov(code, factor, ddof=1)
    if covariance[0, 0] <= _NO_VARIANCE:
        return 0.0
    return float(covariance[0, 1] ** 2 / (covariance[0, 0] * covariance[1, 1]))
