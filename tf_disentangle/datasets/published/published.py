"""The real sets as data sets."""

from __future__ import annotations

import os

import numpy as np

from tf_disentangle.datasets.grid import Grid
from tf_disentangle.datasets.image_table import ImageTable
from tf_disentangle.datasets.published.preparing import Preparation
from tf_disentangle.interfaces import ImageArray


class PublishedGrid(Grid):
    """A real set with one image for each combination of its factors (a `Dataset`).

    Args:
        preparation: Which set, and where.
    """

    # The published images of different factors may be equal (dSprites' symmetries).
    traits = frozenset({"equal_images", "known_rows"})

    def __init__(self, preparation: Preparation) -> None:
        self.name = preparation.key
        self.factor_names = tuple(preparation.set.factors)
        self.factor_sizes = tuple(preparation.set.factors.values())
        self.image_shape = preparation.set.preprocessing.image_shape
        self._preparation = preparation
        self._images: ImageArray | None = None

    def __getstate__(self) -> dict:
        # A copy in another process maps the file again instead of carrying it.
        return {**self.__dict__, "_images": None}

    def images(self) -> ImageArray:
        """The images in the order of the grid, read-only uint8 [n, H, W, C].

        Raises:
            ArgumentError: If the set is not prepared and its files are not at hand.
        """
        if self._images is None:
            self._images = self._preparation.images()
        return self._images

    def render(
        self, factors: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Looks up the images of factors [n, K], uint8 [n, H, W, C].

        Raises:
            ArgumentTypeError: If the factors are not integers.
            ArgumentError: If their shape or a value is out of range.
        """
        return np.asarray(self.images()[self.index_of(factors)])


def published(
    name: str,
    split: str | None = None,
    source: str | os.PathLike | None = None,
    data_dir: str | os.PathLike | None = None,
) -> PublishedGrid | ImageTable:
    """A real set, as `tf_disentangle data prepare NAME` left it.

    In gin: `train.data = @published()` and `published.name = "shapes3d"`. Nothing is
    downloaded here; published files that are at hand are prepared at first use.

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
    if not preparation.path.exists():
        _ = preparation.source  # What is missing is told now, not after an hour.
    if preparation.set.is_grid(preparation.split):
        return PublishedGrid(preparation)
    factors = preparation.factors()
    names = tuple(preparation.set.factors)
    table = ImageTable(preparation.images(), factors, names if names else None)
    table.name = preparation.key
    return table
