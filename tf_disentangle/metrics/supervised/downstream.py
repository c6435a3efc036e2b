"""Accuracy of classifiers of the factors from the codes, by number of train samples.

    accuracy_k(n) = share of test samples whose factor k a classifier predicts that was
                    fitted to n samples

`statistical_efficiency` is the ratio of the mean accuracies of a small and of a large
sample. `strong_downstream_score` holds out combinations: one factor has one value
throughout the train part and the other values in the test part,

    gap = 1 - mean strong accuracy / mean accuracy.

References:
    Locatello et al. (2019), Challenging Common Assumptions, arXiv 1811.12359, section
    5.6 and appendix.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_disentangle.checks import integer, one_of, require
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics.estimators.predictors import PREDICTORS, fit_predictor
from tf_disentangle.metrics.protocol import ArrayProtocol, array_protocol
from tf_disentangle.metrics.samples import check_split, one_hot, varied_factors

#: Train samples in the study.
SIZES = (10, 100, 1_000, 10_000)


@dataclasses.dataclass(frozen=True, eq=False)
class DownstreamScores:
    """Result of `downstream_scores`.

    Attributes:
        score: Mean test accuracy over factors with the most train samples, in [0, 1].
        by_size: The same for each number of train samples.
        lowest_by_size: Test accuracy of the worst predicted factor, for each.
        sizes: The S numbers of train samples, ascending.
        test_accuracy: float64 [S, K]; NaN for a factor with one value in the whole
            train part, which is left out of the means.
        train_accuracy: float64 [S, K], on the samples that were fitted.
        protocol: Its name, with any value that was overridden.
    """

    score: float
    by_size: dict[int, float]
    lowest_by_size: dict[int, float]
    sizes: tuple[int, ...]
    test_accuracy: np.ndarray
    train_accuracy: np.ndarray
    protocol: str


def downstream_scores(
    codes: np.ndarray,
    factors: np.ndarray,
    test_codes: np.ndarray | None = None,
    test_factors: np.ndarray | None = None,
    *,
    sizes: Sequence[int] | None = None,
    predictor: str = "gradient_boosting",
    seed: int = 0,
    protocol: str = "dlib",
    columns: Sequence[CodeColumn] | None = None,
) -> DownstreamScores:
    """Computes accuracy from few and from many codes (Locatello et al., 2019).

    The n samples of a size are the first n of the train part. (The study draws train
    and test samples anew for each size. The expectation is the same, but the
    differences between sizes have other errors. To do as the study does, call the
    function once for each size with arrays of its own.)

    Conventions where the definition leaves a choice: a factor that has one value among
    the n samples, but not in the whole train part, is predicted to have it (the study's
    classifiers fail); values that the n samples lack count as errors; with n below 5
    there are n folds; a categorical column enters as one feature per category
    ("one-hot").

    Args:
        codes: Numbers [N, L]; see `samples` for what is accepted.
        factors: Labels [N, K].
        test_codes: Numbers [M, L]; None holds out a third of the rows.
        test_factors: Labels [M, K].
        sizes: Numbers of train samples, each at least 2 and at most N. None takes those
            of 10, 100, 1,000 and 10,000 that N allows.
        predictor: Key of `predictors.PREDICTORS`; the study's are "gradient_boosting"
            and "logistic_regression", which is fitted to each value against the rest
            under "dlib" and to all values at once under "dlib-sklearn1.9".
        seed: Seed of the classifiers and of the split, in [0, 2^32).
        protocol: Key of `ARRAY_PROTOCOLS`.
        columns: What the L columns hold; None treats all as continuous.

    Raises:
        ArgumentError: If the arrays break a rule of `samples`, no factor has two values
            in the train part, a size exceeds N, or a name is unknown.
    """
    train, test, note = check_split(
        codes, factors, test_codes, test_factors, seed=seed, columns=columns
    )
    integer(seed, "seed", at_least=0)
    choice = array_protocol(protocol, "one-hot", train.categorical)
    solver = solver_of(predictor, choice)
    used = _checked_sizes(sizes, len(train.codes))
    varied = varied_factors(train)
    features, test_features = one_hot(train)[0], one_hot(test)[0]
    accuracy = np.full((2, len(used), train.num_factors), np.nan)
    for i, size in enumerate(used):
        for k in np.flatnonzero(varied):
            labels = train.factors[:size, k]
            fitted = fit_predictor(solver, features[:size], labels, seed=seed)
            predicted = fitted.predict(test_features)
            accuracy[0, i, k] = np.mean(fitted.train_predictions == labels)
            accuracy[1, i, k] = np.mean(predicted == test.factors[:, k])
    means = accuracy[1][:, varied].mean(axis=1)
    lowest = accuracy[1][:, varied].min(axis=1)
    name = f"{choice.name}, predictor={predictor}"
    if used != SIZES:
        name += f", sizes={'+'.join(map(str, used))}"
    name += note
    return DownstreamScores(
        score=float(means[-1]),
        by_size=dict(zip(used, means.tolist(), strict=True)),
        lowest_by_size=dict(zip(used, lowest.tolist(), strict=True)),
        sizes=used,
        test_accuracy=accuracy[1],
        train_accuracy=accuracy[0],
        protocol=name,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class StatisticalEfficiency:
    """Result of `statistical_efficiency`.

    Attributes:
        score: Mean accuracy of the small sample over that of the large, at least 0,
            higher is better; 1 if more samples do not help.
        small_accuracy: Mean test accuracy of the small sample, in [0, 1].
        large_accuracy: Mean test accuracy of the large sample, in [0, 1].
        factor_scores: float64 [K], the ratio of each factor; NaN for a factor with one
            value, and where the large sample's accuracy is 0.
        protocol: Its name, with any value that was overridden.
    """

    score: float
    small_accuracy: float
    large_accuracy: float
    factor_scores: np.ndarray
    protocol: str


def statistical_efficiency(
    codes: np.ndarray,
    factors: np.ndarray,
    test_codes: np.ndarray | None = None,
    test_factors: np.ndarray | None = None,
    *,
    small: int | None = None,
    large: int | None = None,
    predictor: str = "gradient_boosting",
    seed: int = 0,
    protocol: str = "dlib",
    columns: Sequence[CodeColumn] | None = None,
) -> StatisticalEfficiency:
    """Computes accuracy from few codes over that from many (Locatello et al., 2019).

    Samples, conventions and arguments are those of `downstream_scores`. Codes without
    information have a ratio near 1 too, so read it together with the accuracies.

    Args:
        codes: Numbers [N, L]; see `samples` for what is accepted.
        factors: Labels [N, K].
        test_codes: Numbers [M, L]; None holds out a third of the rows.
        test_factors: Labels [M, K].
        small: Train samples of the numerator, at least 2; None is a hundredth of
            `large`, and 2 if that is less.
        large: Train samples of the denominator, above `small`, at most N. None is
            10,000, or N if that is less.
        predictor: As in `downstream_scores`.
        seed: Seed of the classifiers and of the split, in [0, 2^32).
        protocol: Key of `ARRAY_PROTOCOLS`.
        columns: What the L columns hold; None treats all as continuous.

    Raises:
        ArgumentError: As `downstream_scores`, and if `large` is not above `small`.
    """
    parts = (codes, factors, test_codes, test_factors)
    if large is None:
        train, _, _ = check_split(*parts, seed=seed, columns=columns)
        large = min(SIZES[-1], len(train.codes))
    if small is None:
        small = max(2, large // 100)
    integer(small, "small", at_least=2)
    integer(large, "large", at_least=small + 1)
    scores = downstream_scores(
        *parts,
        sizes=(small, large),
        predictor=predictor,
        seed=seed,
        protocol=protocol,
        columns=columns,
    )
    few, many = scores.by_size[small], scores.by_size[large]
    per_factor = np.full(scores.test_accuracy.shape[1], np.nan)
    np.divide(
        scores.test_accuracy[0],
        scores.test_accuracy[1],
        out=per_factor,
        where=scores.test_accuracy[1] > 0,
    )
    name = scores.protocol
    if (small, large) == (100, 10_000):
        name = name.replace(f", sizes={small}+{large}", "")
    score = few / many if many > 0 else 0.0
    return StatisticalEfficiency(score, few, many, per_factor, name)


def solver_of(predictor: str, choice: ArrayProtocol) -> str:
    """Returns the key of `PREDICTORS` that a protocol means by `predictor`."""
    one_of(predictor, list(PREDICTORS), "predictor")
    if predictor == "logistic_regression" and choice.solvers == "sklearn-0.20":
        return "logistic_regression_ovr"
    return predictor


def _checked_sizes(sizes: Sequence[int] | None, num_train: int) -> tuple[int, ...]:
    """Sizes in ascending order, each once; the study's that `num_train` allows."""
    if sizes is None:
        return tuple(n for n in SIZES if n <= num_train) or (num_train,)
    require(len(sizes) > 0, "sizes", "name at least one size", tuple(sizes))
    for size in sizes:
        integer(size, "sizes", at_least=2)
    remedy = "Give fewer train samples to the classifiers, or more to this function."
    rule = f"be at most the {num_train} train samples"
    require(max(sizes) <= num_train, "sizes", rule, max(sizes), remedy)
    return tuple(sorted({int(size) for size in sizes}))
