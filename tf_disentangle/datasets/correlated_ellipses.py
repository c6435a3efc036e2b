"""CorrelatedEllipses: white ellipses whose four factors are correlated.

    u ~ N(0, C),  corr(u_x, u_y) = corr(u_scale, u_rotation) = correlation
    latent = (clip(u, -1, 1) + 1) / 2                        in [0, 1]
    x, y      floor to linspace(0, 1, 32);    centre = round(156 value + 50)
    scale     latent / 2 + 0.5, floor to linspace(0.5, 1, 6);
              semi-axes = (round(50 value), round(25 value))
    rotation  360 latent, floor to linspace(0, 360, 40) degrees

drawn by `cv2.ellipse` with value 255 on 256 x 256 pixels and resized to 64 x 64 by
INTER_AREA. About a third of the mass of each factor lies on its two end values (the
clip), and 0 and 360 degrees are the same image.

References:
    Ansari and Soh, Hyperprior Induced Unsupervised Disentanglement of Latent
    Representations (AAAI 2019), and its authors' code; 500 of its images are equal
    to ours bit for bit.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tf_disentangle import checks
from tf_disentangle.datasets import cache
from tf_disentangle.datasets.factors import check_draw, check_factors, check_indices
from tf_disentangle.interfaces import Dataset

FACTOR_NAMES = ("x", "y", "scale", "rotation")
FACTOR_SIZES = (32, 32, 6, 40)

_POSITIONS = np.linspace(0, 1, 32)
_SCALES = np.linspace(0.5, 1, 6)
_DEGREES = np.linspace(0, 360, 40)
_CENTRES = np.array([round(156 * position + 50) for position in _POSITIONS])

# The canvas is `_RATIO` times the image on each side.
_SIDE, _RATIO = 64, 4
# An ellipse is drawn about image pixel `_PADDED_CENTRE` of a larger image, of which
# the window for any position is then cut.
_PADDED_CENTRE = _CENTRES.max() // _RATIO
_PADDED_SIDE = _SIDE + _PADDED_CENTRE - _CENTRES.min() // _RATIO
# Images per step of `render`: 2 MB, which stay in the processor's cache.
_BLOCK = 512
# Keeps the training images apart from what a user draws with the same small seed.
_TRAINING_STREAM = 1
# Part of the cache's description: raise it when the images change.
_DRAWING_VERSION = 1


class CorrelatedEllipses(Dataset):
    """White ellipses with correlated position, scale and rotation.

    Args:
        num_images: Number of training images.
        correlation: corr(x, y) and corr(scale, rotation) of the normal variables
            before they are clipped, in (-1, 1).
        seed: Seed of the training images.
        cache_dir: Folder of the generated images; `datasets.cache_dir()` if None.

    Raises:
        ArgumentError: if an argument is out of its range.
    """

    factor_names = FACTOR_NAMES
    factor_sizes = FACTOR_SIZES
    image_shape = (_SIDE, _SIDE, 1)
    traits = frozenset(
        {"correlated_factors", "nonuniform_factors", "equal_images", "known_rows"}
    )

    def __init__(
        self,
        num_images: int = 200_000,
        correlation: float = 0.5,
        seed: int = 0,
        cache_dir: str | os.PathLike | None = None,
    ) -> None:
        self.num_images = checks.integer(num_images, "num_images", at_least=1)
        self.correlation = checks.real(correlation, "correlation")
        rule = "be greater than -1 and less than 1"
        checks.require(-1 < self.correlation < 1, "correlation", rule, correlation)
        self.seed = checks.integer(seed, "seed", at_least=0)
        if cache_dir is not None:
            checks.require_type(cache_dir, (str, os.PathLike), "cache_dir")
        self._cache_dir = cache_dir
        self._images: np.ndarray | None = None

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments without the folder, which changes no image."""
        config = super().get_config()
        del config["cache_dir"]
        return config

    def __len__(self) -> int:
        return self.num_images

    def __getstate__(self) -> dict:
        # A copy in another process maps the file again instead of carrying it.
        state = {**self.__dict__, "_images": None}
        state.pop("_training_factors", None)
        return state

    def images(self) -> np.ndarray:
        """The training images, a read-only memory map uint8 [num_images, 64, 64, 1].

        The first call ever generates them, with a progress bar.
        """
        if self._images is None:
            count, correlation, seed = self.num_images, self.correlation, self.seed
            self._images = cache.cached_array(
                f"correlated_ellipses-{count}-corr{correlation}-seed{seed}",
                (count, *self.image_shape),
                np.uint8,
                self._generate,
                description={
                    "dataset": "CorrelatedEllipses",
                    "num_images": count,
                    "correlation": correlation,
                    "seed": seed,
                    "drawing_version": _DRAWING_VERSION,
                },
                directory=self._cache_dir,
            )
        return self._images

    def factors_of(self, indices: np.ndarray) -> np.ndarray:
        """Maps indices [n] of training images to their factors, int64 [n, 4]."""
        return self._training_factors[check_indices(indices, self.num_images)]

    @functools.cached_property
    def _training_factors(self) -> np.ndarray:
        rng = np.random.default_rng([_TRAINING_STREAM, self.seed])
        return self.sample_factors(self.num_images, rng)

    def sample_factors(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draws factors, int64 [n, 4], correlated and not uniform."""
        u = sample_normal(check_draw(n, rng), self.correlation, rng)
        return factors_from_latents(latents_from_normal(u))

    def render(
        self, factors: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Renders factors [n, 4] as uint8 [n, 64, 64, 1]; `rng` is not used."""
        return render_factors(factors)

    def _generate(self, out: np.ndarray, progress: Callable[[int], None]) -> None:
        """Fills `out` with the training images, reporting how many are done."""
        for start in range(0, len(out), 16 * _BLOCK):
            chunk = slice(start, start + 16 * _BLOCK)
            _render_into(self._training_factors[chunk], out[chunk])
            progress(len(out[chunk]))


def sample_normal(n: int, correlation: float, rng: np.random.Generator) -> np.ndarray:
    """Draws u ~ N(0, C), float64 [n, 4], with unit variances.

    Written out instead of `rng.multivariate_normal`, whose numbers depend on the
    linear algebra library; the first rows do not depend on `n`.
    """
    u = rng.standard_normal((n, 4))
    rest = np.sqrt(1 - correlation**2)
    u[:, 1] = correlation * u[:, 0] + rest * u[:, 1]
    u[:, 3] = correlation * u[:, 2] + rest * u[:, 3]
    return u


def latents_from_normal(u: np.ndarray) -> np.ndarray:
    """Maps u [n, 4] to latents [n, 4] in [0, 1]."""
    return (np.clip(u, -1, 1) + 1) / 2


def factors_from_latents(latents: np.ndarray) -> np.ndarray:
    """Maps latents [n, 4] in [0, 1] (x, y, scale, rotation) to int64 factors [n, 4].

    Raises:
        ArgumentError: if the shape is not [n, 4] or a value is out of [0, 1].
    """
    latents = np.asarray(latents, dtype=np.float64)
    is_table = latents.ndim == 2 and latents.shape[1] == len(FACTOR_NAMES)
    checks.require(is_table, "latents", "have shape [n, 4]", latents.shape)
    # Written so that a nan is found wrong too.
    wrong = latents[~((latents >= 0) & (latents <= 1))]
    first = wrong[0].item() if wrong.size else None
    checks.require(not wrong.size, "latents", "be in [0, 1]", first)
    x, y, scale, rotation = latents.T
    columns = (
        np.digitize(x, _POSITIONS),
        np.digitize(y, _POSITIONS),
        np.digitize(scale / 2 + 0.5, _SCALES),
        np.digitize(360 * rotation, _DEGREES),
    )
    return np.stack(columns, axis=1).astype(np.int64) - 1


def render_factors(factors: np.ndarray) -> np.ndarray:
    """Renders factors [n, 4] as uint8 [n, 64, 64, 1].

    Raises:
        ArgumentTypeError: if the factors are not integers.
        ArgumentError: if the factors' shape or a value is out of range.
    """
    factors = check_factors(factors, FACTOR_NAMES, FACTOR_SIZES)
    images = np.empty((len(factors), _SIDE, _SIDE, 1), np.uint8)
    _render_into(factors, images)
    return images


def _render_into(factors: np.ndarray, out: np.ndarray) -> None:
    """Renders checked factors [n, 4] into `out` [n, 64, 64, 1].

    Moving the centre by four canvas pixels moves the image by one, so an image is
    a window of the one drawn with the same scale, rotation and remainders.
    """
    x, y, scale, rotation = factors.T
    column, column_rest = np.divmod(_CENTRES[x], _RATIO)
    row, row_rest = np.divmod(_CENTRES[y], _RATIO)
    corner = _PADDED_CENTRE - row, _PADDED_CENTRE - column
    at = np.stack([scale, rotation, row_rest, column_rest, *corner])
    for start in range(0, len(factors), _BLOCK):
        block = slice(start, start + _BLOCK)
        out[block, ..., 0] = _windows()[tuple(at[:, block])]


@functools.cache
def _windows() -> np.ndarray:
    """All windows: a view [6, 40, 4, 4, 40, 40, 64, 64] of 3,840 drawings (41 MB).

    The axes are scale, rotation, the centre's remainders (row, column) and the
    window's first row and column.
    """
    sizes, middle = (*FACTOR_SIZES[2:], _RATIO, _RATIO), _RATIO * int(_PADDED_CENTRE)
    padded = np.empty((*sizes, _PADDED_SIDE, _PADDED_SIDE), np.uint8)
    for scale, rotation, row_rest, column_rest in np.ndindex(sizes):
        value = float(_SCALES[scale])
        padded[scale, rotation, row_rest, column_rest] = _draw(
            centre=(middle + column_rest, middle + row_rest),
            semi_axes=(round(50 * value), round(25 * value)),
            degrees=float(_DEGREES[rotation]),
            side=_PADDED_SIDE,
        )
    return sliding_window_view(padded, (_SIDE, _SIDE), axis=(-2, -1))


def _draw(
    centre: tuple[int, int], semi_axes: tuple[int, int], degrees: float, side: int
) -> np.ndarray:
    """Draws an ellipse on a canvas of 4 x `side` pixels; uint8 [side, side]."""
    canvas = np.zeros((_RATIO * side, _RATIO * side), np.uint8)
    cv2.ellipse(canvas, centre, semi_axes, degrees, 0, 360, 255, thickness=-1)
    return cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA)
