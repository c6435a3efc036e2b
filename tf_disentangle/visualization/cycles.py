"""Where traversals start, and the cycles that animated ones go through.

References:
    Locatello et al. (2019), Challenging Common Assumptions in the Unsupervised Learning
    of Disentangled Representations, arXiv 1811.12359, whose models were published with
    five animations each: over quantiles of N(0, 1) and of a Gaussian fitted to the
    codes, over [-2, 2], over two standard deviations, and over the codes' own range.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from scipy import special

from tf_disentangle.checks import integer, require

#: The five cycles of the 2019 study.
Cycle = Literal["normal", "fitted", "interval", "deviations", "range"]

_LIMIT, _NUM_DEVIATIONS = 2.0, 2.0
# The Gaussian's quantiles run between these probabilities.
_LEAST_PROBABILITY = 0.01


def typical(codes: np.ndarray) -> int:
    """Returns the index of the code [N, L] that is nearest to their mean."""
    codes = _checked(codes)
    return int(np.argmin(((codes - codes.mean(axis=0)) ** 2).sum(axis=1)))


def spread(codes: np.ndarray, count: int) -> np.ndarray:
    """Chooses codes that lie far apart, so that few of them show many of the data.

    The first is the typical one; each further one is the code that is farthest from its
    nearest chosen code, in units of each latent's standard deviation.

    Args:
        codes: [N, L].
        count: How many to choose, at least 1.

    Returns:
        Indices int64 [min(count, N)].
    """
    codes = _checked(codes)
    count = min(integer(count, "count", at_least=1), len(codes))
    scales = codes.std(axis=0)
    scaled = codes / np.where(scales > 0, scales, 1.0)
    chosen = [typical(scaled)]
    nearest = np.full(len(codes), np.inf)
    while len(chosen) < count:
        distances = ((scaled - scaled[chosen[-1]]) ** 2).sum(axis=1)
        nearest = np.minimum(nearest, distances)
        nearest[chosen] = -1.0
        chosen.append(int(np.argmax(nearest)))
    return np.array(chosen)


def cycle(
    code: np.ndarray, codes: np.ndarray, kind: Cycle = "normal", num_frames: int = 20
) -> np.ndarray:
    """Returns for each latent a cycle that begins and ends at its own value.

    It goes up to the upper limit, down to the lower one and back to its beginning, in
    equal steps: in probability for the two Gaussian cycles, else in value. A latent
    whose value lies beyond a limit begins there.

    Args:
        code: [L], where the traversal starts.
        codes: [N, L], the codes of many images, from which the limits are taken.
        kind: "normal" quantiles of N(0, 1); "fitted" quantiles of a Gaussian with each
            latent's mean and deviation; "interval" from -2 to 2; "deviations" two of
            them around the mean; "range" from the least code to the greatest.
        num_frames: Steps of the cycle, at least 2.

    Returns:
        float64 [L, num_frames], as `traversal_frames` takes them with `there_and_back`
        False.

    Raises:
        ArgumentError: If shapes do not fit, or there is no such kind.
    """
    codes = _checked(codes)
    code = np.asarray(code, np.float64)
    rule = f"have shape [{codes.shape[1]}]"
    require(code.shape == codes.shape[1:], "code", rule, code.shape)
    kinds = get_args(Cycle)
    require(kind in kinds, "kind", f"be one of {', '.join(kinds)}", kind)
    integer(num_frames, "num_frames", at_least=2)
    mean, deviation = codes.mean(axis=0), codes.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    if kind in ("normal", "fitted"):
        if kind == "normal":
            mean, deviation = np.zeros(len(code)), np.ones(len(code))
        least = np.full(len(code), _LEAST_PROBABILITY)
        start = special.ndtr((code - mean) / deviation)
        steps = _there_and_back(start, least, 1 - least, num_frames)
        return mean[:, np.newaxis] + deviation[:, np.newaxis] * special.ndtri(steps)
    low, high = {
        "interval": (np.full(len(code), -_LIMIT), np.full(len(code), _LIMIT)),
        "deviations": (
            mean - _NUM_DEVIATIONS * deviation,
            mean + _NUM_DEVIATIONS * deviation,
        ),
        "range": (codes.min(axis=0), codes.max(axis=0)),
    }[kind]
    return _there_and_back(code, low, high, num_frames)


def _there_and_back(
    start: np.ndarray, low: np.ndarray, high: np.ndarray, num_frames: int
) -> np.ndarray:
    """Returns start, up to high, down to low, up to start: [L, num_frames]."""
    span = np.where(high > low, high - low, 1.0)
    share = np.clip((start - low) / span, 0.0, 1.0)
    way = share[:, np.newaxis] + np.linspace(0, 2, num_frames, endpoint=False)
    # A triangle of period 2: 0 at even numbers, 1 at odd ones.
    triangle = 1 - np.abs(1 - way % 2)
    return low[:, np.newaxis] + span[:, np.newaxis] * triangle


def _checked(codes: np.ndarray) -> np.ndarray:
    """Returns codes as float64 [N, L]."""
    codes = np.asarray(codes, np.float64)
    good = codes.ndim == 2 and codes.size > 0 and np.isfinite(codes).all()
    require(good, "codes", "be finite, of shape [N, L]", codes.shape)
    return codes
