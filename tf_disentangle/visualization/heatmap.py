"""A matrix as colours with its own colour bar."""

from __future__ import annotations

import numpy as np

from tf_disentangle.checks import integer, real, require
from tf_disentangle.visualization.canvas import (
    FRAME,
    blank,
    draw_text,
    line_height,
    text_size,
)

# Blue below zero, red above, nearly white at zero: ColorBrewer's RdBu in 11 steps,
# which colour-blind readers can tell apart.
_DIVERGING = np.array(
    [
        (0x05, 0x30, 0x61),
        (0x21, 0x66, 0xAC),
        (0x43, 0x93, 0xC3),
        (0x92, 0xC5, 0xDE),
        (0xD1, 0xE5, 0xF0),
        (0xF7, 0xF7, 0xF7),
        (0xFD, 0xDB, 0xC7),
        (0xF4, 0xA5, 0x82),
        (0xD6, 0x60, 0x4D),
        (0xB2, 0x18, 0x2B),
        (0x67, 0x00, 0x1F),
    ],
    np.float64,
)
_BAR_GAP, _BAR_WIDTH, _TICK_GAP = 10, 12, 5


def diverging(values: np.ndarray) -> np.ndarray:
    """Colours of values in [-1, 1], clipped there: uint8 [..., 3]."""
    stops = np.linspace(-1, 1, len(_DIVERGING))
    channels = [np.interp(values, stops, _DIVERGING[:, c]) for c in range(3)]
    return np.round(np.stack(channels, axis=-1)).astype(np.uint8)


def heat_map(
    matrix: np.ndarray, *, limit: float, cell: int, title: str = "", font_size: int = 14
) -> np.ndarray:
    """Pictures a matrix, colours from -limit to limit, beside a colour bar.

    Args:
        matrix: Finite [R, C]; entry (0, 0) is at the top left.
        limit: What the strongest colours stand for, greater than 0.
        cell: Pixels per entry, at least 1.
        title: Centred above the cells.
        font_size: Of the title; the ticks of the bar are a little smaller.

    Returns:
        uint8 [height, width, 3], with half a line of text below the cells, and room for
        ticks of any limit at the right.

    Raises:
        ArgumentError: If the matrix is not a finite matrix or a number breaks its rule.
    """
    matrix = np.asarray(matrix, np.float64)
    good = matrix.ndim == 2 and matrix.size > 0 and np.isfinite(matrix).all()
    require(good, "matrix", "be finite, of shape [R, C]", matrix)
    real(limit, "limit", above=0.0)
    integer(cell, "cell", at_least=1)
    tick_size = font_size - 2
    half = line_height(tick_size) // 2
    title_width, title_height = text_size(title, font_size)
    top = title_height + half
    inner = diverging(matrix / limit).repeat(cell, axis=0).repeat(cell, axis=1)
    height, width = inner.shape[:2]
    bar_x = width + 2 + _BAR_GAP
    tick_x = bar_x + _BAR_WIDTH + _TICK_GAP
    # A title wider than the cells begins at the left edge, and widens the picture.
    title_x = 1 + max(title_width, width) / 2
    room = max(tick_x + text_size("+8.88e+88", tick_size)[0], title_width + 2)
    page = blank(top + height + half + 1, room)
    draw_text(page, title_x, 0, title, font_size, centre=True)
    for value, y in ((limit, 0), (0, height / 2), (-limit, height)):
        text = f"{value:+.3g}" if value else "0"
        draw_text(page, tick_x, top - half + y, text, tick_size)
    pixels = np.array(page)
    pixels[top - 1 : top + height + 1, : width + 2] = FRAME
    pixels[top : top + height, 1 : width + 1] = inner
    pixels[top - 1 : top + height + 1, bar_x - 1 : bar_x + _BAR_WIDTH + 1] = FRAME
    ramp = diverging(np.linspace(1, -1, height))[:, np.newaxis]
    pixels[top : top + height, bar_x : bar_x + _BAR_WIDTH] = ramp
    return pixels
