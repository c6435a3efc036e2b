"""How much each latent changes the image: which latents the decoder uses at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tf_disentangle.checks import require
from tf_disentangle.interfaces import CodeColumn, Decode
from tf_disentangle.visualization.canvas import decoded
from tf_disentangle.visualization.traversals import code_quantiles

_MIN_SHARE, _MIN_MOVEMENT = 0.05, 0.1 / 255


def movement(
    decode: Decode, codes: np.ndarray, values: Sequence[np.ndarray] | np.ndarray
) -> np.ndarray:
    """Measures how much the image changes when one latent is traversed.

    Along a traversal every value of every pixel has a range, its largest minus its
    smallest value. The movement of a latent is the mean of these ranges over the
    pixels and over the codes where the traversals start. Unlike the KL or the variance
    of a latent it depends on the decoder: a latent that is encoded and never decoded
    has movement 0.

    Args:
        decode: Codes [B, L] to images [B, H, W, C], uint8 or float in [0, 1].
        codes: [N, L], where the traversals start from.
        values: For each of the L latents the values that it takes, [S_l], as
            `occurring_values` gives them. Over a fixed range a decoder also answers to
            latents that the encoder never uses; over the values that occur it does not.

    Returns:
        float64 [L] in [0, 1]; times 255 in grey levels.

    Raises:
        ArgumentError: If the shapes do not fit.
    """
    codes = np.asarray(codes, np.float32)
    good = codes.ndim == 2 and codes.size > 0
    require(good, "codes", "have shape [N, L], neither 0", codes.shape)
    rule = f"have one entry per latent, {codes.shape[1]}"
    require(len(values) == codes.shape[1], "values", rule, len(values))
    result = np.zeros(len(values))
    for latent, own_values in enumerate(values):
        lowest, highest = np.inf, -np.inf
        for value in own_values:
            moved = codes.copy()
            moved[:, latent] = value
            images = decoded(decode, moved)
            if images.dtype == np.uint8:
                images = images / 255.0
            lowest, highest = np.minimum(lowest, images), np.maximum(highest, images)
        result[latent] = np.mean(highest - lowest, dtype=np.float64)
    return result


def occurring_values(
    codes: np.ndarray, columns: Sequence[CodeColumn], num_steps: int = 5
) -> list[np.ndarray]:
    """Returns the values that each latent takes in the codes of many images.

    Of a continuous latent these are even steps over `code_quantiles`, of a categorical
    one the categories that occur.

    Args:
        codes: [N, L].
        columns: What each of the L latents is.
        num_steps: Steps of a continuous latent, at least 2.
    """
    steps = code_quantiles(codes, num_steps)
    return [
        np.unique(codes[:, d]) if column.kind == "categorical" else steps[d]
        for d, column in enumerate(columns)
    ]


def moves_image(movement: np.ndarray) -> np.ndarray:
    """Tells which latents move the image, given the `movement` of all: bool [L].

    A latent does not if its movement is below a twentieth of the largest one, or below
    0.1 grey levels: two pixels of 64 x 64 that turn from black to white contribute
    0.12. Over the values that occur, the six collapsed latents of a beta-VAE (KL below
    0.01 nats) had at most 0.5% of the largest movement; the weakest latent of one
    without collapsed latents (KL 0.35) had 12%.
    """
    movement = np.asarray(movement, np.float64)
    return movement >= max(_MIN_MOVEMENT, _MIN_SHARE * movement.max(initial=0.0))
