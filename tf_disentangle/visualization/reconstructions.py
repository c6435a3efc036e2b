"""Images beside their reconstructions."""

from __future__ import annotations

import numpy as np

from tf_disentangle.checks import integer, require
from tf_disentangle.visualization.canvas import rgb
from tf_disentangle.visualization.grid import image_grid, in_rows


def reconstructions(
    images: np.ndarray,
    reconstructed: np.ndarray,
    *,
    label: str = "reconstruction",
    num_columns: int = 8,
    title: str = "",
    scale: int | None = None,
) -> np.ndarray:
    """Pictures each image with its reconstruction right below it.

    Args:
        images: The originals, [N, H, W, 1 or 3], uint8 or float in [0, 1].
        reconstructed: Of equal shape, uint8 or float in [0, 1].
        label: Text beside the rows of the reconstructions.
        num_columns: Pairs side by side, at least 1; more wrap into further bands.
        title: Text above everything.
        scale: Integer factor; None makes small images readable.

    Raises:
        ArgumentError: If the two are not images of equal shape.
    """
    images, reconstructed = np.asarray(images), np.asarray(reconstructed)
    require(images.ndim == 4, "images", "have shape [N, H, W, C]", images.shape)
    fits, rule = images.shape == reconstructed.shape, "have the shape of images"
    require(fits, "reconstructed", f"{rule}, {images.shape}", reconstructed.shape)
    num_columns = min(integer(num_columns, "num_columns", at_least=1), len(images))
    above, present = in_rows(rgb(images, "images"), num_columns)
    below, _ = in_rows(rgb(reconstructed, "reconstructed"), num_columns)
    pairs = np.stack([above, below], axis=1).reshape(-1, *above.shape[1:])
    return image_grid(
        pairs,
        title=title,
        row_labels=["original", label] * len(above),
        row_groups=[2] * len(above),
        present=present.repeat(2, axis=0),
        scale=scale,
    )
