"""Explicitness: can a linear classifier read each value of each factor from the code?

    explicitness = 1/K sum_k  1/C_k sum_c  AUC( p(v_k = c | z), 1[v_k = c] )

p is a logistic regression on the standardised codes; AUC is the area under the ROC
curve of one value against the rest. (Ridgeway & Mozer, section 3, who rescale it from
[0.5, 1] to [0, 1]; the study does not.)

References:
    Ridgeway and Mozer (2018), Learning Deep Disentangled Embeddings With the
    F-Statistic Loss, arXiv 1802.05312.
    Locatello et al. (2019), Challenging Common Assumptions, arXiv 1811.12359.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_disentangle.checks import require
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics.estimators.logistic import fit_logistic
from tf_disentangle.metrics.protocol import ArrayProtocol, array_protocol
from tf_disentangle.metrics.samples import Samples, check_split, one_hot, varied_factors


@dataclasses.dataclass(frozen=True, eq=False)
class ExplicitnessScore:
    """Result of `explicitness_score`.

    Attributes:
        score: Mean area on the test part, in [0, 1], higher is better, 0.5 for codes
            without information.
        train_score: The same on the train part.
        factor_scores: float64 [K], test area of each factor; NaN for a factor that has
            one value in the train or in the test part, which is left out of the mean.
        train_factor_scores: float64 [K], the same on the train part.
        protocol: Its name, with any value that was overridden.
    """

    score: float
    train_score: float
    factor_scores: np.ndarray
    train_factor_scores: np.ndarray
    protocol: str


def explicitness_score(
    codes: np.ndarray,
    factors: np.ndarray,
    test_codes: np.ndarray | None = None,
    test_factors: np.ndarray | None = None,
    *,
    seed: int = 0,
    protocol: str = "dlib-sklearn1.9",
    columns: Sequence[CodeColumn] | None = None,
) -> ExplicitnessScore:
    """Computes explicitness: can values be read linearly? (Ridgeway & Mozer, 2018).

    Codes are standardised by the train part. "dlib-sklearn1.9" fits all values at once
    (lbfgs, today's default); "dlib" fits each value against the rest (liblinear, which
    the study's scikit-learn took by default). The two differ by a few hundredths.

    Conventions where the definition leaves a choice: a latent that is constant in the
    train part is not a feature; a value that one of the parts lacks is left out of the
    mean over values; a factor that is left with one value is left out; a categorical
    column enters as one feature per category, standardised like the others ("one-hot").

    Args:
        codes: Numbers [N, L]; see `samples` for what is accepted.
        factors: Labels [N, K].
        test_codes: Numbers [M, L]; None holds out a third of the rows.
        test_factors: Labels [M, K].
        seed: Seed of the split, at least 0.
        protocol: Key of `ARRAY_PROTOCOLS`. The "verbatim" ones refuse what the study's
            code fails on: a constant latent, a factor with one value, and a value that
            one of the parts lacks.
        columns: What the L columns hold; None treats all as continuous.

    Raises:
        ArgumentError: If the arrays break a rule of `samples`, no factor has two values
            in both parts, or the protocol is unknown.
    """
    train, test, note = check_split(
        codes, factors, test_codes, test_factors, seed=seed, columns=columns
    )
    choice = array_protocol(protocol, "one-hot", train.categorical)
    varied = varied_factors(train)
    features, test_features = _standardised(train, test, choice)
    areas = np.full((2, train.num_factors), np.nan)
    for k in np.flatnonzero(varied).tolist():
        labels, test_labels = train.factors[:, k], test.factors[:, k]
        _require_same_values(labels, test_labels, k, choice)
        model = fit_logistic(features, labels, solvers=choice.solvers)
        areas[0, k] = mean_area(labels, model.predict_proba(features), model.classes_)
        areas[1, k] = mean_area(
            test_labels, model.predict_proba(test_features), model.classes_
        )
    known = ~np.isnan(areas[1])
    require(
        known.any(),
        "test_factors",
        "have two of the train part's values of a factor",
        "one value of each factor",
    )
    train_score, score = areas[0][varied].mean(), areas[1][known].mean()
    name = choice.name + note
    return ExplicitnessScore(float(score), float(train_score), areas[1], areas[0], name)


def mean_area(
    labels: np.ndarray, probabilities: np.ndarray, classes: np.ndarray
) -> float:
    """Mean over classes of the area under the ROC curve of class against rest.

    Args:
        labels: int [N].
        probabilities: float [N, C], column c for `classes[c]`.
        classes: int [C].

    Returns:
        The mean over the classes that some of the labels have and some have not; NaN
        if there is none.
    """
    member = labels[:, np.newaxis] == classes
    inside = member.sum(axis=0)
    outside = len(labels) - inside
    usable = (inside > 0) & (outside > 0)
    if not usable.any():
        return float("nan")
    # The area is the share of (member, other) pairs in the right order: Mann-Whitney.
    from scipy import stats  # Half a second of every start.

    ranks = stats.rankdata(probabilities[:, usable], axis=0)
    inside, outside = inside[usable], outside[usable]
    won = (ranks * member[:, usable]).sum(axis=0) - inside * (inside + 1) / 2
    return float(np.mean(won / (inside * outside)))


def _standardised(
    train: Samples, test: Samples, choice: ArrayProtocol
) -> tuple[np.ndarray, np.ndarray]:
    """Features of both parts with the train part's mean 0 and deviation 1."""
    (features, latent), (test_features, _) = one_hot(train), one_hot(test)
    varies = features.min(axis=0) < features.max(axis=0)
    require(
        varies.all() or not choice.verbatim,
        "codes",
        "have no constant latent",
        "constant " + ", ".join(f"z{d}" for d in np.unique(latent[~varies])),
        "Without verbatim a constant latent is no feature.",
    )
    # A constant column alone is left where none varies: the classifier needs one.
    varies |= ~varies.any()
    features, test_features = features[:, varies], test_features[:, varies]
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    deviation[deviation == 0] = 1
    return (features - mean) / deviation, (test_features - mean) / deviation


def _require_same_values(
    train: np.ndarray, test: np.ndarray, factor: int, choice: ArrayProtocol
) -> None:
    if choice.verbatim:
        lacking = np.setxor1d(train, test)
        require(
            lacking.size == 0 and len(np.unique(train)) > 1,
            "test_factors",
            f"have the train part's values of factor {factor}, at least two",
            f"{lacking.size} values that only one part has",
            "Without verbatim such values are left out.",
        )
