"""Accuracy under held-out combinations of factors: strong generalisation.

For each target factor, several times: another factor is fixed at one value in the train
samples and takes its other values in the test samples. With the mean accuracies of
classifiers that saw all combinations, and of those that did not,

    gap = 1 - strong accuracy / accuracy.

References:
    Locatello et al. (2019), A Sober Look at the Unsupervised Learning of Disentangled
    Representations, arXiv 2010.14766; `strong_downstream_task` of the study's code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from tf_disentangle.checks import integer, require
from tf_disentangle.interfaces import Dataset, Encoder
from tf_disentangle.metrics.draws import (
    require_factors,
    rows_note,
    sample_factors,
    scored_factors,
    with_values,
)
from tf_disentangle.metrics.encoding import Encoding, encode_factors
from tf_disentangle.metrics.estimators.predictors import fit_predictor
from tf_disentangle.metrics.protocol import array_protocol
from tf_disentangle.metrics.supervised.downstream import solver_of

#: Target, train factors [N, K], test factors [M, K].
_Part = tuple[int, np.ndarray, np.ndarray]


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
        protocol: Name of the protocol, with any value that was overridden.
    """

    score: float
    accuracy: float
    gap: float
    factor_scores: np.ndarray
    factor_accuracy: np.ndarray
    protocol: str


def strong_downstream_score(
    dataset: Dataset,
    encode: Encoder,
    *,
    seed: int = 0,
    num_train: int = 10_000,
    num_test: int = 5_000,
    num_experiments: int = 10,
    predictor: str = "gradient_boosting",
    protocol: str = "dlib",
    factors: Sequence[str] | None = None,
    encode_once: bool | None = None,
    encode_batch_size: int = 256,
    progress: bool | None = None,
) -> StrongDownstreamScore:
    """Scores classifiers on combinations of factors that they were not shown.

    The study's code ships no sizes for this task; the defaults are those of its other
    tasks. It draws the fixed factors from the global generator, this function from
    `seed`. As there, a fixed value is put into samples drawn without regard to it: in
    a set with correlated factors the combinations may not belong to the set. The codes
    are taken as continuous; `evaluate` and a run refuse it for categorical latents.

    Args:
        dataset: A set with at least two factors of two values or more.
        encode: Images uint8 [B, H, W, C] to codes [B, L].
        seed: Of all draws and of the classifiers, in [0, 2^32).
        num_train: Train samples, at least 2.
        num_test: Test samples, at least 1.
        num_experiments: Fixed factors and values tried per target, at least 1.
        predictor: As in `downstream_scores`.
        protocol: Key of `ARRAY_PROTOCOLS`.
        factors: Names of the targets; the others still vary and can be fixed. None is
            all with more than one value.
        encode_once: None encodes each distinct image once, unless the set declares
            "stochastic_images".
        encode_batch_size: Images per call of `encode`.
        progress: Whether to show a bar on stderr; None shows it on a terminal only.

    Returns:
        Both accuracies and their gap.

    Raises:
        ArgumentError: If a number breaks its rule, a name is unknown, or the set has
            fewer than two factors of two values or more.
    """
    require_factors(dataset)
    rng = np.random.default_rng(integer(seed, "seed", at_least=0))
    for value, name, least in (
        (num_train, "num_train", 2),
        (num_test, "num_test", 1),
        (num_experiments, "num_experiments", 1),
    ):
        integer(value, name, at_least=least)
    choice = array_protocol(protocol, "", np.zeros(1, bool))
    solver = solver_of(predictor, choice)
    chosen, note = scored_factors(dataset, factors)
    targets = [k for k in chosen if dataset.factor_sizes[k] > 1]
    rule = "name a factor with two values or more"
    require(targets, "factors", rule, factors)
    sizes = (num_train, num_test)
    parts = _draw_parts(dataset, targets, sizes, num_experiments, rng)
    encoding = encode_factors(
        dataset,
        encode,
        np.concatenate([part for _, *pair in parts for part in pair]),
        rng=rng,
        encode_once=encode_once,
        batch_size=encode_batch_size,
        progress=progress,
    )
    scores = _accuracies(parts, encoding, solver, seed, progress)
    accuracy = np.full((2, len(dataset.factor_sizes)), np.nan)
    accuracy[0, targets] = scores[: len(targets)]
    accuracy[1, targets] = scores[len(targets) :].reshape(len(targets), -1).mean(axis=1)
    plain, strong = accuracy[:, targets].mean(axis=1)
    name = f"{choice.name}, predictor={predictor}, num_train={num_train}"
    name += f", num_test={num_test}, num_experiments={num_experiments}{note}"
    name += rows_note(dataset)
    return StrongDownstreamScore(
        score=float(strong),
        accuracy=float(plain),
        gap=float(1 - strong / plain) if plain > 0 else 0.0,
        factor_scores=accuracy[1],
        factor_accuracy=accuracy[0],
        protocol=name,
    )


def _draw_parts(
    dataset: Dataset,
    targets: Sequence[int],
    sizes: tuple[int, int],
    num_experiments: int,
    rng: np.random.Generator,
) -> list[_Part]:
    """Draws what is fitted: once for each target with all combinations, then without.

    Args:
        dataset: A set with known factors.
        targets: Positions of the factors that are predicted.
        sizes: Of the train and of the test samples.
        num_experiments: Fixed factors and values tried per target.
        rng: Of all draws.
    """
    train, test = (sample_factors(dataset, size, rng) for size in sizes)
    parts = [(target, train, test) for target in targets]
    for target in targets:
        for _ in range(num_experiments):
            held_out = hold_out(dataset, train, test, target, rng)
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
    disable = None if progress is None else not progress
    for target, train, test in tqdm(parts, desc="fit", unit="fit", disable=disable):
        middle, stop = start + len(train), start + len(train) + len(test)
        fitted = fit_predictor(
            solver, encoding[start:middle], train[:, target], seed=seed
        )
        predicted = fitted.predict(encoding[middle:stop])
        scores.append(np.mean(predicted == test[:, target]))
        start = stop
    return np.array(scores)


def hold_out(
    dataset: Dataset,
    train: np.ndarray,
    test: np.ndarray,
    target: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Fixes another factor than `target` in train, and takes that value from test.

    Args:
        dataset: A set with known factors.
        train: int [N, K]; left as it is.
        test: int [M, K]; left as it is.
        target: The factor that will be predicted, in [0, K).
        rng: Draws the factor, its value and the test part's values.

    Returns:
        Copies of both with one column changed; rows drawn anew, where the set does not
        have every combination.

    Raises:
        ArgumentError: If no other factor has two values or more.
    """
    factor_sizes = dataset.factor_sizes
    others = [k for k, size in enumerate(factor_sizes) if size > 1 and k != target]
    rule = "have two factors with two values or more"
    sizes = f"factor_sizes {tuple(factor_sizes)}"
    require(others, "dataset", rule, sizes)
    fixed = rng.choice(others)
    value = rng.integers(factor_sizes[fixed])
    other = rng.integers(factor_sizes[fixed] - 1, size=len(test))
    changed = []
    for factors, values in (
        (train, np.full(len(train), value)),
        (test, other + (other >= value)),
    ):
        which = np.full(len(factors), fixed)
        changed.append(with_values(dataset, factors.copy(), which, values, rng))
    return changed[0], changed[1]
