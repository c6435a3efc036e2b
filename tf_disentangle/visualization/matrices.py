"""Matrices as colours: covariances, and which latent stands for which factor."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tf_disentangle.checks import integer, require
from tf_disentangle.visualization.charts import (
    INK,
    readable,
    style,
    subplots,
    without_frame,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Blue below zero, red above, nearly white at zero: ColorBrewer's, which colour-blind
# readers can tell apart.
_DIVERGING = "RdBu_r"
# Beyond it, the red is so dark that black numbers cannot be read.
_DARKEST = 0.6


def covariances(
    matrices: Mapping[str, np.ndarray],
    *,
    num_columns: int = 4,
    title: str = "",
) -> Figure:
    """Shows covariance matrices side by side (figure 1 of the CHyVAE paper).

    Each panel has its own range, up to the largest magnitude on both sides of zero and
    written on its colour bar: a draw from an inverse Wishart with few degrees of
    freedom is heavy-tailed, and on a common range it would leave the others blank.

    Args:
        matrices: Label to symmetric matrix [p, p], one p for all.
        num_columns: Panels side by side, at least 1; more wrap.
        title: Text above everything.

    Returns:
        A matplotlib figure.

    Raises:
        ArgumentError: If there is no matrix, or one is not finite and symmetric.

    References:
        Ansari and Soh (2019), Hyperprior Induced Unsupervised Disentanglement of Latent
        Representations, arXiv 1809.04497.
    """
    count = len(matrices)
    require(count > 0, "matrices", "have at least one entry", dict(matrices))
    matrices = {label: _covariance(label, m) for label, m in matrices.items()}
    sizes = {len(matrix) for matrix in matrices.values()}
    require(len(sizes) == 1, "matrices", "be of one size", sizes)
    columns = min(integer(num_columns, "num_columns", at_least=1), count)
    with style():
        figure, grid = subplots(math.ceil(count / columns), columns, (1.9, 1.6), title)
        for axes in grid.flat[count:]:
            axes.set_visible(False)
        for axes, (label, matrix) in zip(grid.flat, matrices.items(), strict=False):
            # An all-zero matrix has no range of its own: any will do.
            limit = float(np.abs(matrix).max()) or 1.0
            image = axes.imshow(matrix, cmap=_DIVERGING, vmin=-limit, vmax=limit)
            axes.set_title(label)
            without_frame(axes)
            bar = figure.colorbar(image, ax=axes, shrink=0.85)
            ends = [-limit, 0.0, limit]
            bar.set_ticks(ends, labels=[readable(end) for end in ends])
    return figure


def latent_factor_matrix(
    matrix: np.ndarray,
    *,
    factor_names: Sequence[str],
    latent_names: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """Shows a matrix of latents and factors with its values written into it.

    Colours go from white at 0 to red at the largest magnitude, blue below 0; an entry
    that is not finite is left grey. A disentangled code has one red cell in each row
    that is used.

    Args:
        matrix: [L, K]: mutual information, importance, votes.
        factor_names: The K names, above the columns.
        latent_names: The L names, left of the rows; None is z0, z1, ...
        title: Text above everything.

    Returns:
        A matplotlib figure.

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
    num_latents, num_factors = matrix.shape
    finite = np.isfinite(matrix)
    limit = (np.abs(matrix[finite]).max(initial=0.0) or 1.0) / _DARKEST
    width = max(0.62, 0.07 * max(map(len, factor_names)) + 0.15)
    size = (width * num_factors + 0.6, 0.26 * num_latents + 0.45)
    with style():
        figure, ((axes,),) = subplots(1, 1, size, title)
        axes.set_facecolor("#b9b9b9")
        axes.imshow(
            np.ma.masked_array(matrix, ~finite),
            cmap=_DIVERGING,
            vmin=-limit,
            vmax=limit,
            aspect="auto",
        )
        for (d, k), value in np.ndenumerate(matrix):
            axes.text(k, d, _number(value), ha="center", va="center", color=INK)
        axes.set_xticks(range(num_factors), factor_names)
        axes.set_yticks(range(num_latents), latent_names)
        axes.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
        # White lines between the cells.
        axes.set_xticks(np.arange(num_factors - 1) + 0.5, minor=True)
        axes.set_yticks(np.arange(num_latents - 1) + 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=2)
        axes.tick_params(which="minor", length=0)
        axes.spines[:].set_visible(False)
    return figure


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
