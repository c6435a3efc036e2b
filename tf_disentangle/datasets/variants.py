"""Other images of the same factors: random colours, noise, random backgrounds.

With x the wrapped set's image in [0, 1] (grey images become RGB), as the 2019 study
makes its three variants of dSprites:

    Colored        x * c                        c ~ U[0.5, 1]^3 for each image
    Noisy          min(x + u, 1)                u ~ U[0, 1] for each value of each pixel
    OnBackground   b + x (1 - 2 b)              b = (patch + s) / 2: a random patch of a
                                                picture, s ~ U[0, 1]^3 for each image

so that where x = 1 the background is inverted. `render(factors, rng)` draws all of this
anew from `rng`. The *training images* differ from the study's, which draws the nuisance
of an image anew each time it is used: here image number i always has the same nuisance,
drawn by the generator Philox with the key (seed, i), so that training is a function of
its seed and nothing is stored. Two runs with different seeds of the set see different
nuisance.

References:
    Locatello et al., Challenging Common Assumptions in the Unsupervised Learning of
    Disentangled Representations (ICML 2019), arXiv:1811.12359, and their code,
    disentanglement_lib, for Color-, Noisy- and Scream-dSprites.
"""

from __future__ import annotations

import abc
import dataclasses
import math
import os
import zlib

import cv2
import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets.lazy import LazyImages
from tf_disentangle.datasets.wrapper import Wrapper
from tf_disentangle.interfaces import Dataset

# The study fits its picture into this many pixels, height and width.
_LARGEST_BACKGROUND = (274, 350)
# Stops of the texture's colour scale, from dark blue through orange to cream.
_COLOURS = np.array(
    [[24, 32, 72], [40, 96, 120], [120, 60, 40], [225, 120, 45], [245, 215, 140]], float
)
# Images per step: beyond about a quarter of a megabyte the allocator returns
# memory after every sum and gets it back page by page, which takes five times as long.
_BLOCK = 4


