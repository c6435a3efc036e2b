"""dSprites: a white square, ellipse or heart on black, drawn here, never downloaded.

The published grid is color (white alone) x shape 3 x scale 6 x orientation 40 x x 32 x
y 32 = 737,280 binary images of 64 x 64, the last factor changing fastest. Its author
drew vector outlines without antialiasing; so does this file. In pixels, v and y
downwards, at scale 1, with t in [0, 2 pi]:

    square       corners (+-9.6, +-9.6)
    ellipse      u = 12.77 cos t        v = 7.21 sin t
    heart        u = 9.6 sin(t)^3
                 v = -1.44 - 19.2 / 29 (13 cos t - 5 cos 2t - 2 cos 3t - cos 4t)
    centre       (16 + 32 x, 16 + 32 y)             x, y in linspace(0, 1, 32)
    orientation  clockwise, linspace(0, 2 pi, 40)
    scale        linspace(0.5, 1, 6)

A pixel is white if its midpoint lies inside the outline. The numbers were fitted to 150
published images. For each of them the best image of this grid has an intersection over
union of 0.9996 on average and 0.989 at worst; 139 are equal (docs/reproduction.md).
They cannot show which way orientations turn, since every outline is its own mirror
image; but LOVE, with which they were drawn, turns clockwise.

Equal images. Orientations 0 and 39 are the same angle, as published. No other two are
equivalent, since the square's quarter turn is 9.75 of the 39 steps and the ellipse's
half turn 19.5. But the quarter or half step that remains may move no pixel's midpoint
across the outline, so some squares 10 or 19 steps apart (a few 1 or 9) and some
ellipses 19 steps apart are equal, mostly small ones. Of the 737,280 images 715,756 are
distinct: 18,432 repeat orientation 0, 2,588 another square and 504 another ellipse.
Images that differ in another factor than the orientation are never equal.

References:
    Matthey et al., dSprites: Disentanglement testing Sprites dataset (2017),
    https://github.com/google-deepmind/dsprites-dataset; its issues 2 and 3 tell how the
    images were drawn.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from tf_disentangle.datasets.binary_images import BinaryImages
from tf_disentangle.datasets.factors import check_factors
from tf_disentangle.datasets.grid import Grid
from tf_disentangle.interfaces import Resizing

_SIDE = 64
# Centres are multiples of 1/31 pixel, so that the midpoints of all images, seen from
# their sprite's centre, lie on one lattice: numbers m at (m - 1/2) / 31 pixels. Pixel p
# of an image whose centre has the position k is number 31 p - 32 k - 480.
_FINE = 31
_MIDPOINTS = (
    _FINE * np.arange(_SIDE) - 32 * np.arange(32)[:, np.newaxis] - 15 * 32
)  # [32, 64]
# Every outline lies within 14 pixels of its centre; the rows at both ends are empty.
_REACH = 14 * _FINE
_NUM_ROWS = 2 * _REACH + 1
# A horizontal line enters and leaves an outline at most twice.
_NUM_EDGES = 4
# Vertices of a curve: another number moves no pixel of the 150 published images.
_NUM_VERTICES = 200


class DSprites(Grid):
    """dSprites: the five published factors that vary, without color.

    Attributes:
        factor_values: The published values of each factor, color included.

    Example:
        >>> import tf_disentangle as td
        >>> data = td.datasets.DSprites()
        >>> len(data), data.image_shape
        (737280, (64, 64, 1))
        >>> data.factor_names
        ('shape', 'scale', 'orientation', 'x', 'y')
    """

    factor_names = ("shape", "scale", "orientation", "x", "y")
    factor_sizes = (3, 6, 40, 32, 32)
    image_shape = (_SIDE, _SIDE, 1)
    resizing = Resizing(is_binary=True)
    traits = frozenset({"equal_images", "known_rows"})
    factor_values: ClassVar[dict[str, np.ndarray]] = {
        "color": np.array([1.0]),
        "shape": np.array([1.0, 2.0, 3.0]),
        "scale": np.linspace(0.5, 1.0, 6),
        "orientation": np.linspace(0.0, 2 * np.pi, 40),
        "x": np.linspace(0.0, 1.0, 32),
        "y": np.linspace(0.0, 1.0, 32),
    }

    def images(self) -> BinaryImages:
        """The images, an image array uint8 [737280, 64, 64, 1], drawn when indexed."""
        return _SpriteImages()

    def values(self, factors: np.ndarray) -> np.ndarray:
        """Published values (`latents_values`) of factors [n, 5], float64 [n, 6].

        The columns are color and the five factors.

        Raises:
            ArgumentTypeError: If the factors are not integers.
            ArgumentError: If the factors' shape or a value is out of range.
        """
        factors = check_factors(factors, self.factor_names, self.factor_sizes)
        columns = [np.ones(len(factors))]
        for k, name in enumerate(self.factor_names):
            columns.append(self.factor_values[name][factors[:, k]])
        return np.stack(columns, axis=1)

    def render(
        self, factors: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Renders factors [n, 5] as uint8 [n, 64, 64, 1]; `rng` is not used."""
        return self.images()[self.index_of(factors)]


