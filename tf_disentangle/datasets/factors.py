"""Checks of factor tables and draws from them, shared by the data sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tf_disentangle import checks


def check_factors(
    factors: np.ndarray, names: Sequence[str], sizes: Sequence[int]
) -> np.ndarray:
    """Returns `factors` as int64 [n, K], each column inside its range.

    Args:
        factors: Integers [n, K], column k in [0, sizes[k]).
        names: Names of the K factors, for the messages.
        sizes: Number of values of each factor.

    Raises:
        ArgumentTypeError: if the factors are not integers.
        ArgumentError: if the shape is not [n, K] or a value is out of its range.
    """
    factors = np.asarray(factors)
    rule = f"have shape [n, {len(names)}] for the factors ({', '.join(names)})"
    is_table = factors.ndim == 2 and factors.shape[1] == len(names)
    checks.require(is_table, "factors", rule, factors.shape)
    if not np.issubdtype(factors.dtype, np.integer):
        remedy = "Factors are indices of values; use factors.astype(np.int64)."
        raise checks.ArgumentTypeError(
            checks.message("factors", "be integers", factors.dtype.name, remedy)
        )
    for k, (name, size) in enumerate(zip(names, sizes, strict=True)):
        column = factors[:, k]
        wrong = column[(column < 0) | (column >= size)]
        if wrong.size:
            argument = f"factors[:, {k}] ({name})"
            rule = f"be in [0, {size})"
            raise checks.ArgumentError(checks.message(argument, rule, wrong[0].item()))
    return factors.astype(np.int64, copy=False)


def check_indices(indices: np.ndarray, num_images: int) -> np.ndarray:
    """Returns `indices` as int64 [n], each in [0, num_images).

    Raises:
        ArgumentTypeError: If the indices are not integers.
        ArgumentError: If the shape is not [n] or an index is not of an image.
    """
    columns = np.asarray(indices)[..., np.newaxis]
    return check_factors(columns, ("index",), (num_images,))[:, 0]


def check_draw(n: int, rng: np.random.Generator) -> int:
    """Returns `n`, the number of draws from `rng`.

    Raises:
        ArgumentTypeError: If `n` is not an integer or `rng` no numpy Generator.
        ArgumentError: If `n` is negative.
    """
    checks.require_type(rng, np.random.Generator, "rng")
    return checks.integer(n, "n", at_least=0)
