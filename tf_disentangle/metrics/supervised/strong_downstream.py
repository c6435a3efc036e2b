"""Accuracy under held-out combinations of factors: strong generalisation.

Several times for each target factor, another factor is fixed at one value in the train
samples and takes its other values in the test samples. With the mean accuracy of
classifiers that saw all combinations, and the strong accuracy of those that did not,

    gap = 1 - strong accuracy / accuracy.

References:
    Locatello et al. (2019), A Sober Look at the Unsupervised Learning of Disentangled
    Representations, arXiv 2010.14766; `strong_downstream_task` of the study's code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_disentangle.checks import NOTHING, integer, require
from tf_disentangle.metrics.encoding import Encoding
from tf_disentangle.metrics.estimators.predictors import fit_predictor
from tf_disentangle.metrics.protocol import array_protocol
from tf_disentangle.metrics.sources import Draws, Source
from tf_disentangle.metrics.supervised.downstream import solver_of
from tf_disentangle.metrics.votes import source_of
from tf_disentangle.progress import progress_bar

#: Target, train draws, test draws.
_Part = tuple[int, Draws, Draws]


@dataclasses.dataclass(frozen=True, eq=False)
class StrongDownstreamScore:
    """Result of `strong_downstream_score`.

    Attributes:
        score: Mean test accuracy under held-out combinations, in [0, 1].
        accuracy: Mean test accuracy with all combinations in the train samples.
        gap: 1 - score / accuracy; 0 if the held-out combinations cost nothing, below
            0 if they are easier.
        factor_scores: float64 [K], strong accuracy of each target; NaN where it is not
            scored.
        factor_accuracy: float64 [K], accuracy of each target; NaN for the same.
        protocol: Its name, with any value that was overridden.
    """

    score: float
    accuracy: float
    gap: float
    factor_scores: np.ndarray
    factor_accuracy: np.ndarray
    protocol: str


def strong_downstream_score(
    codes: np.ndarray,
    factors: np.ndarray,
    test_codes: np.ndarray | None = None,
    test_factors: np.ndarray | None = None,
    *,
    seed: int = 0,
    num_train: int = 10_000,
    num_test: int = 5_000,
    num_experiments: int = 10,
    predictor: str = "gradient_boosting",
    protocol: str = "dlib",
    progress: bool | None = None,
) -> StrongDownstreamScore:
    """Computes accuracy on unseen combinations (Locatello et al., 2020).

    The study's code ships no sizes for this task; the defaults are those of its other
    tasks. That code draws the fixed factors from the global generator, whereas this
    function draws them from `seed`. On a full grid, a fixed value is set, as there, in
    samples that were drawn without regard to it; from a table, rows that have it are
    drawn ("fixed=rows"). The codes are treated as continuous; `evaluate` and a run
    refuse this metric for categorical latents.

    Args:
        codes: Numbers [N, L]; see `samples` for what is accepted.
        factors: Labels [N, K], at least two factors of two values or more.
        test_codes: Numbers [M, L]; None holds out a third of the rows.
        test_factors: Labels [M, K].
        seed: Seed of all draws and of the classifiers, in [0, 2^32).
        num_train: Train samples, at least 2.
        num_test: Test samples, at least 1.
        num_experiments: Fixed factors and values tried per target, at least 1.
        predictor: As in `downstream_scores`.
        protocol: Key of `ARRAY_PROTOCOLS`.
        progress: Whether to show a bar on stderr; None shows it on a terminal only.

    Raises:
        ArgumentError: If a number is invalid, a name is unknown, or the set has fewer
            than two factors of two values or more.
    """
    for value, name, least in (
        (num_train, "num_train", 2),
        (num_test, "num_test", 1),
        (num_experiments, "num_experiments", 1),
    ):
        integer(value, name, at_least=least)
    choice = array_protocol(protocol, "", np.zeros(1, bool))
    solver = solver_of(predictor, choice)
    source = source_of(
        codes, factors, test_codes, test_factors, seed=seed, columns=None
    )
    rng = np.random.default_rng(integer(seed, "seed", at_least=0))
    targets = source.fixable().tolist()
    sizes = (num_train, num_test)
    parts = _draw_parts(source, targets, sizes, num_experiments, rng)
    draws = Draws.joined([part for _, *pair in parts for part in pair])
    encoding = source.encode(draws, rng)
    scores = _accuracies(parts, encoding, solver, seed, progress)
    accuracy = np.full((2, len(source.factor_sizes)), np.nan)
    accuracy[0, targets] = scores[: len(targets)]
    accuracy[1, targets] = scores[len(targets) :].reshape(len(targets), -1).mean(axis=1)
    plain, strong = accuracy[:, targets].mean(axis=1)
    name = f"{choice.name}, predictor={predictor}, num_train={num_train}"
    name += f", num_test={num_test}, num_experiments={num_experiments}"
    name += source.votes_note
    return StrongDownstreamScore(
        score=float(strong),
        accuracy=float(plain),
        gap=float(1 - strong / plain) if plain > 0 else 0.0,
        factor_scores=accuracy[1],
        factor_accuracy=accuracy[0],
        protocol=name,
    )


def _draw_parts(
    source: Source,
    targets: Sequence[int],
    sizes: tuple[int, int],
    num_experiments: int,
    rng: np.random.Generator,
) -> list[_Part]:
    """Draws what is fitted: each target with all combinations, then without some."""
    train = source.sample(sizes[0], rng)
    test = source.sample(sizes[1], rng, True)
    parts = [(target, train, test) for target in targets]
    for target in targets:
        for _ in range(num_experiments):
            held_out = hold_out(source, train, test, target, rng)
            parts.append((target, *held_out))
    return parts


def _accuracies(
    parts: list[_Part],
    encoding: Encoding,
    solver: str,
    seed: int,
    progress: bool | None,
) -> np.ndarray:
    """Test accuracy for each (target, train factors, test factors), [parts].

    The codes come in the order of the parts, train before test.
    """
    scores, start = [], 0
    for target, train, test in progress_bar(
        parts, desc="fit", unit="fit", shown=progress
    ):
        middle, stop = start + len(train), start + len(train) + len(test)
        fitted = fit_predictor(
            solver, encoding[start:middle], train.factors[:, target], seed=seed
        )
        predicted = fitted.predict(encoding[middle:stop])
        scores.append(np.mean(predicted == test.factors[:, target]))
        start = stop
    return np.array(scores)


def hold_out(
    source: Source, train: Draws, test: Draws, target: int, rng: np.random.Generator
) -> tuple[Draws, Draws]:
    """Fixes another factor than `target` in train, and takes that value from test.

    Args:
        source: What is drawn from.
        train: N draws of the train part; left as they are.
        test: M draws of the test part; left as they are.
        target: The factor that will be predicted, in [0, K).
        rng: Draws the factor, its value and the test part's values.

    Returns:
        Draws with one factor's values changed; rows drawn anew from a table.

    Raises:
        ArgumentError: If no other factor has two values or more.
    """
    sizes = source.factor_sizes
    others = [k for k, size in enumerate(sizes) if size > 1 and k != target]
    rule = "have two factors with two values or more"
    require(others, "data", rule, f"factor_sizes {tuple(sizes)}")
    fixed = rng.choice(others)
    known = source.values_of(fixed)
    value = known[rng.integers(len(known))]
    rest = np.setdiff1d(source.values_of(fixed, True), [value])
    rule = f"have another value than {value} of factor {fixed} in the test part"
    require(len(rest), "factors", rule, NOTHING)
    values = rest[rng.integers(len(rest), size=len(test))]
    held = np.full(len(train), fixed), np.full(len(train), value)
    return (
        source.hold(train, *held, rng),
        source.hold(test, np.full(len(test), fixed), values, rng, True),
    )
