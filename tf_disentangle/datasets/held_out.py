"""HeldOut: a data set without some combinations of factors, for tests on those.

References:
    Montero et al., The Role of Disentanglement in Generalisation (ICLR 2021): what a
    model that never saw, say, red capsules makes of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets.subset import Subset
from tf_disentangle.datasets.wrapper import check_dataset
from tf_disentangle.interfaces import Dataset

Combination = Mapping[str, int | Sequence[int]]


class HeldOut(Subset):
    """Another set without the images of given factor combinations.

    Training images and all draws of factors come from the rest, even where a metric
    fixes a factor. `held_out` is the set of the images that were left out, and `render`
    renders both. `HeldOut(rooms, [{"shape": 3, "object_hue": [0, 1, 9]}])` has no red
    capsules, but capsules and red objects.

    Args:
        dataset: A set that knows the factors of its images, such as a grid.
        combinations: An image is left out if it fits any of these. Each names factors
            with a value or several; an image fits if all of its named factors have one
            of their values.

    Attributes:
        held_out: The images that were left out, a `Subset` of the same data set.

    Raises:
        ArgumentError: If a combination names what the set does not have, or all images
            or none are left out.
    """

    def __init__(self, dataset: Dataset, combinations: Sequence[Combination]) -> None:
        check_dataset(dataset, "known_rows")
        rule, remedy = "have factors", "Give it a table of factors."
        checks.require(dataset.factor_names, "dataset", rule, dataset, remedy)
        is_list = isinstance(combinations, Sequence) and len(combinations)
        rule = "be a list of one combination or more"
        checks.require(is_list, "combinations", rule, combinations)
        factors = dataset.factors_of(np.arange(len(dataset)))
        out = np.zeros(len(dataset), bool)
        for combination in combinations:
            out |= _fits(factors, combination, dataset)
        self.combinations, count = combinations, int(out.sum())
        rule = f"fit some of the {len(dataset)} images and leave others"
        is_part = 0 < count < len(dataset)
        checks.require(is_part, "combinations", rule, f"{count} images")
        super().__init__(dataset, np.flatnonzero(~out))
        self.held_out = Subset(dataset, np.flatnonzero(out))


def _fits(
    factors: np.ndarray, combination: Combination, dataset: Dataset
) -> np.ndarray:
    """Which rows of factors [n, K] fit the combination, bool [n]."""
    is_mapping = isinstance(combination, Mapping) and len(combination)
    rule = "map names of factors to values, such as {'shape': 3}"
    checks.require(is_mapping, "a combination", rule, combination)
    fits = np.ones(len(factors), bool)
    for name, value in combination.items():
        checks.one_of(name, dataset.factor_names, "a factor of combinations")
        k, values = dataset.factor_names.index(name), np.atleast_1d(value)
        rule = f"be integers in [0, {dataset.factor_sizes[k]})"
        are_values = values.ndim == 1 and np.issubdtype(values.dtype, np.integer)
        in_range = are_values and np.isin(values, range(dataset.factor_sizes[k])).all()
        checks.require(in_range, f"the values of {name}", rule, values.tolist())
        fits &= np.isin(factors[:, k], values)
    return fits
