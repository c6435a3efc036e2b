"""Black-and-white images, held as small tables and computed when they are needed.

A training set takes an eighth of its uint8 size when packed, and far less when it is
drawn from outlines. Such an array provides its tables and computes the bits from them
with operators that numpy's arrays and TensorFlow's tensors share. So numpy can decode
it for a user, and a train step can decode it on the device (`resident.ResidentImages`).
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets.lazy import LazyImages

# Images per step of decoding: a few MB, which stay in the processor's cache.
_BLOCK = 512


class BinaryImages(LazyImages, abc.ABC):
    """An image array whose pixels are 0 and 255, decoded from tables.

    Args:
        num_images: n.
        image_shape: (H, W, C), H W C a multiple of 8.
    """

    def __init__(self, num_images: int, image_shape: tuple[int, int, int]) -> None:
        super().__init__(num_images, image_shape, self._decoded)

    @property
    @abc.abstractmethod
    def tables(self) -> tuple[np.ndarray, ...]:
        """What the images are computed from."""

    @abc.abstractmethod
    def packed(
        self, indices: Any, tables: tuple[Any, ...], take: Callable[[Any, Any], Any]
    ) -> Any:
        """Computes images of one bit per value, in the order of `numpy.packbits`.

        It must be written with operators and `take` alone, which numpy's arrays and
        TensorFlow's tensors share.

        Args:
            indices: int64 [B], each in [0, n).
            tables: `self.tables`, or tensors of them.
            take: take(table, rows): the rows of a table, for int64 rows of any shape.

        Returns:
            Integers [B, ...] whose bytes, as they lie in memory, are the H W C / 8
            bytes of each image.
        """

    def _decoded(self, indices: np.ndarray) -> np.ndarray:
        """Decodes the images of int64 indices [n], each in range, block by block."""
        images = np.empty((len(indices), *self.shape[1:]), np.uint8)
        tables = self.tables
        for start in range(0, len(indices), _BLOCK):
            block = slice(start, start + _BLOCK)
            bits = self.packed(indices[block], tables, _take)
            values = np.unpackbits(bits.view(np.uint8)).reshape(-1, *self.shape[1:])
            np.multiply(values, np.uint8(255), out=images[block])
        return images


class PackedImages(BinaryImages):
    """Images of one bit per value, such as those of `pack`.

    Args:
        bits: uint8 [n, H W C / 8], the first value in the highest bit, as of
            `numpy.packbits`; may be memory-mapped.
        image_shape: (H, W, C); H W C is a multiple of 8.

    Raises:
        ArgumentError: If the shapes do not fit each other.
        ArgumentTypeError: If the bits are not uint8.
    """

    def __init__(self, bits: np.ndarray, image_shape: tuple[int, int, int]) -> None:
        image_shape = checks.image_shape(image_shape)
        rows, rest = divmod(math.prod(image_shape), 8)
        rule = "have H W C a multiple of 8"
        checks.require(rest == 0, "image_shape", rule, image_shape)
        if bits.dtype != np.uint8:
            name = bits.dtype.name
            raise checks.ArgumentTypeError(checks.message("bits", "be uint8", name))
        fits = bits.ndim == 2 and bits.shape[1] == rows
        checks.require(fits, "bits", f"have shape [n, {rows}]", bits.shape)
        super().__init__(len(bits), image_shape)
        self._bits = bits

    @property
    def tables(self) -> tuple[np.ndarray, ...]:
        """The bits, [n, H W C / 8]."""
        return (self._bits,)

    def packed(
        self, indices: Any, tables: tuple[Any, ...], take: Callable[[Any, Any], Any]
    ) -> Any:
        """Gathers the bits of images, uint8 [B, H W C / 8]."""
        return take(tables[0], indices)


def pack(images: np.ndarray) -> np.ndarray:
    """Packs images [n, H, W, C], any value but 0 as white, into uint8 [n, H W C / 8].

    Raises:
        ArgumentError: If H W C is not a multiple of 8, or images have another rank.
    """
    checks.require(np.ndim(images) == 4, "images", "have rank 4", np.shape(images))
    rows = np.reshape(np.asarray(images) != 0, (len(images), -1))
    rule = "have H W C a multiple of 8"
    checks.require(rows.shape[1] % 8 == 0, "images", rule, np.shape(images))
    return np.packbits(rows, axis=1)


def _take(table: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows of a table: `numpy.take`, which is faster than indexing."""
    return np.take(table, rows, axis=0)
