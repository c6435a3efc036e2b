"""Some images of another data set, as a set of its own."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets.factors import check_indices, rows_given
from tf_disentangle.datasets.lazy import LazyImages
from tf_disentangle.interfaces import DATASET_TRAITS, Dataset


class Subset(Dataset):
    """Images of another set, chosen by index.

    Factors are drawn as those of a chosen image, each as probable as the others;
    `render` draws any factors of the wrapped set, also those that are not chosen.

    Args:
        dataset: A set that knows the factors of its images (trait "known_rows"), such
            as a grid or another subset.
        indices: Which images, int [n], in the order of the new set; may repeat.

    Raises:
        ArgumentError: If there is no index, or one is not of an image.
    """

    def __init__(self, dataset: Dataset, indices: np.ndarray) -> None:
        check_dataset(dataset, "known_rows")
        checks.require(len(indices), "indices", "not be empty", indices)
        self.dataset = dataset
        self.indices = check_indices(indices, len(dataset))
        self.factor_names = dataset.factor_names
        self.factor_sizes = dataset.factor_sizes
        self.image_shape = dataset.image_shape
        # `render` draws among all images of the wrapped set, not the chosen ones.
        kept = dataset.traits - {"indexed_images"}
        self.traits = kept | {"correlated_factors", "nonuniform_factors"}
        if self._misses_combinations():
            self.traits |= {"missing_combinations"}

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
        n = checks.integer(n, "n", at_least=0)
        checks.require_type(rng, np.random.Generator, "rng")
        return self.factors_of(rng.integers(len(self), size=n))

    def sample_factors_given(
        self, fixed: np.ndarray, values: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Draws chosen images' factors of which one is given, int64 [n, K]."""
        rows = self.factors_of(np.arange(len(self)))
        return rows[rows_given(rows, fixed, values, rng)]

    def render(
        self, factors: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Renders factors [n, K] as the wrapped set does, uint8 [n, H, W, C]."""
        return self.dataset.render(factors, rng)

    def _misses_combinations(self) -> bool:
        """Whether some combination of factors has no chosen image."""
        total = math.prod(self.factor_sizes)
        if total > len(self) or not self.factor_sizes:
            return bool(self.factor_sizes)
        rows = self.factors_of(np.arange(len(self)))
        numbers = np.ravel_multi_index(tuple(rows.T), self.factor_sizes)
        return len(np.unique(numbers)) < total


def check_dataset(dataset: Any, trait: str | None = None) -> None:
    """Checks what is to be wrapped.

    Raises:
        ArgumentError: If it is no data set, or does not declare the trait.
    """
    remedy = ""
    if isinstance(dataset, type):
        remedy = f"Pass an instance, {dataset.__name__}(...), not the class."
    elif not isinstance(dataset, Dataset):
        remedy = "Derive your class from datasets.Dataset."
    checks.require(not remedy, "dataset", "be a data set", dataset, remedy)
    if trait is not None:
        rule = f"have the trait {trait}: {DATASET_TRAITS[trait]}"
        checks.require(trait in dataset.traits, "dataset", rule, dataset)


def _take(images: Any, chosen: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Takes images by their place among the chosen."""
    return images[chosen[indices]]
