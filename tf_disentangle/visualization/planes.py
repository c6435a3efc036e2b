"""Two latents at once: a plane of continuous ones, categories against a moving one.

References:
    Kingma and Welling (2014), Auto-Encoding Variational Bayes, arXiv 1312.6114, whose
    figure 4 is the plane of a two-dimensional code.
    Dupont (2018), Learning Disentangled Joint Continuous and Discrete Representations,
    arXiv 1804.00104, whose figures 2, 4c and 5 have a row for each category and move a
    continuous latent along it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tf_disentangle.checks import integer, require
from tf_disentangle.interfaces import CodeColumn, Decode
from tf_disentangle.visualization.canvas import Picture, decoded, rgb
from tf_disentangle.visualization.grid import image_grid
from tf_disentangle.visualization.traversals import step_labels

_LIMITS, _NUM_STEPS = (-2.0, 2.0), 7


def plane(
    decode: Decode,
    code: np.ndarray,
    across: int,
    down: int,
    *,
    values: np.ndarray | Sequence[float] | None = None,
    columns: Sequence[CodeColumn] | None = None,
    title: str = "",
    scale: int | None = None,
) -> Picture:
    """Shows every pair of values of two latents; all others stay fixed.

    Continuous values grow to the right and upwards, as on a map. The n values of a
    categorical latent come in their order, from left to right and downwards: with such
    a latent down and a continuous one across, each row shows what one category looks
    like while the continuous latent moves.

    Args:
        decode: Codes [B, L] to images [B, H, W, 1 or 3] in [0, 1].
        code: [L], which gives the other latents their values.
        across: The latent that moves along a row, in [0, L).
        down: The latent that differs from row to row, another one.
        values: Steps of the continuous latents, [S] or [L, S]; None is seven from -2 to
            2.
        columns: What each latent is; None for continuous latents z0, z1, ...
        title: Text above everything.
        scale: Integer factor; None makes small images readable.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ArgumentError: If there are no such two latents, or shapes do not fit.
    """
    code = np.asarray(code, np.float32)
    require(code.ndim == 1 and code.size, "code", "have shape [L]", code.shape)
    if columns is None:
        columns = [CodeColumn(f"z{latent}") for latent in range(len(code))]
    rule = f"have one entry per latent, {len(code)}"
    require(len(columns) == len(code), "columns", rule, len(columns))
    for name, latent in (("across", across), ("down", down)):
        integer(latent, name, at_least=0)
        require(latent < len(code), name, f"be below {len(code)}", latent)
    require(across != down, "down", "be another latent than across", down)
    if values is None:
        values = np.linspace(*_LIMITS, _NUM_STEPS)
    steps = np.asarray(values, np.float64)
    fits = steps.ndim == 1 or (steps.ndim == 2 and len(steps) == len(code))
    require(fits, "values", f"have shape [S] or [{len(code)}, S]", steps.shape)
    right, right_labels = _moves(columns[across], steps, across)
    below, below_labels = _moves(columns[down], steps, down)
    if columns[down].num_values is None:
        below, below_labels = below[::-1], below_labels[::-1]
    codes = np.tile(code, (len(below), len(right), 1))
    codes[:, :, across] = right
    codes[:, :, down] = below[:, np.newaxis]
    images = rgb(decoded(decode, codes.reshape(-1, len(code))), "decode(codes)")
    return image_grid(
        images.reshape(len(below), len(right), *images.shape[1:]),
        title=title,
        column_labels=right_labels,
        column_groups=[(columns[across].name, len(right))],
        row_labels=[f"{columns[down].name} = {text}" for text in below_labels],
        scale=scale,
    )


def _moves(
    column: CodeColumn, steps: np.ndarray, latent: int
) -> tuple[np.ndarray, list[str]]:
    """Returns the values that a latent takes, and their labels."""
    if column.num_values is not None:
        categories = np.arange(column.num_values)
        return categories, [str(value) for value in categories]
    own = steps if steps.ndim == 1 else steps[latent]
    return own, step_labels(own)
