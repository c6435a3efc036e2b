"""The published sets as data sets."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets.grid import Grid
from tf_disentangle.datasets.image_table import ImageTable
from tf_disentangle.datasets.published.preparing import Preparation
from tf_disentangle.interfaces import ImageArray


class PublishedGrid(Grid):
    """A published set with one image for each combination of its factors.

    Args:
        name: As in `published`.
        split: As in `published`.
        source: As in `published`.
        data_dir: As in `published`.
    """

    # The published images of different factors may be equal (dSprites' symmetries).
    traits = frozenset({"equal_images", "known_rows"})

    def __init__(
        self,
        name: str,
        split: str | None = None,
        source: str | os.PathLike | None = None,
        data_dir: str | os.PathLike | None = None,
    ) -> None:
        self._preparation = preparation = Preparation(name, split, source, data_dir)
        preparation.require_source()
        row = preparation.row
        rule = "be a full grid"
        checks.require(row.is_grid(preparation.split), "name", rule, name)
        self.name = preparation.key
        self.factor_names = tuple(row.factors)
        self.factor_sizes = tuple(row.factors.values())
        self.image_shape = row.preprocessing.image_shape
        self._images: ImageArray | None = None

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, with full paths."""
        return self._preparation.get_config()

    def __getstate__(self) -> dict:
        # A copy in another process maps the file again instead of carrying it.
        return {**self.__dict__, "_images": None}

    def images(self) -> ImageArray:
        """The images in the order of the grid, read-only uint8 [n, H, W, C]."""
        if self._images is None:
            self._images = self._preparation.images()
        return self._images

    def render(
        self, factors: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Looks up the images of factors [n, K], uint8 [n, H, W, C]."""
        return np.asarray(self.images()[self.index_of(factors)])


class PublishedTable(ImageTable):
    """A published set of images with the factors that are known, if any.

    Args:
        name: As in `published`.
        split: As in `published`.
        source: As in `published`.
        data_dir: As in `published`.
    """

    def __init__(
        self,
        name: str,
        split: str | None = None,
        source: str | os.PathLike | None = None,
        data_dir: str | os.PathLike | None = None,
    ) -> None:
        self._preparation = preparation = Preparation(name, split, source, data_dir)
        preparation.require_source()
        self.name = preparation.key
        names = tuple(preparation.row.factors) or None
        super().__init__(preparation.images(), preparation.factors(), names)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, with full paths, and the fingerprint."""
        config = self._preparation.get_config()
        return {**config, "fingerprint": self.fingerprint()}


def published(
    name: str,
    split: str | None = None,
    source: str | os.PathLike | None = None,
    data_dir: str | os.PathLike | None = None,
) -> PublishedGrid | PublishedTable:
    """A published set, as `tf_disentangle data prepare NAME` left it.

    Nothing is downloaded here; published files that are at hand are prepared at first
    use.

    Args:
        name: One of those that `tf_disentangle data list` shows.
        split: "train" or "test" for a set that has them; None is the first.
        source: A published file, a folder of such, or one of TensorFlow Datasets, to
            prepare from; None looks in the usual places.
        data_dir: Folder of prepared sets; `datasets.cache_dir()` if None.

    Returns:
        A full grid, or else a table of images with the factors that are known.

    Raises:
        ArgumentError: If the name is unknown, or the set is not prepared and its files
            are not at hand; says what to fetch and where to put it.
    """
    preparation = Preparation(name, split, source, data_dir)
    is_grid = preparation.row.is_grid(preparation.split)
    kind = PublishedGrid if is_grid else PublishedTable
    return kind(name, split, source, data_dir)
