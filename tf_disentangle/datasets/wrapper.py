"""A base for data sets that are made from another data set."""

from __future__ import annotations

from typing import Any

import numpy as np

from tf_disentangle import checks
from tf_disentangle.interfaces import DATASET_TRAITS, Dataset


class Wrapper(Dataset):
    """A data set with the factors of another one; a subclass has its own `images`.

    Whatever a subclass does not override is passed on to the wrapped set.

    Args:
        dataset: The wrapped set.
        trait: The trait from `DATASET_TRAITS` that it must have, if any.

    Raises:
        ArgumentError: If it is not a data set, or does not declare the trait.
    """

    def __init__(self, dataset: Dataset, trait: str | None = None) -> None:
        self.dataset = check_dataset(dataset, trait)
        self.factor_names = dataset.factor_names
        self.factor_sizes = dataset.factor_sizes
        self.image_shape = dataset.image_shape
        self.resizing = dataset.resizing
        # `rows_of` would number the images of the wrapped set.
        self.traits = dataset.traits - {"indexed_images"}

    def __len__(self) -> int:
        return len(self.dataset)

    def sample_factors(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draws factors, int64 [n, K]."""
        return self.dataset.sample_factors(n, rng)

    def factors_of(self, indices: np.ndarray) -> np.ndarray:
        """Maps indices [n] of images to their factors, int64 [n, K]."""
        return self.dataset.factors_of(indices)

    def render(
        self, factors: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Renders factors [n, K] as uint8 [n, H, W, C]."""
        return self.dataset.render(factors, rng)


def check_dataset(dataset: Any, trait: str | None = None) -> Dataset:
    """Returns the data set.

    Raises:
        ArgumentError: If it is not a data set, or does not declare the trait.
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
    return dataset
