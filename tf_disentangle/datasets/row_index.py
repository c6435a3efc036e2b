"""Which images have which factors: the index of a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets.factors import check_factors


class RowIndex:
    """Groups the rows of a table by their combination of factors.

    Args:
        rows: int64 [n, K], the factors of each image.
        names: Names of the K factors.
        sizes: How many values each factor has.

    Attributes:
        counts: int64 [C], how many rows each combination that exists has.
        firsts: int64 [C], the first row of each.
    """

    def __init__(
        self, rows: np.ndarray, names: Sequence[str], sizes: Sequence[int]
    ) -> None:
        self._names, self._sizes = names, sizes
        # For each factor, what occurs of (combination of those before it, its value):
        # numbering step by step keeps the numbers small for any number of factors.
        self._seen: list[np.ndarray] = []
        combination = np.zeros(len(rows), np.int64)
        for column, size in zip(rows.T, sizes, strict=True):
            joint = combination * size + column
            seen, combination = np.unique(joint, return_inverse=True)
            self._seen.append(seen)
        self.counts = np.bincount(combination)
        self._starts = np.concatenate([[0], np.cumsum(self.counts)])
        self._order = np.argsort(combination, kind="stable")
        self.firsts = self._order[self._starts[:-1]]

    def rows_of(
        self, factors: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Draws for each row of factors [n, K] an image that has them, int64 [n].

        Raises:
            ArgumentError: If no image has them, or several have and there is no `rng`.
        """
        factors = check_factors(factors, self._names, self._sizes)
        combination = np.zeros(len(factors), np.int64)
        exists = np.ones(len(factors), bool)
        columns = zip(factors.T, self._sizes, self._seen, strict=True)
        for column, size, seen in columns:
            joint = combination * size + column
            combination = np.minimum(np.searchsorted(seen, joint), len(seen) - 1)
            exists &= seen[combination] == joint
        rule = "be combinations that an image has"
        missing = factors[~exists].tolist()
        remedy = "sample_factors draws such ones."
        checks.require(not missing, "factors", rule, next(iter(missing), None), remedy)
        starts = self._starts[combination]
        if self.counts.max(initial=0) < 2 or not self._sizes:
            return self._order[starts]
        remedy = "Several images have these factors: np.random.default_rng(0)."
        checks.require(rng is not None, "rng", "be given", rng, remedy)
        return self._order[starts + rng.integers(self.counts[combination])]
