"""Correlated: a data set whose factors are drawn together instead of independently.

With v_k = f_k / (n_k - 1) in [0, 1] the value of factor k, an image is drawn with

    p(f) = base(f) prod_{(a, b) in pairs} exp(-strength^2 (v_a - v_b)^2 / 2) / constant

where base(f) is uniform over the wrapped set's images. strength = 1 / sigma in the
notation of the reference, whose sigmas 0.2, 0.4 and 0.7 are strengths 5, 2.5 and 1.43;
strength 0 leaves the wrapped set as it is, and a large one keeps a's value equal to b's
as nearly as their numbers of values allow.

References:
    Traeuble et al., On Disentangled Representations Learned from Correlated Data (ICML
    2021), arXiv:2006.07886. Their released code draws a blurred line instead of the
    normal density.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets.factors import check_draw
from tf_disentangle.datasets.subset import Subset
from tf_disentangle.datasets.wrapper import check_dataset
from tf_disentangle.interfaces import Dataset

# Keeps the training images apart from what a user draws with the same small seed.
_TRAINING_STREAM = 4


class Correlated(Subset):
    """Another set, sampled with chosen pairs of factors correlated.

    The training images are drawn once, with replacement: some of the wrapped set's
    images come several times, others never.

    Metrics that hold a factor still (FactorVAE's, the BetaVAE score) draw all factors
    by p(f) and then put the value in, so that the others do not follow it: an image of
    any combination can be rendered. Only over a set without some combinations, such as
    `HeldOut`, do they draw among the training images that have the value (their
    protocol says `fixed=rows`).

    Args:
        dataset: A set that knows the factors of its images, such as a grid.
        pairs: Names of factors, two by two: [("floor_hue", "wall_hue")]. A factor may
            be in several pairs.
        strength: 1 / sigma of the equation above, at least 0.
        num_images: Number of training images; None for as many as the wrapped set has.
        seed: Seed of the training images.

    Raises:
        ArgumentError: If a pair is not of two factors of the set that have two values
            or more, or a value is out of its range.
    """

    def __init__(
        self,
        dataset: Dataset,
        pairs: Sequence[Sequence[str]],
        strength: float,
        num_images: int | None = None,
        seed: int = 0,
    ) -> None:
        check_dataset(dataset, "known_rows")
        self.pairs = _checked_pairs(pairs, dataset)
        self.strength = checks.real(strength, "strength", at_least=0)
        if num_images is None:
            num_images = len(dataset)
        num_images = checks.integer(num_images, "num_images", at_least=1)
        self.seed = checks.integer(seed, "seed", at_least=0)
        weights = _weights(dataset, self.pairs, self.strength)
        self._upper_ends = np.cumsum(weights / weights.sum())
        rng = np.random.default_rng([_TRAINING_STREAM, self.seed])
        super().__init__(dataset, self._draw(num_images, rng))
        # Draws are not limited to the training images: what these lack does not matter.
        self.traits = dataset.traits - {"indexed_images"}
        if self.strength:
            self.traits |= {"correlated_factors", "nonuniform_factors"}

    def sample_factors(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draws factors anew by p(f), int64 [n, K]: not only the training images'."""
        return self.dataset.factors_of(self._draw(check_draw(n, rng), rng))

    def _draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draws indices of the wrapped set's images, int64 [n]."""
        # The last end may be less than 1 by rounding.
        places = rng.random(n) * self._upper_ends[-1]
        return np.searchsorted(self._upper_ends, places, side="right")


def _checked_pairs(
    pairs: Sequence[Sequence[str]], dataset: Dataset
) -> tuple[tuple[str, str], ...]:
    """Returns the pairs, each of two factors' names."""
    sizes = dict(zip(dataset.factor_names, dataset.factor_sizes, strict=True))
    rule = "be a list of pairs of factors' names, such as [('x', 'y')]"
    is_list = isinstance(pairs, Sequence) and not isinstance(pairs, str) and len(pairs)
    checks.require(is_list, "pairs", rule, pairs)
    for pair in pairs:
        is_pair = not isinstance(pair, str) and len(pair) == 2 and pair[0] != pair[1]
        checks.require(is_pair, "pairs", rule, pairs)
        for name in pair:
            checks.one_of(name, list(sizes), "a factor of pairs")
            rule = "have two values or more to be correlated"
            checks.require(sizes[name] > 1, f"{name}, in pairs,", rule, sizes[name])
    return tuple((first, second) for first, second in pairs)


def _weights(
    dataset: Dataset, pairs: Sequence[Sequence[str]], strength: float
) -> np.ndarray:
    """The weight of each image, float64 [len(dataset)], at most 1."""
    factors = dataset.factors_of(np.arange(len(dataset)))
    log_weights = np.zeros(len(dataset))
    for pair in pairs:
        columns = [dataset.factor_names.index(name) for name in pair]
        a, b = (factors[:, k] / (dataset.factor_sizes[k] - 1) for k in columns)
        log_weights -= (strength * (a - b)) ** 2 / 2
    return np.exp(log_weights)
