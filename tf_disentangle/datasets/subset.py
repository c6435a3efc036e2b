"""Some images of another data set, as a set of its own."""

from __future__ import annotations

import functools
import math

import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets.factors import check_draw, check_indices
from tf_disentangle.datasets.lazy import LazyImages
from tf_disentangle.datasets.row_index import RowIndex
from tf_disentangle.datasets.wrapper import Wrapper
from tf_disentangle.interfaces import Dataset, ImageArray


class Subset(Wrapper):
    """Images of another set, chosen by index.

    A draw of factors picks one of the chosen images, each with equal probability, and
    takes its factors. A subset of a table of images, such as `ImageTable`, that has
    every combination renders only its own images. In every other case, `render` is that
    of the wrapped set, and also accepts the factors of images that were not chosen.

    Args:
        dataset: A set that knows the factors of its images (trait "known_rows"), such
            as a grid or another subset.
        indices: Which images, int [n], in the order of the new set; may repeat.

    Raises:
        ArgumentError: If there is no index, or one is not of an image.
    """

    def __init__(self, dataset: Dataset, indices: np.ndarray) -> None:
        super().__init__(dataset, "known_rows")
        checks.require(len(indices), "indices", "not be empty", indices)
        self.indices = check_indices(indices, len(dataset))
        self.traits |= {"correlated_factors", "nonuniform_factors"}
        self._index: RowIndex | None = None
        if self._misses_combinations():
            self.traits |= {"missing_combinations"}
        elif {"indexed_images", "stochastic_images"} <= dataset.traits:
            # The wrapped set would draw images that were not chosen.
            rows = self.factors_of(np.arange(len(self)))
            self._index = RowIndex(rows, self.factor_names, self.factor_sizes)
            self.traits = self.traits - {"stochastic_images"} | {"indexed_images"}
            if self._index.counts.max() > 1:
                self.traits |= {"stochastic_images"}

    def __len__(self) -> int:
        return len(self.indices)

    def images(self) -> LazyImages:
        """The chosen images, uint8 [len(self), H, W, C], taken when asked for."""
        take = functools.partial(_take, self.dataset.images(), self.indices)
        return LazyImages(len(self), self.image_shape, take)

    def factors_of(self, indices: np.ndarray) -> np.ndarray:
        """Maps indices [n] of this set's images to their factors, int64 [n, K]."""
        return self.dataset.factors_of(self.indices[check_indices(indices, len(self))])

    def sample_factors(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draws the factors of n of the chosen images, int64 [n, K]."""
        return self.factors_of(rng.integers(len(self), size=check_draw(n, rng)))

    def rows_of(
        self, factors: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Draws for each row of factors [n, K] a chosen image that has them, int64 [n].

        Raises:
            ArgumentError: If the set does not declare "indexed_images".
        """
        if self._index is None:
            return super().rows_of(factors, rng)
        return self._index.rows_of(factors, rng)

    def render(
        self, factors: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Renders factors [n, K] as uint8 [n, H, W, C]."""
        if self._index is None:
            return self.dataset.render(factors, rng)
        return self.images()[self.rows_of(factors, rng)]

    def _misses_combinations(self) -> bool:
        """Whether some combination of factors has no chosen image."""
        total = math.prod(self.factor_sizes)
        if total > len(self) or not self.factor_sizes:
            return bool(self.factor_sizes)
        rows = self.factors_of(np.arange(len(self)))
        numbers = np.ravel_multi_index(tuple(rows.T), self.factor_sizes)
        return len(np.unique(numbers)) < total


def _take(images: ImageArray, chosen: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Takes images by their place among the chosen; unlike a closure it is pickled."""
    return images[chosen[indices]]