class _SpriteImages(BinaryImages):
    """The images of the grid, computed from where each sprite begins and ends."""

    def __init__(self) -> None:
        super().__init__(math.prod(DSprites.factor_sizes), DSprites.image_shape)

    @property
    def tables(self) -> tuple[np.ndarray, ...]:
        """Edges [720 * rows, 4], rows of each y [32, 64], bits past an edge [n]."""
        return _tables()

    def packed(
        self, indices: Any, tables: tuple[Any, ...], take: Callable[[Any, Any], Any]
    ) -> Any:
        """Computes the bits of images, int64 [B, 64]: white past an odd edge."""
        edges, rows, past = tables
        sprite, x, y = indices // 1024, indices // 32 % 32, indices % 32
        row = take(rows, y) + sprite[:, np.newaxis] * _NUM_ROWS  # [B, 64]
        edge = take(edges, row) + 32 * x[:, np.newaxis, np.newaxis]  # [B, 64, 4]
        bits = take(past, edge)
        return bits[:, :, 0] ^ bits[:, :, 1] ^ bits[:, :, 2] ^ bits[:, :, 3]


@functools.cache
def _tables() -> tuple[np.ndarray, ...]:
    """The tables of `_SpriteImages` (20 MB), made in a quarter of a second."""
    edges = np.concatenate([_edges(outline) for outline in outlines()]) + _REACH
    rows = np.clip(_MIDPOINTS + _REACH, 0, _NUM_ROWS - 1)
    # Every edge of a sprite at x = 0, moved by every x: which pixels are past it?
    moved = np.arange(_NUM_ROWS + 32 * 31)[:, np.newaxis] - _REACH
    past = np.packbits(_MIDPOINTS[0] >= moved, axis=1).view(np.int64)[:, 0]
    tables = edges, rows, past
    for table in tables:
        table.setflags(write=False)
    return tables


def outlines() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices of square, ellipse and heart, float64 [V, 2]: (u, v) in pixels."""
    t = np.linspace(0, 2 * np.pi, _NUM_VERTICES, endpoint=False)
    square = 9.6 * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    ellipse = np.stack([12.77 * np.cos(t), 7.21 * np.sin(t)], axis=1)
    height = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    heart = np.stack([9.6 * np.sin(t) ** 3, -1.44 - 19.2 / 29 * height], axis=1)
    return square, ellipse, heart


def _edges(outline: np.ndarray) -> np.ndarray:
    """Where the rows of an outline's 240 sprites begin and end, [240 * rows, 4].

    An edge is given as the number of the first midpoint at or to the right of it. Edges
    that a row lacks are 0: there is an even number of them, so that they cancel.
    """
    u, v = outline.T
    scale = DSprites.factor_values["scale"][:, np.newaxis, np.newaxis]
    # The last angle is the first one, and gives the very same numbers.
    angle = (2 * np.pi * (np.arange(40) % 39) / 39)[:, np.newaxis]
    x = (scale * (np.cos(angle) * u - np.sin(angle) * v)).reshape(-1, len(u))
    y = (scale * (np.sin(angle) * u + np.cos(angle) * v)).reshape(-1, len(u))
    sides = np.stack([x, y, np.roll(x, -1, axis=1), np.roll(y, -1, axis=1)], axis=-1)

    # Each side of a polygon crosses the rows from `first` to before `last`.
    sprite = np.repeat(np.arange(len(x)), len(u))
    x0, y0, x1, y1 = sides.reshape(-1, 4).T
    first, last = np.sort([_first_at(y0), _first_at(y1)], axis=0)
    which = np.repeat(np.arange(len(first)), last - first)
    row = np.arange(len(which)) - np.repeat(
        np.cumsum(last - first) - last, last - first
    )
    height = (row - 0.5) / _FINE
    slope = (x1 - x0)[which] / (y1 - y0)[which]
    column = _first_at(x0[which] + (height - y0[which]) * slope)

    # Sorted along each row, crossing number k of a row goes into its place k.
    place = sprite[which] * _NUM_ROWS + row + _REACH
    order = np.lexsort([column, place])
    place, column = place[order], column[order]
    rank = np.arange(len(place)) - np.searchsorted(place, place)
    edges = np.zeros((len(x) * _NUM_ROWS, _NUM_EDGES), np.int64)
    edges[place, rank] = column
    return edges


def _first_at(value: np.ndarray) -> np.ndarray:
    """The number of the first midpoint at or past a distance in pixels."""
    return np.ceil(_FINE * value + 0.5).astype(np.int64)
