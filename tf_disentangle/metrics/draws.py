"""Draws of factors, and which factors a metric scores and holds still."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tf_disentangle.checks import one_of, require
from tf_disentangle.interfaces import Dataset


def require_factors(dataset: Dataset) -> None:
    """Raises `ArgumentError` unless the set has known factors."""
    require(
        len(dataset.factor_names) > 0,
        "dataset",
        "have ground-truth factors",
        f"{type(dataset).__name__} with factor_names ()",
        "Score such a set by a metric that needs no factors.",
    )


def scored_factors(
    dataset: Dataset, factors: Sequence[str] | None
) -> tuple[np.ndarray, str]:
    """Finds the factors that a metric is to score; the others still vary.

    Args:
        dataset: A set with known factors.
        factors: Their names; None is all.

    Returns:
        Their positions, ascending int64, and what the protocol's name must add, such
        as ", factors=scale+x"; "" where all are scored.

    Raises:
        ArgumentError: If a name is unknown or comes twice, or none is given.
    """
    return chosen_factors(dataset.factor_names, factors)


def chosen_factors(
    names: Sequence[str], factors: Sequence[str] | None
) -> tuple[np.ndarray, str]:
    """Finds factors among all names, as `scored_factors` does for a set's.

    Args:
        names: Of all factors, in order.
        factors: Names of those to score; None is all.

    Returns:
        Positions and note as in `scored_factors`.

    Raises:
        ArgumentError: If a name is unknown or comes twice, or none is given.
    """
    names = tuple(names)
    if factors is None:
        return np.arange(len(names)), ""
    factors = [factors] if isinstance(factors, str) else list(factors)
    require(
        len(factors) > 0 and len(set(factors)) == len(factors),
        "factors",
        "name at least one factor, and each once",
        factors,
    )
    chosen = np.sort([names.index(one_of(name, names, "factors")) for name in factors])
    if len(chosen) == len(names):
        return chosen, ""
    return chosen, f", factors={'+'.join(names[k] for k in chosen)}"


def fixable_factors(
    dataset: Dataset, chosen: np.ndarray, one_valued: bool = False
) -> np.ndarray:
    """Returns those of the chosen factors that a vote may fix, int64 positions.

    Args:
        dataset: A set with known factors.
        chosen: int64, positions of factors.
        one_valued: Whether to keep factors with one value, fixing which says nothing.

    Raises:
        ArgumentError: If none is left.
    """
    sizes = np.asarray(dataset.factor_sizes)
    fixable = chosen if one_valued else chosen[sizes[chosen] > 1]
    require(
        fixable.size > 0,
        "dataset",
        "have a factor with two values or more",
        f"factor_sizes {tuple(dataset.factor_sizes)}",
    )
    return fixable


def sample_factors(dataset: Dataset, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draws factors, int64 [n, K], and checks what the set returned.

    The array is the caller's own to change.

    Raises:
        ArgumentError: If the draw is not [n, K] or a value lies outside its factor.
    """
    factors = np.array(dataset.sample_factors(n, rng), np.int64)
    sizes = np.asarray(dataset.factor_sizes)
    shape = (n, len(sizes))
    name = "dataset.sample_factors(n, rng)"
    require(factors.shape == shape, name, f"have shape {shape}", factors.shape)
    if n:
        low, high = factors.min(axis=0), factors.max(axis=0)
        require(
            np.all(low >= 0) and np.all(high < sizes),
            name,
            f"lie in [0, size) for factor sizes {tuple(dataset.factor_sizes)}",
            f"minima {low.tolist()}, maxima {high.tolist()}",
        )
    return factors


def with_values(
    dataset: Dataset,
    factors: np.ndarray,
    fixed: np.ndarray,
    values: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Gives each row of drawn factors a value of one factor.

    The value is put in after the joint draw, so that in a set with correlated factors
    the others are not conditioned on it. A set without some combinations (`Rows`) draws
    anew, among the rows that have the value.

    Args:
        dataset: Where the factors come from.
        factors: int64 [n, K]; changed in place.
        fixed: int [n], the factor of each row that gets a value.
        values: int [n].
        rng: Of the rows that are drawn anew; unused otherwise.

    Returns:
        int64 [n, K].
    """
    if "missing_combinations" in dataset.traits:
        return dataset.sample_factors_given(fixed, values, rng)
    factors[np.arange(len(factors)), fixed] = values
    return factors


def rows_note(dataset: Dataset) -> str:
    """What a protocol's name must add where `with_values` draws anew."""
    return ", fixed=rows" if "missing_combinations" in dataset.traits else ""
