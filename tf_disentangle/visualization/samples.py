"""Groups of decoded samples side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from tf_disentangle.checks import integer, require
from tf_disentangle.visualization.canvas import rgb
from tf_disentangle.visualization.grid import in_rows, sheet


def samples(
    groups: Mapping[str, np.ndarray],
    *,
    num_columns: int = 6,
    title: str = "",
    scale: int | None = None,
) -> np.ndarray:
    """Pictures samples under the name of where their codes came from.

    CHyVAE is the occasion: codes from the hierarchical prior, Sigma ~ IW(Psi, nu) and
    z ~ N(0, Sigma), beside codes from N(0, I).

    Args:
        groups: Label to images [N, H, W, 1 or 3], uint8 or float in [0, 1]; one H, W
            for all, N may differ.
        num_columns: Columns of each group, at least 1.
        title: Above everything.
        scale: Integer factor; None makes small images readable.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ArgumentError: If there is no group or the images differ in size.

    References:
        Ansari and Soh (2019), Hyperprior Induced Unsupervised Disentanglement of Latent
        Representations, arXiv 1809.04497.
    """
    require(len(groups) > 0, "groups", "have at least one entry", dict(groups))
    integer(num_columns, "num_columns", at_least=1)
    images = {label: np.asarray(group) for label, group in groups.items()}
    for label, group in images.items():
        name = f"groups[{label!r}]"
        require(group.ndim == 4, name, "have shape [N, H, W, C]", group.shape)
    sizes = {group.shape[1:3] for group in images.values()}
    require(len(sizes) == 1, "groups", "hold images of one height and width", sizes)
    blocks = [
        in_rows(rgb(group, f"groups[{label!r}]"), min(num_columns, len(group)))
        for label, group in images.items()
    ]
    num_rows = max(len(tiles) for tiles, _ in blocks)

    def beside(arrays: Iterable[np.ndarray]) -> np.ndarray:
        """Joins blocks of unequal numbers of rows."""
        return np.concatenate(
            [
                np.pad(a, [(0, num_rows - len(a))] + [(0, 0)] * (a.ndim - 1))
                for a in arrays
            ],
            axis=1,
        )

    return sheet(
        beside(tiles for tiles, _ in blocks),
        title=title,
        column_groups=[
            (label, tiles.shape[1])
            for label, (tiles, _) in zip(images, blocks, strict=True)
        ],
        present=beside(present for _, present in blocks),
        scale=scale,
    )
