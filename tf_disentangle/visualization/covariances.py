"""Covariance matrices as heat maps: what an inverse-Wishart prior allows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tf_disentangle.checks import integer, real, require
from tf_disentangle.visualization.grid import in_rows, sheet
from tf_disentangle.visualization.heatmap import heat_map

_PANEL_PIXELS = 180


def covariances(
    matrices: Mapping[str, np.ndarray],
    *,
    limit: float | None = None,
    num_columns: int = 4,
    title: str = "",
) -> np.ndarray:
    """Pictures covariance matrices side by side (figure 1 of the CHyVAE paper).

    Each panel has its own range, symmetric about zero and written on its colour bar: a
    draw from an inverse Wishart with few degrees of freedom is heavy-tailed, and on a
    common range it would leave the others blank.

    Args:
        matrices: Label to symmetric matrix [p, p], one p for all.
        limit: One range (-limit, limit) for all panels; None gives each its own, its
            largest magnitude.
        num_columns: Panels side by side, at least 1; more wrap.
        title: Above everything.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ArgumentError: If there is no matrix, or one is not finite and symmetric.

    References:
        Ansari and Soh (2019), Hyperprior Induced Unsupervised Disentanglement of Latent
        Representations, arXiv 1809.04497.
    """
    require(len(matrices) > 0, "matrices", "have at least one entry", dict(matrices))
    integer(num_columns, "num_columns", at_least=1)
    if limit is not None:
        real(limit, "limit", above=0.0)
    checked = {label: _covariance(label, m) for label, m in matrices.items()}
    sizes = {len(matrix) for matrix in checked.values()}
    require(len(sizes) == 1, "matrices", "be of one size", sizes)
    cell = max(1, _PANEL_PIXELS // sizes.pop())
    panels = [
        # An all-zero matrix has no range of its own: any will do.
        heat_map(m, limit=limit or float(np.abs(m).max()) or 1.0, cell=cell, title=name)
        for name, m in checked.items()
    ]
    size = np.max([panel.shape[:2] for panel in panels], axis=0)
    page = np.full((len(panels), *size, 3), 255, np.uint8)
    for place, panel in zip(page, panels, strict=True):
        # From below, so that the cells stand in line under titles of several lines.
        place[size[0] - panel.shape[0] :, : panel.shape[1]] = panel
    tiles, present = in_rows(page, min(num_columns, len(panels)))
    return sheet(tiles, title=title, scale=1, present=present, frame=False)


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