class _Variant(Wrapper):
    """A set whose images are another's, changed by a random nuisance.

    A subclass draws the nuisance of n images and applies it to them.
    """

    def __init__(self, dataset: Dataset, seed: int = 0) -> None:
        super().__init__(dataset)
        shape = dataset.image_shape
        fits = shape[2] in (1, 3) and not checks.is_vector(shape)
        checks.require(fits, "dataset", "have grey or RGB images, not vectors", shape)
        self.seed = checks.integer(seed, "seed", at_least=0)
        checks.require(self.seed < 2**64, "seed", "be less than 2**64", seed)
        self.image_shape = (*dataset.image_shape[:2], 3)
        self.traits |= {"stochastic_images"}
        self.resizing = dataclasses.replace(dataset.resizing, is_binary=False)

    def images(self) -> LazyImages:
        """The training images, uint8 [len(self), H, W, 3], made when asked for.

        Image number i always has the same nuisance, a function of (seed, i).
        """
        return LazyImages(len(self), self.image_shape, self._numbered)

    def render(
        self, factors: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Renders factors [n, K] with random nuisance, uint8 [n, H, W, 3]."""
        remedy = f"{type(self).__name__} images are random: np.random.default_rng(0)."
        checks.require(rng is not None, "rng", "be given", rng, remedy)
        images = self.dataset.render(factors, rng)
        return self._changed(images, self._draw(len(images), rng))

    def _numbered(self, indices: np.ndarray) -> np.ndarray:
        """The training images of checked indices [n], n at least 1."""
        keys = [np.array([self.seed, index], np.uint64) for index in indices]
        generators = [np.random.Generator(np.random.Philox(key=key)) for key in keys]
        nuisance = np.concatenate([self._draw(1, rng) for rng in generators])
        return self._changed(self.dataset.images()[indices], nuisance)

    def _changed(self, images: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        """Applies the nuisance to uint8 images [n, H, W, 1 or 3], in blocks."""
        result = np.empty((len(images), *self.image_shape), np.uint8)
        for start in range(0, len(images), _BLOCK):
            block = slice(start, start + _BLOCK)
            result[block] = self._apply(_rgb(images[block]), nuisance[block])
        return result

    def _tiled(self, colours: np.ndarray) -> np.ndarray:
        """Colours [n, 3] for each pixel of a row, float32 [n, 1, 3 W]."""
        tiled = np.tile(colours.astype(np.float32), (1, self.image_shape[1]))
        return tiled[:, np.newaxis]

    @abc.abstractmethod
    def _draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draws the nuisance of n images, [n, ...]."""

    @abc.abstractmethod
    def _apply(self, images: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        """Changes n images, uint8 [n, H, W, 3] to uint8 [n, H, W, 3]."""


class Colored(_Variant):
    """Another set's images, each times a random colour in [0.5, 1]^3.

    Args:
        dataset: A set of grey or RGB images; the study's are white shapes on black.
        seed: Seed of the training images' colours.
    """

    def _draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return rng.uniform(0.5, 1, (n, 3))

    def _apply(self, images: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        result = _rows(images) * self._tiled(nuisance)
        result += 0.5
        return result.astype(np.uint8).reshape(images.shape)


class Noisy(_Variant):
    """Another set's images plus uniform noise in every pixel, cut at white.

    Args:
        dataset: A set of grey or RGB images; the study's are white shapes on black.
        seed: Seed of the training images' noise.
    """

    def _draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        # Eight values at a time, which takes half the time.
        values = math.prod(self.image_shape)
        words = rng.integers(2**64, size=(n, -(-values // 8)), dtype=np.uint64)
        return words.astype("<u8", copy=False).view(np.uint8)[:, :values]

    def _apply(self, images: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        # OpenCV adds without going beyond 255.
        return cv2.add(images.reshape(nuisance.shape), nuisance).reshape(images.shape)


class OnBackground(_Variant):
    """Another set's images as shapes that invert a random patch of a picture.

    The study's picture is Munch's The Scream. For white shapes on black: what is grey
    in an image fades into the background, and an image without black hides it.

    Args:
        dataset: A set of grey or RGB images.
        background: The picture: uint8 [h, w, 3], the path of an image file, or None
            for a painted texture of our own. One that is larger than 274 x 350 pixels
            is reduced to fit into these, as the study does.
        seed: Seed of the training images' backgrounds.

    Raises:
        ArgumentError: If the picture cannot be read or is smaller than an image.
    """

    def __init__(
        self,
        dataset: Dataset,
        background: np.ndarray | str | os.PathLike | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(dataset, seed)
        picture = _reduced(_picture(background))
        height, width, _ = self.image_shape
        rule = f"be at least as large as the images, {height} x {width}"
        fits = picture.shape[0] >= height and picture.shape[1] >= width
        checks.require(fits, "background", rule, picture.shape)
        self.background = picture

    def fingerprint(self) -> str | None:
        """A checksum of the picture, if it was read from a file."""
        is_file = isinstance(self._config["background"], (str, os.PathLike))
        return f"{zlib.crc32(self.background.tobytes()):08x}" if is_file else None

    def _draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return rng.random((n, 5))

    def _apply(self, images: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
        height, width, _ = self.image_shape
        last = np.array(self.background.shape[:2]) - (height, width)
        rows, columns = (nuisance[:, :2] * (last + 1)).astype(np.int64).T
        patches = [
            self.background[row : row + height, column : column + width]
            for row, column in zip(rows, columns, strict=True)
        ]
        behind = _rows(np.reshape(patches, images.shape)).astype(np.float32)
        behind += 255 * self._tiled(nuisance[:, 2:])
        behind *= 0.5
        result = 255 - 2 * behind
        result *= _rows(images) / np.float32(255)
        result += behind
        result += 0.5
        return result.astype(np.uint8).reshape(images.shape)


def _rows(images: np.ndarray) -> np.ndarray:
    """Views [n, H, W, 3] as [n, H, 3 W]: numpy is slow on short last axes."""
    return images.reshape(*images.shape[:2], -1)


def _rgb(images: np.ndarray) -> np.ndarray:
    """Returns images [n, H, W, 1 or 3] as [n, H, W, 3]."""
    if images.shape[3] == 3:
        return images
    n, height, width, _ = images.shape
    tall = cv2.cvtColor(images.reshape(n * height, width), cv2.COLOR_GRAY2RGB)
    return tall.reshape(n, height, width, 3)


def _picture(background: np.ndarray | str | os.PathLike | None) -> np.ndarray:
    """Returns the background as uint8 [h, w, 3]."""
    if background is None:
        return texture(*_LARGEST_BACKGROUND)
    if isinstance(background, str | os.PathLike):
        # imread gives None, and a line on stderr, for whatever it cannot read.
        path = os.path.expanduser(os.fspath(background))
        is_file = os.path.isfile(path)
        picture = cv2.imread(path, cv2.IMREAD_COLOR_RGB) if is_file else None
        rule = "be a readable image file (PNG, JPEG, ...)"
        checks.require(picture is not None, "background", rule, os.fspath(background))
        return picture
    picture = checks.uint8_images(np.asarray(background)[np.newaxis], "background")[0]
    is_rgb = picture.shape[2] == 3
    checks.require(is_rgb, "background", "have shape [h, w, 3]", picture.shape)
    return picture


def _reduced(picture: np.ndarray) -> np.ndarray:
    """Makes a picture small enough for patches to show some of it."""
    height, width = picture.shape[:2]
    ratio = min(_LARGEST_BACKGROUND[0] / height, _LARGEST_BACKGROUND[1] / width)
    if ratio >= 1:
        return np.array(picture)
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def texture(height: int, width: int) -> np.ndarray:
    """Draws flowing bands of colour: waves whose coordinates are bent by other waves.

    Args:
        height: In pixels.
        width: In pixels.

    Returns:
        uint8 [height, width, 3], the same at every call.
    """
    y, x = np.mgrid[0:height, 0:width] / 100.0
    for frequency in (1.3, 2.1, 3.7):
        x, y = (
            x + 0.45 / frequency * np.sin(frequency * (2.3 * y + 0.7 * x) + frequency),
            y + 0.45 / frequency * np.cos(frequency * (1.9 * x - 0.6 * y) - frequency),
        )
    value = 0.5 + 0.3 * np.sin(5.0 * y + 1.1 * x) + 0.2 * np.sin(17.0 * y - 3.0 * x)
    stops = np.linspace(0, 1, len(_COLOURS))
    channels = [np.interp(value, stops, channel) for channel in _COLOURS.T]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
