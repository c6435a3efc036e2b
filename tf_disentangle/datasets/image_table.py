"""Sets of given images, each with a row of factors or without factors.

The rows need not form a full grid: some combinations of factors may have no image,
others several. In that case, rows are drawn at random, and fixing a factor means
drawing among the rows that have its value.
"""

from __future__ import annotations

import logging
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets import cache
from tf_disentangle.datasets.columns import Table, as_table
from tf_disentangle.datasets.factors import (
    check_draw,
    check_indices,
)
from tf_disentangle.datasets.files.pixels import require_channels_last
from tf_disentangle.datasets.row_index import RowIndex
from tf_disentangle.interfaces import Dataset

_logger = logging.getLogger(__name__)

# Images that are looked at to see whether all are dark.
_FIRST = 100
# What `fingerprint` reads at once.
_BLOCK_BYTES = 1 << 24
# Larger arrays are recorded by their checksum.
_MOST_NUMBERS = 4096


class ImageTable(Dataset):
    """Images, or vectors, with a table of their factors.

    Args:
        images: uint8 [n, H, W, C], indexed only as images[indices]; a list of images of
            one shape; or vectors, floats [n, D].
        factors: [n, K]; a mapping of K names to columns [n], each of its own type; a
            pandas DataFrame or Series; numbers or text. A factor's values are numbered
            in their sorted order; floats that differ by rounding are one value. None
            for images alone.
        factor_names: K names for factors without names; None calls them factor_0,
            factor_1, ...
        num_bins: Cuts each factor with more distinct numbers than this into this many
            bins of equal width; a mapping does so for the factors that it names, with a
            number for each. None treats every number as a value of its own.

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
        images: Any,
        factors: Any = None,
        factor_names: Sequence[str] | None = None,
        num_bins: int | Mapping[str, int] | None = None,
    ) -> None:
        self._images = images = _as_images(images)
        if "images" in self._config:
            self._config["images"] = images  # a list is not kept beside its array
        self.image_shape = tuple(images.shape[1:])
        if checks.is_vector(self.image_shape):
            self.traits |= {"vectors"}
        table = as_table(factors, factor_names, len(images))
        self.factor_names = tuple(table)
        bins = _bins_of(num_bins, self.factor_names)
        self._rows, values = _numbered(table, bins, len(images))
        self.factor_values = tuple(values)
        self.factor_sizes = tuple(len(v) for v in values)
        self._index = RowIndex(self._rows, self.factor_names, self.factor_sizes)
        if self.factor_sizes:
            self.traits |= self._traits_of(self._index.counts)

    def __len__(self) -> int:
        return len(self._images)

    def __getstate__(self) -> dict:
        # A copy in another process maps the file again instead of carrying it.
        state, images = self.__dict__.copy(), self._images
        state["_config"] = {k: v for k, v in self._config.items() if k != "images"}
        if isinstance(images, np.memmap):
            where = (images.filename, images.dtype, "r", images.offset, images.shape)
            state["_images"] = where
        return state

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        if isinstance(self._images, tuple):
            self._images = np.memmap(*self._images)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, and the fingerprint.

        Large arrays in memory are recorded by their checksum only, and cannot be
        rebuilt.
        """
        config = super().get_config()
        if type(self).__init__ is not ImageTable.__init__:
            return config
        columns = zip(self.factor_values, self._rows.T, strict=True)
        table = {
            name: values[column].tolist() if len(self) <= _MOST_NUMBERS else None
            for name, (values, column) in zip(self.factor_names, columns, strict=True)
        }
        images, shape = self._images, self._images.shape
        if math.prod(shape) > _MOST_NUMBERS:
            dtype, mark = self._images.dtype.name, self.fingerprint()
            images = {"checksum": mark, "shape": list(shape), "dtype": dtype}
        config |= {"images": images, "factors": table or None}
        return config | {"factor_names": None, "num_bins": None}

    def fingerprint(self) -> str:
        """A checksum of all images and factors."""
        crc32 = cache.sidecar_of(getattr(self._images, "filename", None)).get("crc32")
        if crc32 is None:
            crc32, step = 0, max(1, _BLOCK_BYTES // math.prod(self.image_shape))
            for start in range(0, len(self), step):
                block = np.ascontiguousarray(self._images[start : start + step])
                crc32 = zlib.crc32(block.reshape(-1).view(np.uint8).data, crc32)
        return f"{zlib.crc32(self._rows.tobytes(), crc32):08x}"

    def images(self) -> np.ndarray:
        """The images, read-only uint8 [n, H, W, C], or vectors float32 [n, 1, 1, D]."""
        if isinstance(self._images, np.ndarray) and self._images.flags.writeable:
            self._images = self._images.view()
            self._images.setflags(write=False)
        return self._images

    def factors_of(self, indices: np.ndarray) -> np.ndarray:
        """Maps indices [n] of images to their factors, int64 [n, K]."""
        return self._rows[check_indices(indices, len(self))]

    def sample_factors(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draws the factors of rows, int64 [n, K], each row as likely as any other."""
        return self._rows[rng.integers(len(self), size=check_draw(n, rng))]

    def rows_of(
        self, factors: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Draws for each row of factors [n, K] an image that has them, int64 [n]."""
        return self._index.rows_of(factors, rng)

    def render(
        self, factors: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Returns images that have the factors [n, K], uint8 [n, H, W, C]."""
        return np.asarray(self._images[self.rows_of(factors, rng)])

    def _traits_of(self, counts: np.ndarray) -> frozenset[str]:
        """The traits of a table with so many rows of each combination."""
        is_full = len(counts) == math.prod(self.factor_sizes)
        several = bool((counts > 1).any())
        # A combination's share, were the factors independent: that of its values.
        share, uniform = np.ones(len(counts)), True
        first = self._rows[self._index.firsts]
        for values, column in zip(first.T, self._rows.T, strict=True):
            number = np.bincount(column)
            share *= number[values] / len(self)
            uniform &= bool((number == number[0]).all())
        independent = is_full and np.allclose(share * len(self), counts)
        holds = {
            "correlated_factors": not independent,
            "nonuniform_factors": not uniform,
            # Only a look at all images could tell.
            "equal_images": several or not is_full,
            "stochastic_images": several,
            "missing_combinations": not is_full,
            "indexed_images": True,
        }
        return frozenset(name for name, true in holds.items() if true)


def _as_images(images: Any) -> Any:
    """Returns images uint8 [n, H, W, C], as they lie, or vectors float32."""
    if isinstance(images, Sequence):
        each = [np.asarray(image) for image in images]
        shapes = sorted({image.shape for image in each})
        rule, remedy = "be of one shape", "Resize them: ImageFolder does that to files."
        checks.require(len(shapes) < 2, "images", rule, shapes, remedy)
        images = np.stack(each) if each else np.empty(0)
        # A list of grey images is not an image: it has one more axis.
        images = images[..., np.newaxis] if images.ndim == 3 else images
    elif not hasattr(images, "shape"):
        images = np.asarray(images)
    shape, received = tuple(images.shape), f"{images.dtype} of shape {images.shape}"
    checks.require(shape[:1] > (0,), "images", "not be empty", received)
    if images.dtype.kind == "f" and (len(shape) == 2 or shape[1:3] == (1, 1)):
        vectors = np.asarray(images, np.float32).reshape(shape[0], 1, 1, shape[-1])
        return checks.images_or_vectors(vectors)
    remedy = ""
    if len(shape) in (2, 3):
        remedy = "Add the axis of channels: images[..., numpy.newaxis]."
    elif images.dtype.kind == "f":
        remedy = (
            "Floats in [0, 1] become uint8 by np.round(255 * x).astype(np.uint8), "
            "floats in [0, 255] by np.round(x).astype(np.uint8)."
        )
    rule = "be uint8 of shape [n, H, W, C], or vectors, floats [n, D]"
    fits = len(shape) == 4 and images.dtype == np.uint8
    checks.require(fits, "images", rule, received, remedy)
    require_channels_last(shape, "images")
    if isinstance(images, np.ndarray) and images[:_FIRST].max(initial=0) == 1:
        _logger.warning(
            "No pixel of the first %d images is above 1, where 255 is white. If 1 is "
            "white in them, multiply them by 255.",
            min(_FIRST, len(images)),
        )
    return images


def _bins_of(
    num_bins: int | Mapping[str, int] | None, names: Sequence[str]
) -> dict[str, int]:
    """The number of bins of each factor that is to be cut."""
    if num_bins is None:
        return {}
    if not isinstance(num_bins, Mapping):
        checks.integer(num_bins, "num_bins", at_least=2)
        num_bins = dict.fromkeys(names, num_bins)
    for name, count in num_bins.items():
        checks.one_of(name, names, "a factor of num_bins")
        checks.integer(count, f"num_bins of {name}", at_least=2)
    return dict(num_bins)


def _numbered(
    table: Table, bins: Mapping[str, int], count: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Numbers the values of each column: int64 [n, K], and the values."""
    rows, all_values = np.empty((count, len(table)), np.int64), []
    for k, (name, column) in enumerate(table.items()):
        values, rows[:, k] = _distinct(column)
        is_number, num_bins = column.dtype.kind in "iuf", bins.get(name)
        if num_bins is not None and len(values) > num_bins and is_number:
            edges = np.linspace(values[0], values[-1], num_bins + 1)[:-1]
            places = np.searchsorted(edges, column, side="right") - 1
            used, rows[:, k] = np.unique(places, return_inverse=True)
            values = edges[used]
        rule = "have values that occur twice or more on the average"
        received = f"{len(values)} different values in {count} rows"
        remedy = "Text has no bins: leave this factor out."
        if is_number:
            fewer = "fewer num_bins" if num_bins else f"num_bins={{{name!r}: 10}}"
            remedy = f"Give {fewer}, or leave this factor out."
        fits = 2 * len(values) <= count
        checks.require(fits, f"factor {name}", rule, received, remedy)
        all_values.append(values)
    return rows, all_values


def _distinct(column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sorted values of a column, and the number of each row's.

    Floats that differ by a few units in the last place, 0.3 and 0.1 + 0.2, are one
    value, unless the values lie so densely that this would merge a whole range of them.
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
