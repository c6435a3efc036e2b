"""Matrices as colours: covariances, and which latent stands for which factor."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from tf_disentangle.checks import integer, require
from tf_disentangle.visualization.canvas import (
    FONT_SIZE,
    FRAME,
    draw_text,
    line_height,
    text_size,
)
from tf_disentangle.visualization.grid import Labels, Layout, image_grid, in_rows

# Blue below zero, red above, nearly white at zero: ColorBrewer's RdBu in 11 steps,
# which colour-blind readers can tell apart.
_DIVERGING = bytes.fromhex(
    "053061 2166ac 4393c3 92c5de d1e5f0 f7f7f7 fddbc7 f4a582 d6604d b2182b 67001f"
)
_PANEL_PIXELS = 180
_BAR_GAP, _BAR_WIDTH, _TICK_GAP = 10, 12, 5
_CELL_HEIGHT, _MIN_CELL_WIDTH, _GAP = 32, 68, 8
# Beyond it the red is so dark that black figures cannot be read.
_DARKEST = 0.6


def diverging(values: np.ndarray) -> np.ndarray:
    """Colours of values in [-1, 1], clipped to that range: uint8 [..., 3]."""
    colours = np.frombuffer(_DIVERGING, np.uint8).reshape(-1, 3)
    stops = np.linspace(-1, 1, len(colours))
    channels = [np.interp(values, stops, channel) for channel in colours.T]
    return np.round(np.stack(channels, axis=-1)).astype(np.uint8)


def covariances(
    matrices: Mapping[str, np.ndarray],
    *,
    num_columns: int = 4,
    title: str = "",
) -> np.ndarray:
    """Pictures covariance matrices side by side (figure 1 of the CHyVAE paper).

    Each panel has its own range, up to the largest magnitude on both sides of zero and
    written on its colour bar: a draw from an inverse Wishart with few degrees of
    freedom is heavy-tailed, and on a common range it would leave the others blank.

    Args:
        matrices: Label to symmetric matrix [p, p], one p for all.
        num_columns: Panels side by side, at least 1; more wrap.
        title: Text above everything.

    Raises:
        ArgumentError: If there is no matrix, or one is not finite and symmetric.

    References:
        Ansari and Soh (2019), Hyperprior Induced Unsupervised Disentanglement of Latent
        Representations, arXiv 1809.04497.
    """
    require(len(matrices) > 0, "matrices", "have at least one entry", dict(matrices))
    integer(num_columns, "num_columns", at_least=1)
    matrices = {label: _covariance(label, m) for label, m in matrices.items()}
    sizes = {len(matrix) for matrix in matrices.values()}
    require(len(sizes) == 1, "matrices", "be of one size", sizes)
    cell = max(1, _PANEL_PIXELS // sizes.pop())
    panels = [
        # An all-zero matrix has no range of its own: any will do.
        _heat_map(m, float(np.abs(m).max()) or 1.0, cell, label)
        for label, m in matrices.items()
    ]
    size = np.max([panel.shape[:2] for panel in panels], axis=0)
    page = np.full((len(panels), *size, 3), 255, np.uint8)
    for area, panel in zip(page, panels, strict=True):
        # From below, so that the cells stand in line under titles of several lines.
        area[size[0] - panel.shape[0] :, : panel.shape[1]] = panel
    tiles, present = in_rows(page, min(num_columns, len(panels)))
    return image_grid(tiles, title=title, scale=1, present=present, frame=False)


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
        title: Text above everything.

    Raises:
        ArgumentError: If the matrix or the names have another shape.
    """
    matrix = np.asarray(matrix, np.float64)
    is_matrix = matrix.ndim == 2 and matrix.size > 0
    require(is_matrix, "matrix", "have shape [L, K], neither 0", matrix.shape)
    if latent_names is None:
        latent_names = [f"z{d}" for d in range(len(matrix))]
    for names, count, argument in (
        (latent_names, matrix.shape[0], "latent_names"),
        (factor_names, matrix.shape[1], "factor_names"),
    ):
        rule = f"have one name for each of the {count}"
        require(len(names) == count, argument, rule, len(names))
    texts = [[_number(value) for value in row] for row in matrix]
    entries = itertools.chain(factor_names, *texts)
    width = max(text_size(text, FONT_SIZE)[0] for text in entries) + 2 * _GAP
    cell = (_CELL_HEIGHT, max(_MIN_CELL_WIDTH, width))
    shape = (*matrix.shape, *cell, 3)
    tiles = np.broadcast_to(cell_colours(matrix)[:, :, None, None], shape)
    labels = Labels(title, rows=latent_names, columns=factor_names)
    layout = Layout(matrix.shape, cell, labels, scale=1)
    page = Image.fromarray(layout.draw(tiles))
    for (d, k), _ in np.ndenumerate(matrix):
        ys, xs = layout.tile(d, k)
        top = (ys.start + ys.stop - line_height(FONT_SIZE)) / 2
        middle = (xs.start + xs.stop) / 2
        draw_text(page, middle, top, texts[d][k], FONT_SIZE, centre=True)
    return np.array(page)


