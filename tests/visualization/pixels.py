"""Finds tiles in pictures without asking the layout where it put them."""

from __future__ import annotations

import numpy as np


def enlarged(image, scale):
    """uint8 [H, W, 1 or 3] as it must stand in a picture."""
    image = np.broadcast_to(image, (*image.shape[:2], 3))
    return np.kron(image, np.ones((scale, scale, 1), np.uint8))


def places(picture, tile):
    """All (y, x) where `tile` [h, w, 3] stands in `picture`."""
    height, width = tile.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(picture, (width, 3), (1, 2))
    # Rows first: few places match the tile's first row.
    found = np.argwhere((windows[:, :, 0] == tile[0]).all(axis=(2, 3)))
    return [
        (int(y), int(x))
        for y, x in found
        if np.array_equal(picture[y : y + height, x : x + width], tile)
    ]


def place(picture, tile):
    """The one place of a tile."""
    found = places(picture, tile)
    assert len(found) == 1, found
    return found[0]


def noise(*shape, seed=0):
    """Random uint8, so that no two tiles are alike."""
    return np.random.default_rng(seed).integers(256, size=shape, dtype=np.uint8)


def margins_are_white(picture, width=8):
    """Whether nothing reaches the edge: no text is clipped."""
    edges = (picture[:width], picture[-width:], picture[:, :width], picture[:, -width:])
    return all(np.all(edge == 255) for edge in edges)
