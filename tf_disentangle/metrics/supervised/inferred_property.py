"""How well one latent tells a property without labels: correlation on new objects.

    d     = argmax_d |r(z_d, y)| on the train part
    score = |r(z_d, y)| on the test part

with r Pearson's correlation, or, for a property with a period such as an azimuth, the
multiple correlation of z with its cosine and sine,

    R^2 = (r_c^2 + r_s^2 - 2 r_c r_s r_cs) / (1 - r_cs^2)

which does not depend on the sign of z (Mardia & Jupp, equation 11.2.1).

References:
    Dupont (2018), Learning Disentangled Joint Continuous and Discrete Representations,
    arXiv 1804.00104, section 4.3 and figure 8a: the azimuth of chairs not trained on.
    Mardia and Jupp (2000), Directional Statistics.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_disentangle.checks import integer, real, require
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics.intervals import Interval, bootstrap_interval
from tf_disentangle.metrics.samples import check_codes


@dataclasses.dataclass(frozen=True, eq=False)
class InferredProperty:
    """Result of `inferred_property`.

    Attributes:
        score: |correlation| on the test part, in [0, 1].
        interval: Its interval, by resampling the rows of the test part.
        latent: The latent that was chosen on the train part.
        train_correlations: float64 [L], |correlation| of each latent there; NaN for a
            categorical one, 0 for a constant one.
        protocol: "pearson", or "circular" with the period.
    """

    score: float
    interval: Interval
    latent: int
    train_correlations: np.ndarray
    protocol: str


def inferred_property(
    train_codes: np.ndarray,
    train_values: np.ndarray,
    test_codes: np.ndarray,
    test_values: np.ndarray,
    *,
    period: float | None = None,
    columns: Sequence[CodeColumn] | None = None,
    seed: int = 0,
) -> InferredProperty:
    """Scores how well one continuous latent tells a property.

    For "unseen objects" the two parts must not share an object: `split_objects`.

    Args:
        train_codes: [N, L], N at least 2.
        train_values: The property, finite numbers [N].
        test_codes: [M, L], M at least 2.
        test_values: [M].
        period: Period of an angle, such as 360.0; None for a property without one.
        columns: What the L columns hold; a categorical one has no order and is never
            chosen. None treats all as continuous.
        seed: Seed of the resampling, at least 0.

    Raises:
        ArgumentError: If arrays do not fit, or no latent is continuous.
    """
    train, categories = check_codes(
        train_codes, columns=columns, argument="train_codes", rows_counted=True
    )
    test, _ = check_codes(
        test_codes, columns=columns, argument="test_codes", rows_counted=True
    )
    ordered = np.asarray(categories) == 0
    require(ordered.any(), "columns", "have a continuous latent", "categorical ones")
    require(
        train.shape[1] == test.shape[1],
        "test_codes",
        f"have {train.shape[1]} latents",
        test.shape[1],
    )
    train_y = _property(train_values, len(train), "train_values")
    test_y = _property(test_values, len(test), "test_values")
    if period is not None:
        real(period, "period", above=0.0)
    correlations = np.full(len(ordered), np.nan)
    for d in np.flatnonzero(ordered):
        correlations[d] = correlation(train[:, d], train_y, period)
    latent = int(np.nanargmax(correlations))
    interval = bootstrap_interval(
        lambda z, y: correlation(z, y, period), test[:, latent], test_y, seed=seed
    )
    return InferredProperty(
        score=interval.mean,
        interval=interval,
        latent=latent,
        train_correlations=correlations,
        protocol="pearson" if period is None else f"circular, period={period:g}",
    )


def correlation(z: np.ndarray, y: np.ndarray, period: float | None = None) -> float:
    """Returns |r| or R of z [N] and y [N], in [0, 1]; 0 if either is constant."""
    if period is None:
        return abs(_pearson(z, y))
    angle = 2 * np.pi * y / period
    cosine, sine = np.cos(angle), np.sin(angle)
    rc, rs, rcs = _pearson(z, cosine), _pearson(z, sine), _pearson(cosine, sine)
    if 1 - rcs**2 < 1e-12:
        return max(abs(rc), abs(rs))
    squared = (rc**2 + rs**2 - 2 * rc * rs * rcs) / (1 - rcs**2)
    return float(np.sqrt(np.clip(squared, 0.0, 1.0)))


def split_objects(
    objects: np.ndarray, num_test: int, *, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Splits images so that no object is in both parts.

    Args:
        objects: The object that each of the N images shows, [N].
        num_test: Objects of the test part, at least 1 and less than all.
        seed: At least 0.

    Returns:
        Indices of the train and of the test images, int64.
    """
    objects = np.asarray(objects)
    require(objects.ndim == 1, "objects", "have shape [N]", objects.shape)
    names = np.unique(objects)
    integer(num_test, "num_test", at_least=1)
    rule = f"be less than the {len(names)} objects"
    require(num_test < len(names), "num_test", rule, num_test)
    rng = np.random.default_rng(integer(seed, "seed", at_least=0))
    chosen = np.isin(objects, rng.choice(names, num_test, replace=False))
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def _property(values: np.ndarray, count: int, argument: str) -> np.ndarray:
    """Returns finite float64 [count]."""
    values = np.asarray(values, np.float64)
    require(values.shape == (count,), argument, f"have shape [{count}]", values.shape)
    require(np.isfinite(values).all(), argument, "be finite", "NaN or infinity")
    return values


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    """Returns the correlation of a [N] and b [N]; 0 if either is constant."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    a, b = (np.asarray(x, np.float64) - np.mean(x, dtype=np.float64) for x in (a, b))
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1.0, 1.0))
