"""Decoded images: reconstructions, samples of priors side by side and by category.

References:
    Ansari and Soh (2019), Hyperprior Induced Unsupervised Disentanglement of Latent
    Representations, arXiv 1809.04497.
    Dupont (2018), Learning Disentangled Joint Continuous and Discrete Representations,
    arXiv 1804.00104, figure 4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tf_disentangle.checks import integer, require
from tf_disentangle.interfaces import CodeColumn, Decode
from tf_disentangle.visualization.canvas import Picture, decoded, rgb
from tf_disentangle.visualization.grid import image_grid, in_rows


def reconstructions(
    images: np.ndarray,
    reconstructed: np.ndarray,
    *,
    label: str = "reconstruction",
    num_columns: int = 8,
    title: str = "",
    scale: int | None = None,
) -> Picture:
    """Shows each image with its reconstruction right below it.

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


def samples(
    groups: Mapping[str, np.ndarray],
    *,
    num_columns: int = 6,
    title: str = "",
    scale: int | None = None,
) -> Picture:
    """Shows samples under the name of the distribution of their codes.

    For CHyVAE these are the hierarchical prior, Sigma ~ IW(Psi, nu) and z ~ N(0,
    Sigma), beside N(0, I).

    Args:
        groups: Label to images [N, H, W, 1 or 3], uint8 or float in [0, 1]; one H, W
            for all, N may differ.
        num_columns: Columns of each group, at least 1.
        title: Text above everything.
        scale: Integer factor; None makes small images readable.

    Raises:
        ArgumentError: If there is no group or the images differ in size.
    """
    require(len(groups) > 0, "groups", "have at least one entry", dict(groups))
    integer(num_columns, "num_columns", at_least=1)
    images = {label: np.asarray(group) for label, group in groups.items()}
    for label, group in images.items():
        name = f"groups[{label!r}]"
        require(group.ndim == 4, name, "have shape [N, H, W, C]", group.shape)
    sizes = {group.shape[1:3] for group in images.values()}
    require(len(sizes) == 1, "groups", "hold images of one height and width", sizes)
    widths = [min(num_columns, len(group)) for group in images.values()]
    pairs = zip(images.values(), widths, strict=True)
    num_rows = max(math.ceil(len(group) / width) for group, width in pairs)
    blocks = [
        in_rows(rgb(group, f"groups[{label!r}]"), width, num_rows)
        for (label, group), width in zip(images.items(), widths, strict=True)
    ]
    tiles, present = (np.concatenate(x, axis=1) for x in zip(*blocks, strict=True))
    return image_grid(
        tiles,
        title=title,
        column_groups=list(zip(images, widths, strict=True)),
        present=present,
        scale=scale,
    )


def samples_by_category(
    decode: Decode,
    codes: np.ndarray,
    latent: int,
    columns: Sequence[CodeColumn],
    *,
    title: str = "",
    scale: int | None = None,
) -> Picture:
    """Shows one row per category of a latent, one column per code.

    Column j decodes code j with the one latent replaced by each category in turn, so
    that what differs within a column is due to the category, and what the images of a
    row have in common is what the category stands for.

    Args:
        decode: Codes [B, L] to images [B, H, W, 1 or 3] in [0, 1].
        codes: [N, L], such as draws from the prior.
        latent: The categorical latent, in [0, L).
        columns: What each latent is.
        title: Text above everything.
        scale: Integer factor; None makes small images readable.

    Raises:
        ArgumentError: If the latent is not categorical, or shapes do not fit.
    """
    codes = np.asarray(codes, np.float32)
    fits = codes.ndim == 2 and len(codes) and codes.shape[1] == len(columns)
    require(fits, "codes", f"have shape [N, {len(columns)}]", codes.shape)
    integer(latent, "latent", at_least=0)
    require(latent < len(columns), "latent", f"be below {len(columns)}", latent)
    column, count = columns[latent], columns[latent].num_values
    fits = column.kind == "categorical" and count is not None
    rule = "be a categorical one, with num_values in its column"
    require(fits, "latent", rule, column.name, "Continuous latents are for traversals.")
    repeated = np.tile(codes, (count, 1))
    repeated[:, latent] = np.repeat(np.arange(count), len(codes))
    images = rgb(decoded(decode, repeated), "decode(codes)")
    return image_grid(
        images.reshape(count, len(codes), *images.shape[1:]),
        title=title,
        row_labels=[f"{column.name} = {value}" for value in range(count)],
        scale=scale,
    )
