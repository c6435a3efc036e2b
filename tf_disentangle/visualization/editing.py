"""Image editing: encode images, set a latent, or go from one to another, and decode.

References:
    Dupont (2018), Learning Disentangled Joint Continuous and Discrete Representations,
    arXiv 1804.00104, section 4.3 and figure 8b.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tf_disentangle.checks import integer, require
from tf_disentangle.interfaces import CodeColumn, Decode, Encoder
from tf_disentangle.visualization.canvas import Picture, decoded, rgb
from tf_disentangle.visualization.grid import image_grid
from tf_disentangle.visualization.traversals import normal_quantiles, step_labels


def attribute_editing(
    encode: Encoder,
    decode: Decode,
    images: np.ndarray,
    latent: int,
    *,
    column: CodeColumn | None = None,
    values: Sequence[float] | None = None,
    title: str = "",
    scale: int | None = None,
) -> Picture:
    """Shows each image, its reconstruction, and edits of it by one latent.

    An edit encodes the image, sets the latent to a value, and decodes.

    Args:
        encode: Images [N, H, W, C] to codes [N, L].
        decode: Codes to images in [0, 1].
        images: uint8 [N, H, W, 1 or 3].
        latent: The latent that is set, in [0, L).
        column: What that latent is; None is continuous.
        values: What it is set to; None is all categories, or five quantiles of N(0, 1).
        title: Text above everything.
        scale: Integer factor; None makes small images readable.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ArgumentError: If there is no such latent, or images differ in size.
    """
    codes = np.asarray(encode(images), np.float32)
    integer(latent, "latent", at_least=0)
    require(latent < codes.shape[1], "latent", f"be below {codes.shape[1]}", latent)
    column = CodeColumn(f"z{latent}") if column is None else column
    count = column.num_values
    if values is None:
        values = list(normal_quantiles(5) if count is None else range(count))
    texts = step_labels(np.asarray(values)) if count is None else map(str, values)
    rows = [images, decode(codes)]
    for value in values:
        edited = codes.copy()
        edited[:, latent] = value
        rows.append(decode(edited))
    labels = [f"{column.name} = {text}" for text in texts]
    return image_grid(
        np.stack([rgb(np.asarray(row), "images") for row in rows], axis=1),
        title=title,
        column_labels=["original", "decoded", *labels],
        scale=scale,
    )


def interpolation(
    encode: Encoder,
    decode: Decode,
    first: np.ndarray,
    last: np.ndarray,
    *,
    num_steps: int = 7,
    columns: Sequence[CodeColumn] | None = None,
    title: str = "",
    scale: int | None = None,
) -> Picture:
    """Shows the way from one image to another through their codes, a row for each.

    Continuous latents go along a straight line; categorical ones, between whose values
    there is nothing, change half-way.

    Args:
        encode: Images [N, H, W, C] to codes [N, L].
        decode: Codes to images in [0, 1].
        first: uint8 [N, H, W, 1 or 3], where the rows begin.
        last: Of equal shape, where they end.
        num_steps: Decoded images of a row, at least 2, both ends among them.
        columns: What each latent is; None is all continuous.
        title: Text above everything.
        scale: Integer factor; None makes small images readable.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ArgumentError: If the two are not images of equal shape.
    """
    first, last = np.asarray(first), np.asarray(last)
    require(first.ndim == 4, "first", "have shape [N, H, W, C]", first.shape)
    fits = first.shape == last.shape
    require(fits, "last", f"have the shape of first, {first.shape}", last.shape)
    shares = np.linspace(0, 1, integer(num_steps, "num_steps", at_least=2))
    begin, end = (np.asarray(encode(x), np.float32) for x in (first, last))
    is_category = np.zeros(begin.shape[1], bool)
    if columns is not None:
        rule = f"have one entry per latent, {len(is_category)}"
        require(len(columns) == len(is_category), "columns", rule, len(columns))
        is_category = np.array([column.num_values is not None for column in columns])
    rows = [first]
    for share in shares:
        between = (1 - share) * begin + share * end
        between[:, is_category] = (begin if share < 0.5 else end)[:, is_category]
        rows.append(decoded(decode, between.astype(np.float32)))
    rows.append(last)
    return image_grid(
        np.stack([rgb(row, "images") for row in rows], axis=1),
        title=title,
        column_labels=["first", *(f"{share:.0%}" for share in shares), "last"],
        scale=scale,
    )
