"""The published sets as data sets."""

from __future__ import annotations

import abc
import os
from typing import Any

import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets import cache
from tf_disentangle.datasets.binary_images import PackedImages
from tf_disentangle.datasets.grid import Grid
from tf_disentangle.datasets.image_table import ImageTable
from tf_disentangle.datasets.published.preparing import Preparation
from tf_disentangle.interfaces import Dataset, ImageArray


class _Published(Dataset):
    """A published set: takes the arguments of `published`."""

    def __init__(
        self,
        name: str,
        split: str | None = None,
        source: str | os.PathLike | None = None,
        data_dir: str | os.PathLike | None = None,
    ) -> None:
        self._preparation = Preparation(name, split, source, data_dir)
        self._preparation.require_source()
        self.name = self._preparation.key
        self._open(self._preparation)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, with full paths, and the fingerprint."""
        return {**self._preparation.get_config(), "fingerprint": self.fingerprint()}

    @abc.abstractmethod
    def _open(self, preparation: Preparation) -> None:
        """Sets the attributes of a data set."""


class PublishedGrid(_Published, Grid):
    """A published set with one image for each combination of its factors."""

    # The published images of different factors may be equal (dSprites' symmetries).
    traits = frozenset({"equal_images", "known_rows"})

    def _open(self, preparation: Preparation) -> None:
        row = preparation.row
        is_grid = row.is_grid(preparation.split)
        checks.require(is_grid, "name", "be a full grid", preparation.name)
        self.factor_names = tuple(row.factors)
        self.factor_sizes = tuple(row.factors.values())
        self.image_shape = row.preprocessing.image_shape
        self.resizing = row.preprocessing.resizing
        self._images: ImageArray | None = None

    def fingerprint(self) -> str:
        """The checksum of the prepared images."""
        images = self.images()
        array = images.tables[0] if isinstance(images, PackedImages) else images
        path = getattr(array, "filename", None)
        return f"{cache.sidecar_of(path)['crc32']:08x}"

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


class PublishedTable(_Published, ImageTable):
    """A published set of images with their factors, if it has any."""

    def _open(self, preparation: Preparation) -> None:
        names = tuple(preparation.row.factors) or None
        images, factors = preparation.images(), preparation.factors()
        ImageTable.__init__(self, images, factors, names)
        self.resizing = preparation.row.preprocessing.resizing


def published(
    name: str,
    split: str | None = None,
    source: str | os.PathLike | None = None,
    data_dir: str | os.PathLike | None = None,
) -> PublishedGrid | PublishedTable:
    """A published set, as `tf_disentangle data prepare NAME` left it.

    Nothing is downloaded here; published files that are already there are prepared at
    first use.

    Args:
        name: One of those that `tf_disentangle data list` shows.
        split: "train" or "test" for a set that has them; None is the first.
        source: A published file, a folder of such, or one of TensorFlow Datasets, to
            prepare from; None looks in the usual places.
        data_dir: Folder of prepared sets; `datasets.cache_dir()` if None.

    Returns:
        A full grid, or else a table of images with their factors, if any.

    Raises:
        ArgumentError: If the name is unknown, or the set is not prepared and its files
            are not at hand; says what to fetch and where to put it.
    """
    preparation = Preparation(name, split, source, data_dir)
    is_grid = preparation.row.is_grid(preparation.split)
    kind = PublishedGrid if is_grid else PublishedTable
    return kind(name, split, source, data_dir)
