"""Sets of given images, each with a row of factors, or with none.

The rows need be no full grid: some combinations of factors may have no image, others
several. Then every draw is a draw of rows, and holding a factor still means drawing
among the rows that have its value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets.factors import check_factors, check_indices, rows_given
from tf_disentangle.interfaces import Dataset


class ImageTable(Dataset):
    """Images with a table of their factors.

    Args:
        images: uint8 [n, H, W, C], indexed only as images[indices].
        factors: [n, K], or a mapping of K names to columns [n] of types of their own;
            numbers or strings. A factor's values are numbered in their sorted order;
            floats that differ by rounding are one value. None for images alone.
        factor_names: K names, unless the mapping has them; None calls them factor_0,
            factor_1, ...
        num_bins: Cuts each factor of more distinct numbers into as many bins of equal
            width; None takes every number as a value of its own.

    Attributes:
        factor_values: For each factor its values [size] in order; for one cut into
            bins, the bins' lower edges.

    Raises:
        ArgumentError: If the shapes do not fit each other, or nearly every row has a
            value of its own.
    """

    traits = frozenset({"known_rows"})

    def __init__(
        self,
        images: np.ndarray,
        factors: np.ndarray | Mapping[str, np.ndarray] | None = None,
        factor_names: Sequence[str] | None = None,
        num_bins: int | None = None,
    ) -> None:
        is_stack = len(images.shape) == 4 and images.dtype == np.uint8
        received = f"{images.dtype} of shape {tuple(images.shape)}"
        rule = "be uint8 of shape [n, H, W, C]"
        checks.require(is_stack, "images", rule, received)
        checks.require(len(images) > 0, "images", "not be empty", received)
        self._images = images
        self.image_shape = tuple(images.shape[1:])
        if isinstance(factors, Mapping):
            rule = "be left out where the factors are a mapping"
            checks.require(factor_names is None, "factor_names", rule, factor_names)
            factor_names = list(factors)
        columns = _as_columns(factors, len(images))
        self.factor_names = _names(factor_names, len(columns))
        if num_bins is not None:
            num_bins = checks.integer(num_bins, "num_bins", at_least=2)
        self._rows, values = _numbered(
            columns, self.factor_names, len(images), num_bins
        )
        self.factor_values = tuple(values)
        self.factor_sizes = tuple(len(v) for v in values)
        self._index_rows()

    def __len__(self) -> int:
        return len(self._images)

    def __getstate__(self) -> dict:
        # A copy in another process maps the file again instead of carrying it.
        state, images = {**self.__dict__, "_config": {}}, self._images
        if isinstance(images, np.memmap):
            where = (images.filename, images.dtype, "r", images.offset, images.shape)
            state["_images"] = where
        return state

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        if isinstance(self._images, tuple):
            self._images = np.memmap(*self._images)

    def images(self) -> np.ndarray:
        """The images as they were given, uint8 [n, H, W, C]; not to be changed."""
        if isinstance(self._images, np.ndarray) and self._images.flags.writeable:
            self._images = self._images.view()
            self._images.setflags(write=False)
        return self._images

    def factors_of(self, indices: np.ndarray) -> np.ndarray:
        """Maps indices [n] of images to their factors, int64 [n, K].

        Raises:
            ArgumentTypeError: If the indices are not integers.
            ArgumentError: If the shape is not [n] or an index is not of an image.
        """
        return self._rows[check_indices(indices, len(self))]

    def sample_factors(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draws the factors of rows, int64 [n, K], each row as likely as any other."""
        n = checks.integer(n, "n", at_least=0)
        checks.require_type(rng, np.random.Generator, "rng")
        return self._rows[rng.integers(len(self), size=n)]

    def sample_factors_given(
        self, fixed: np.ndarray, values: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Draws rows' factors of which one is given, int64 [n, K].

        Args:
            fixed: int [n], which factor.
            values: int [n], its value.
            rng: Of the draw, each fitting row as likely as any other.

        Raises:
            ArgumentError: If no row has a value.
        """
        return self._rows[rows_given(self._rows, fixed, values, rng)]

    def rows_of(
        self, factors: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Draws for each row of factors [n, K] an image that has them, int64 [n].

        Raises:
            ArgumentTypeError: If the factors are not integers.
            ArgumentError: If a value is out of range, no image has a combination, or
                several have and there is no rng.
        """
        factors = check_factors(factors, self.factor_names, self.factor_sizes)
        combination, known = self._look_up(factors)
        if not known.all():
            rule = "be combinations that an image has"
            wrong = factors[~known][0].tolist()
            remedy = "sample_factors draws such ones."
            raise checks.ArgumentError(checks.message("factors", rule, wrong, remedy))
        starts = self._starts[combination]
        counts = self._starts[combination + 1] - starts
        if "stochastic_images" not in self.traits:
            return self._order[starts]
        remedy = "Several images have these factors: np.random.default_rng(0)."
        checks.require(rng is not None, "rng", "be given", rng, remedy)
        return self._order[starts + rng.integers(counts)]

    def render(
        self, factors: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Returns images that have the factors [n, K], uint8 [n, H, W, C].

        Raises:
            ArgumentError: As `rows_of`.
        """
        return np.asarray(self._images[self.rows_of(factors, rng)])

    def _index_rows(self) -> None:
        """Numbers the combinations that exist and groups the rows by them."""
        # For each factor, what occurs of (combination of those before it, its value):
        # numbering step by step keeps the numbers small for any number of factors.
        self._seen: list[np.ndarray] = []
        combination = np.zeros(len(self), np.int64)
        for column, size in zip(self._rows.T, self.factor_sizes, strict=True):
            joint = combination * size + column
            seen, combination = np.unique(joint, return_inverse=True)
            self._seen.append(seen)
        counts = np.bincount(combination)
        self._starts = np.concatenate([[0], np.cumsum(counts)])
        self._order = np.argsort(combination, kind="stable")
        if not self.factor_sizes:
            return
        self.traits = self._declared(counts)

    def _declared(self, counts: np.ndarray) -> frozenset[str]:
        """What holds of a table with so many rows of each combination."""
        is_full = len(counts) == math.prod(self.factor_sizes)
        several = bool((counts > 1).any())
        # A combination's share, were the factors independent: that of its values.
        share, uniform = np.ones(len(counts)), True
        first = self._rows[self._order[self._starts[:-1]]]
        for values, column in zip(first.T, self._rows.T, strict=True):
            number = np.bincount(column)
            share *= number[values] / len(self)
            uniform &= bool((number == number[0]).all())
        independent = is_full and np.allclose(share * len(self), counts)
        holds = {
            "correlated_factors": not independent,
            "nonuniform_factors": not uniform,
            # There is no telling without a look at all images.
            "equal_images": several or not is_full,
            "stochastic_images": several,
            "missing_combinations": not is_full,
            "known_rows": True,
            "indexed_images": True,
        }
        return frozenset(name for name, true in holds.items() if true)

    def _look_up(self, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the combination of each row, and whether it exists."""
        combination = np.zeros(len(factors), np.int64)
        known = np.ones(len(factors), bool)
        columns = zip(factors.T, self.factor_sizes, self._seen, strict=True)
        for column, size, seen in columns:
            joint = combination * size + column
            combination = np.minimum(np.searchsorted(seen, joint), len(seen) - 1)
            known &= seen[combination] == joint
        return combination, known


def _as_columns(
    factors: np.ndarray | Mapping[str, np.ndarray] | None, count: int
) -> list[np.ndarray]:
    """The K columns of a table with a row for each image."""
    if factors is None:
        return []
    if isinstance(factors, Mapping):
        rule = f"have shape [{count}], a value for each image"
        columns = [np.asarray(column) for column in factors.values()]
        for name, column in zip(factors, columns, strict=True):
            fits = column.shape == (count,)
            checks.require(fits, f"factor {name}", rule, column.shape)
    else:
        factors = np.asarray(factors)
        if factors.ndim == 1:
            factors = factors[:, np.newaxis]
        rule = f"have shape [{count}, K], a row for each image"
        fits = factors.ndim == 2 and len(factors) == count
        checks.require(fits, "factors", rule, factors.shape)
        columns = list(factors.T)
    for column in columns:
        is_plain = column.dtype.kind in "biufUS"
        rule = "hold numbers or strings"
        checks.require(is_plain, "factors", rule, column.dtype.name)
    return columns


def _names(names: Sequence[str] | None, count: int) -> tuple[str, ...]:
    if names is None:
        return tuple(f"factor_{k}" for k in range(count))
    names = tuple(map(str, names))
    fits = len(names) == count and len(set(names)) == count
    rule = f"be {count} different names, one for each column of the factors"
    checks.require(fits, "factor_names", rule, names)
    return names


def _numbered(
    columns: list[np.ndarray], names: Sequence[str], count: int, num_bins: int | None
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Numbers the values of each column: int64 [n, K], and the values."""
    rows, all_values = np.empty((count, len(columns)), np.int64), []
    for k, (name, column) in enumerate(zip(names, columns, strict=True)):
        if column.dtype.kind == "f":
            finite = np.isfinite(column).all()
            checks.require(finite, f"factor {name}", "be finite", "NaN or infinity")
        values, rows[:, k] = _distinct(column)
        is_number = column.dtype.kind in "iuf"
        if num_bins is not None and len(values) > num_bins and is_number:
            edges = np.linspace(values[0], values[-1], num_bins + 1)[:-1]
            bins = np.searchsorted(edges, column, side="right") - 1
            used, rows[:, k] = np.unique(bins, return_inverse=True)
            values = edges[used]
        rule = "have values that occur twice or more on the average"
        received = f"{len(values)} different values in {count} rows"
        remedy = "Give num_bins" if num_bins is None else "Give fewer num_bins"
        remedy = f"{remedy}, or leave" if is_number else "Text has no bins: leave"
        remedy = f"{remedy} this factor out."
        often = 2 * len(values) <= count
        checks.require(often, f"factor {name}", rule, received, remedy)
        all_values.append(values)
    return rows, all_values


def _distinct(column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sorted values of a column, and the number of each row's.

    Floats that differ by a few units in the last place, 0.3 and 0.1 + 0.2, are one
    value, unless the values lie so densely that this would join a whole stretch.
    """
    values, number = np.unique(column, return_inverse=True)
    if column.dtype.kind != "f":
        return values, number
    slack = 4 * np.spacing(np.abs(values).max())
    is_new = np.diff(values, prepend=-np.inf) > slack
    first = np.flatnonzero(is_new)
    last = np.append(first[1:], len(values)) - 1
    if (values[last] - values[first] > slack).any():
        return values, number
    return values[first], (np.cumsum(is_new) - 1)[number]
