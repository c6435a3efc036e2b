"""Image arrays whose images are made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tf_disentangle import checks


class LazyImages:
    """An image array, uint8 [n, H, W, C], that stores no images.

    It is indexed like a numpy array along its first axis, by an integer, a slice or an
    array of integers, and gives numpy arrays; it cannot be written to.

    Args:
        num_images: n.
        image_shape: (H, W, C).
        make: Maps indices int64 [k], k at least 1, in [0, n), to images uint8
            [k, H, W, C]. The image of an index must be the same at every call.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(
        self,
        num_images: int,
        image_shape: Sequence[int],
        make: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        num_images = checks.integer(num_images, "num_images", at_least=0)
        self.shape = (num_images, *checks.image_shape(image_shape))
        self._make = make

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        """Makes the images of `key`, as numpy's indexing of one axis does.

        Raises:
            IndexError: If there is no such image, or the key is none of the above.
        """
        if isinstance(key, slice):
            key = np.arange(*key.indices(len(self)))
        indices = np.asarray(key)
        if not indices.size:
            return np.empty((*indices.shape, *self.shape[1:]), self.dtype)
        if not np.issubdtype(indices.dtype, np.integer):
            rule = "be an integer, a slice or an array of integers"
            raise IndexError(checks.message("the index of images", rule, key))
        wrong = indices[(indices < -len(self)) | (indices >= len(self))]
        if wrong.size:
            rule = f"be in [0, {len(self)})"
            text = checks.message("the index of an image", rule, wrong.flat[0])
            raise IndexError(text)
        flat = indices.astype(np.int64).reshape(-1)
        images = self._make(np.where(flat < 0, flat + len(self), flat))
        return images.reshape(*indices.shape, *self.shape[1:])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Refuses, since all images at once may not fit into memory."""
        remedy = "Take the images that you need, images[indices], or all, images[:]."
        rule = "be indexed before it becomes a numpy array"
        raise checks.ArgumentTypeError(
            checks.message("images", rule, f"all {len(self)} images", remedy)
        )
