"""Sets that hold one image for every combination of their factors' values.

index = ((f_1 n_2 + f_2) n_3 + f_3) ...        the last factor changes fastest
"""

from __future__ import annotations

import math

import numpy as np

from tf_disentangle.datasets.factors import check_draw, check_factors, check_indices
from tf_disentangle.interfaces import Dataset


class Grid(Dataset):
    """The factors of a full grid: a base for sets that add `images` and `render`.

    A set's class gives `factor_names`, `factor_sizes` and `image_shape`; its image
    number `index_of(f)` is that of factors f. It keeps "known_rows" among its traits.
    """

    traits = frozenset({"known_rows"})

    def __len__(self) -> int:
        return math.prod(self.factor_sizes)

    def index_of(self, factors: np.ndarray) -> np.ndarray:
        """Maps factors [n, K] to the indices of their images, int64 [n].

        Raises:
            ArgumentTypeError: If the factors are not integers.
            ArgumentError: If the shape is not [n, K] or a value is out of its range.
        """
        factors = check_factors(factors, self.factor_names, self.factor_sizes)
        return np.ravel_multi_index(tuple(factors.T), self.factor_sizes)

    def factors_of(self, indices: np.ndarray) -> np.ndarray:
        """Maps indices [n] of images to their factors, int64 [n, K]."""
        indices = check_indices(indices, len(self))
        columns = np.unravel_index(indices, self.factor_sizes)
        return np.stack(columns, axis=1).astype(np.int64, copy=False)

    def sample_factors(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draws factors, int64 [n, K], each value as probable as any other."""
        size = (check_draw(n, rng), len(self.factor_sizes))
        return rng.integers(self.factor_sizes, size=size)
