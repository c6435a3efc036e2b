"""Which latent stands for which factor: a matrix of both as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from tf_disentangle.checks import require
from tf_disentangle.visualization.canvas import (
    FRAME,
    blank,
    draw_text,
    line_height,
    text_size,
)
from tf_disentangle.visualization.heatmap import diverging

_FONT = 14
_MARGIN, _GAP = 8, 6
# Cells are as wide as a number needs, and as a name of a factor.
_CELL_HEIGHT = 26
_LEAST_WIDTH = 58
# Beyond it the red is so dark that black figures would not be read.
_DARKEST = 0.6


def latent_factor_matrix(
    matrix: np.ndarray,
    *,
    factor_names: Sequence[str],
    latent_names: Sequence[str] | None = None,
    title: str = "",
) -> np.ndarray:
    """Pictures a matrix of latents and factors with its values written into it.

    Colours go from white at 0 to red at the largest magnitude, blue below 0; an entry
    that is not finite is left grey. A disentangled code has one red cell in each row
    that is used.

    Args:
        matrix: [L, K]: mutual information, importance, votes.
        factor_names: The K names, above the columns.
        latent_names: The L names, left of the rows; None is z0, z1, ...
        title: Above everything.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ArgumentError: If the matrix or the names have another shape.
    """
    matrix = np.asarray(matrix, np.float64)
    good = matrix.ndim == 2 and matrix.size > 0
    require(good, "matrix", "have shape [L, K], neither 0", matrix.shape)
    rows = [f"z{d}" for d in range(len(matrix))]
    rows = rows if latent_names is None else list(latent_names)
    for names, count, argument in (
        (rows, matrix.shape[0], "latent_names"),
        (factor_names, matrix.shape[1], "factor_names"),
    ):
        rule = f"have one name for each of the {count}"
        require(len(names) == count, argument, rule, len(names))
    texts = [[_figure(value) for value in row] for row in matrix]
    widest = [*factor_names, *(text for row in texts for text in row)]
    cell = max(_LEAST_WIDTH, *(text_size(text, _FONT)[0] + 2 * _GAP for text in widest))
    left = _MARGIN + max(text_size(name, _FONT)[0] for name in rows) + _GAP
    line = line_height(_FONT)
    top = _MARGIN + (text_size(title, _FONT)[1] + _GAP if title else 0) + line + _GAP
    height, width = _CELL_HEIGHT * len(rows), cell * matrix.shape[1]
    room = max(left + width + 1, _MARGIN + text_size(title, _FONT)[0])
    pixels = np.array(blank(top + height + 1 + _MARGIN, room + _MARGIN))
    pixels[top - 1 : top + height + 1, left - 1 : left + width + 1] = FRAME
    colours = cell_colours(matrix)
    pixels[top : top + height, left : left + width] = colours.repeat(
        _CELL_HEIGHT, axis=0
    ).repeat(cell, axis=1)
    page = Image.fromarray(pixels)
    draw_text(page, _MARGIN, _MARGIN, title, _FONT)
    inset = (_CELL_HEIGHT - line) / 2
    for k, name in enumerate(factor_names):
        middle = left + (k + 0.5) * cell
        draw_text(page, middle, top - line - _GAP / 2, name, _FONT, centre=True)
        for d, row in enumerate(texts):
            y = top + d * _CELL_HEIGHT + inset
            draw_text(page, middle, y, row[k], _FONT, centre=True)
    for d, name in enumerate(rows):
        draw_text(page, _MARGIN, top + d * _CELL_HEIGHT + inset, name, _FONT)
    return np.array(page)


def cell_colours(matrix: np.ndarray) -> np.ndarray:
    """Colours of the cells, uint8 [L, K, 3]; grey where a value is not finite."""
    finite = np.isfinite(matrix)
    largest = np.abs(matrix[finite]).max(initial=0.0)
    share = np.where(finite, matrix, 0.0) / (largest or 1.0)
    colours = diverging(_DARKEST * share)
    colours[~finite] = FRAME
    return colours


def _figure(value: float) -> str:
    """A value with two digits after the point; counts without a point."""
    if not np.isfinite(value):
        return "-"
    return f"{value:.0f}" if value.is_integer() or abs(value) >= 100 else f"{value:.2f}"
