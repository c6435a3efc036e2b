"""From images as published to the arrays that models take."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets.files.source import Block
from tf_disentangle.interfaces import Resizing


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """Crop or pad to a square, RGB or grey, resize: what the papers do.

    Attributes:
        size: Side of the result in pixels.
        channels: 1 (grey, ITU-R 601) or 3 (RGB).
        crop: Side of the centre crop; None is the largest square, "pad" leaves nothing
            out and adds black on both sides.
        filter: "lanczos" or "bilinear", as Pillow has them.
        white: What a white pixel is in the source. With 1 everything above 0 is
            white: dSprites is published with pixels 0 and 1.
    """

    size: int
    channels: int
    crop: int | Literal["pad"] | None = None
    filter: str = "lanczos"
    white: int = 255

    def __post_init__(self) -> None:
        checks.integer(self.size, "size", at_least=1)
        checks.one_of(self.channels, (1, 3), "channels")
        if self.crop not in (None, "pad"):
            checks.integer(self.crop, "crop", at_least=1)
        checks.one_of(self.filter, ("lanczos", "bilinear"), "filter")
        checks.one_of(self.white, (1, 255), "white")

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(size, size, channels)."""
        return self.size, self.size, self.channels

    @property
    def cuts(self) -> bool:
        """Whether the edges of images that are not square are cut off."""
        return self.crop is None

    @property
    def is_binary(self) -> bool:
        """Whether all results are of black and white."""
        return self.white == 1

    @property
    def resizing(self) -> Resizing:
        """What a served model does with images of other sizes."""
        return Resizing(self.crop, self.filter, self.is_binary)

    def __call__(self, images: Block) -> np.ndarray:
        """Maps images, each uint8 [h, w] or [h, w, c], to uint8 [n, size, size, C]."""
        if isinstance(images, np.ndarray) and self._fits(images):
            result = images.reshape(len(images), *self.image_shape)
        else:
            result = np.empty((len(images), *self.image_shape), np.uint8)
            for k, image in enumerate(images):
                result[k] = self._one(image)
        if self.is_binary:
            result = (result > 0) * np.uint8(255)
        return result

    def _fits(self, images: np.ndarray) -> bool:
        """Whether there is nothing to do."""
        shape = images.shape[1:] if images.ndim == 4 else (*images.shape[1:], 1)
        return shape == self.image_shape and self.crop in (None, "pad", self.size)

    def _one(self, image: np.ndarray) -> np.ndarray:
        from PIL import Image

        channels = image.shape[2] if image.ndim == 3 else 1
        rule = "have 1 or 3 channels"
        checks.require(channels in (1, 3), "each image", rule, image.shape)
        if self.crop == "pad":  # black on both sides of the shorter one
            missing = [max(image.shape[:2]) - side for side in image.shape[:2]]
            widths = [(count // 2, count - count // 2) for count in missing]
            image = np.pad(image, widths + [(0, 0)] * (image.ndim - 2))
        height, width = image.shape[:2]
        side = self.crop if isinstance(self.crop, int) else min(height, width)
        rule = f"be at least {side} x {side}, the size of the centre crop"
        checks.require(side <= min(height, width), "each image", rule, image.shape)
        top, left = (height - side) // 2, (width - side) // 2
        square = image[top : top + side, left : left + side]
        picture = Image.fromarray(square if channels == 3 else square.reshape(side, -1))
        picture = picture.convert("L" if self.channels == 1 else "RGB")
        if side != self.size:
            resampling = Image.Resampling[self.filter.upper()]
            picture = picture.resize((self.size, self.size), resampling)
        return np.asarray(picture).reshape(self.image_shape)