def cell_colours(matrix: np.ndarray) -> np.ndarray:
    """Colours of the cells, uint8 [L, K, 3]; grey where a value is not finite."""
    finite = np.isfinite(matrix)
    largest = np.abs(matrix[finite]).max(initial=0.0)
    share = np.where(finite, matrix, 0.0) / (largest or 1.0)
    colours = diverging(_DARKEST * share)
    colours[~finite] = FRAME
    return colours


def _heat_map(matrix: np.ndarray, limit: float, cell: int, title: str) -> np.ndarray:
    """Pictures a matrix, colours from -limit to limit, beside a colour bar.

    Below the cells is half a line of text, and at the right room for ticks of any
    limit, so that panels of one matrix size have one height below their titles.
    """
    half = line_height(FONT_SIZE) // 2
    title_width, title_height = text_size(title, FONT_SIZE)
    top = title_height + half
    inner = diverging(matrix / limit).repeat(cell, axis=0).repeat(cell, axis=1)
    height, width = inner.shape[:2]
    bar_x = width + 2 + _BAR_GAP
    tick_x = bar_x + _BAR_WIDTH + _TICK_GAP
    # A title wider than the cells begins at the left edge, and widens the picture.
    title_x = 1 + max(title_width, width) / 2
    needed = max(tick_x + text_size("+8.88e+88", FONT_SIZE)[0], title_width + 2)
    page = Image.new("RGB", (needed, top + height + half + 1), "white")
    draw_text(page, title_x, 0, title, FONT_SIZE, centre=True)
    for value, y in ((limit, 0), (0, height / 2), (-limit, height)):
        text = f"{value:+.3g}" if value else "0"
        draw_text(page, tick_x, top - half + y, text, FONT_SIZE)
    pixels = np.array(page)
    pixels[top - 1 : top + height + 1, : width + 2] = FRAME
    pixels[top : top + height, 1 : width + 1] = inner
    pixels[top - 1 : top + height + 1, bar_x - 1 : bar_x + _BAR_WIDTH + 1] = FRAME
    ramp = diverging(np.linspace(1, -1, height))[:, np.newaxis]
    pixels[top : top + height, bar_x : bar_x + _BAR_WIDTH] = ramp
    return pixels


def _covariance(label: str, matrix: np.ndarray) -> np.ndarray:
    """Returns the matrix as float64 if it can be a covariance."""
    matrix = np.asarray(matrix, np.float64)
    name = f"matrices[{label!r}]"
    square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1] > 0
    require(square, name, "have shape [p, p]", matrix.shape)
    require(np.isfinite(matrix).all(), name, "be finite", matrix)
    size = np.abs(matrix).max()
    symmetric = np.allclose(matrix, matrix.T, rtol=0, atol=1e-4 * size)
    require(symmetric, name, "be symmetric", matrix)
    return matrix


def _number(value: float) -> str:
    """A value with two digits after the point; counts without a point."""
    if not np.isfinite(value):
        return "-"
    return f"{value:.0f}" if value.is_integer() or abs(value) >= 100 else f"{value:.2f}"
