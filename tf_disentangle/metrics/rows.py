"""Rows of a table: that they fit each other, and their train and test part."""

from __future__ import annotations

import numpy as np

from tf_disentangle.checks import integer, require

#: What a protocol's name adds where a table's rows are split by the seed.
ROWS_SPLIT = ", rows split 2:1"

# The stream of the split; a metric's draws begin at the seed itself.
_SPLIT_STREAM = 20_161

# As many latents as that, and more than rows, are taken for images.
_MANY_LATENTS, _LATENTS_PER_ROW = 100, 10


def split_rows(groups: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Splits rows into two thirds and one third, at random by the seed.

    Args:
        groups: int [N]; rows of one number stay together.
        seed: At least 0.

    Returns:
        Train rows and test rows, int64, in random order.

    Raises:
        ArgumentError: If there are fewer than 6 groups.
    """
    names = np.unique(groups)
    rule = "have at least 6 rows to hold out a third of them"
    require(len(names) >= 6, "codes", rule, len(names), "Or pass a test part.")
    seed = integer(seed, "seed", at_least=0)
    rng = np.random.default_rng([_SPLIT_STREAM, seed])
    held_out = rng.permutation(names)[: len(names) // 3]
    order = rng.permutation(len(groups))
    test = np.isin(groups[order], held_out)
    return order[~test], order[test]


def require_row_per_image(codes: np.ndarray, argument: str) -> None:
    """Raises `ArgumentError` if codes [N, L] without factors look like [L, N]."""
    rows, width = codes.shape
    transposed = width > max(rows, _MANY_LATENTS) or width >= _LATENTS_PER_ROW * rows
    require(
        rows < 2 or not transposed,  # Without rows something else is wrong.
        argument,
        "have shape [N, L], one row per image",
        codes.shape,
        f"They look transposed: pass {argument}.T; or give more images than latents.",
    )


def require_rows(
    codes: np.ndarray, factors: np.ndarray, codes_name: str, factors_name: str
) -> None:
    """Raises `ArgumentError` unless codes [N, L] and factors [N, K] fit row by row."""
    (rows, width), (other_rows, other_width) = codes.shape, factors.shape
    both = f"Both look transposed: pass {codes_name}.T and {factors_name}.T."
    if rows == other_rows:
        # [L, N] and [K, N] with L = K agree in their rows, but no score is meant here.
        transposed = width == other_width > rows
        remedy = both
    else:
        transposed = True
        remedy = "Row i of each belongs to image i."
        if width == other_width:
            remedy = both
        elif width == other_rows:
            remedy = f"The codes look transposed: pass {codes_name}.T."
        elif rows == other_width:
            remedy = f"The factors look transposed: pass {factors_name}.T."
    require(
        not transposed,
        f"{codes_name} and {factors_name}",
        "have shapes [N, L] and [N, K]",
        f"{codes.shape} and {factors.shape}",
        remedy,
    )
