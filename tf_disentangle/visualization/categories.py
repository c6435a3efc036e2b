"""Samples by category: a categorical latent is fixed, the others are drawn.

References:
    Dupont (2018), Learning Disentangled Joint Continuous and Discrete Representations,
    arXiv 1804.00104, figure 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tf_disentangle.checks import integer, require
from tf_disentangle.interfaces import CodeColumn, Decode
from tf_disentangle.visualization.canvas import rgb
from tf_disentangle.visualization.grid import sheet


def samples_by_category(
    decode: Decode,
    codes: np.ndarray,
    latent: int,
    columns: Sequence[CodeColumn],
    *,
    title: str = "",
    scale: int | None = None,
) -> np.ndarray:
    """Pictures one row per category of a latent, one column per code.

    In column j all is as in code j but for the one latent, so that what differs within
    a column is the category, and what a row has in common is what it stands for.

    Args:
        decode: Codes [B, L] to images [B, H, W, 1 or 3] in [0, 1].
        codes: [N, L], such as draws from the prior.
        latent: The categorical latent, in [0, L).
        columns: What each latent is.
        title: Above everything.
        scale: Integer factor; None makes small images readable.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ArgumentError: If the latent is not categorical, or shapes do not fit.
    """
    codes = np.asarray(codes, np.float32)
    ok = codes.ndim == 2 and len(codes) and codes.shape[1] == len(columns)
    require(ok, "codes", f"have shape [N, {len(columns)}]", codes.shape)
    integer(latent, "latent", at_least=0)
    require(latent < len(columns), "latent", f"be below {len(columns)}", latent)
    column = columns[latent]
    require(
        column.kind == "categorical" and column.num_values is not None,
        "latent",
        "be a categorical one, with num_values in its column",
        column.name,
        "Continuous latents are for traversals.",
    )
    count = column.num_values
    every = np.tile(codes, (count, 1))
    every[:, latent] = np.repeat(np.arange(count), len(codes))
    images = rgb(np.asarray(decode(every)), "decode(codes)")
    return sheet(
        images.reshape(count, len(codes), *images.shape[1:]),
        title=title,
        row_labels=[f"{column.name} = {value}" for value in range(count)],
        scale=scale,
    )
