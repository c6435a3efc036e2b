"""Confidence intervals: over seeds, of an accuracy, of any statistic of samples.

    mean over n seeds        m -+ t(n - 1) s / sqrt(n)                    Student
    accuracy k of n          (p + z^2/2n -+ z sqrt(p q / n + z^2/4n^2)) / (1 + z^2/n)
                                                                          Wilson
    statistic of N samples   quantiles of the statistic on resampled rows bootstrap

An interval describes the variation of what was repeated, and nothing else: over seeds
of the metric, it is the error of measuring *one* model; only training seeds say how
good a method is.

References:
    Wilson (1927), Probable inference, J. Am. Stat. Assoc. 22.
    Efron and Tibshirani (1993), An Introduction to the Bootstrap.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from scipy import special

from tf_disentangle.checks import integer, real, require


@dataclasses.dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval.

    Attributes:
        mean: The estimate.
        low: Lower end; equal to `high` where nothing varied.
        high: Upper end.
        confidence: How often such intervals contain the true value, in (0, 1).
        num: Values, trials or samples behind it.
        method: "t", "wilson" or "bootstrap".
    """

    mean: float
    low: float
    high: float
    confidence: float
    num: int
    method: str

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


def mean_interval(values: Sequence[float], *, confidence: float = 0.95) -> Interval:
    """Student's interval of the mean, such as that of a score over seeds.

    Its coverage is as stated if the values are independent and normal. It is not cut
    off at the bounds of a score: an end beyond 1 means that there are too few seeds.

    Args:
        values: At least 2 finite numbers, one per seed.
        confidence: In (0, 1).

    Raises:
        ArgumentError: If there are fewer than 2 values or one is not finite.
    """
    confidence = _confidence(confidence)
    array = np.asarray(values, np.float64)
    rule = "be at least 2 finite numbers"
    good = array.ndim == 1 and array.size >= 2 and np.isfinite(array).all()
    require(good, "values", rule, values, "Score with more seeds.")
    mean = float(array.mean())
    error = array.std(ddof=1) / np.sqrt(array.size)
    half = float(special.stdtrit(array.size - 1, (1 + confidence) / 2) * error)
    return Interval(mean, mean - half, mean + half, confidence, array.size, "t")


def accuracy_interval(
    num_right: int, num_trials: int, *, confidence: float = 0.95
) -> Interval:
    """Wilson's interval of a share, such as the accuracy on test votes.

    Args:
        num_right: In [0, num_trials].
        num_trials: Independent trials, at least 1.
        confidence: In (0, 1).

    Returns:
        The interval, within [0, 1]; `mean` is the share itself.

    Raises:
        ArgumentError: If a number is out of its range.
    """
    confidence = _confidence(confidence)
    integer(num_trials, "num_trials", at_least=1)
    integer(num_right, "num_right", at_least=0)
    rule = f"be at most num_trials = {num_trials}"
    require(num_right <= num_trials, "num_right", rule, num_right)
    n, share = num_trials, num_right / num_trials
    z = special.ndtri((1 + confidence) / 2)
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    # At a share of 0 or 1, one end is the share itself, up to rounding.
    low = 0.0 if num_right == 0 else float(centre - half)
    high = 1.0 if num_right == n else float(centre + half)
    return Interval(share, low, high, confidence, n, "wilson")


def bootstrap_interval(
    statistic: Callable[..., float],
    *arrays: np.ndarray,
    seed: int,
    num_resamples: int = 1_000,
    confidence: float = 0.95,
) -> Interval:
    """Percentile interval of a statistic over resampled rows.

    For statistics that are close to unbiased (means, accuracies, correlations). Not for
    scores of counted mutual information, such as modularity: repeated rows look like
    information, and the interval may miss the value.

    Args:
        statistic: Called with the arrays, resampled alike; returns a number.
        *arrays: Arrays of N rows each, N at least 2.
        seed: Seed of the resampling, at least 0.
        num_resamples: At least 100.
        confidence: In (0, 1).

    Raises:
        ArgumentError: If the arrays differ in their number of rows or a number is out
            of range.
    """
    confidence = _confidence(confidence)
    rng = np.random.default_rng(integer(seed, "seed", at_least=0))
    integer(num_resamples, "num_resamples", at_least=100)
    arrays = tuple(np.asarray(array) for array in arrays)
    rows = {len(array) for array in arrays}
    rule = "have one number of rows, at least 2"
    require(len(rows) == 1 and min(rows) >= 2, "arrays", rule, sorted(rows))
    count = rows.pop()
    draws = np.empty(num_resamples)
    for i in range(num_resamples):
        chosen = rng.integers(count, size=count)
        draws[i] = statistic(*(array[chosen] for array in arrays))
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    value = float(statistic(*arrays))
    return Interval(value, float(low), float(high), confidence, count, "bootstrap")


def _confidence(confidence: float) -> float:
    confidence = real(confidence, "confidence", above=0.0)
    require(confidence < 1, "confidence", "be less than 1", confidence)
    return confidence
