"""Tables of codes and factors: their rows, their labels, and the columns to score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_disentangle.checks import integer, one_of, require

#: What a protocol's name adds where a table's rows are split by the seed.
ROWS_SPLIT = ", rows split 2:1"

# The stream of the split; a metric's draws begin at the seed itself.
_SPLIT_STREAM = 20_161

# As many latents as that, and more than rows, are taken for images.
_MANY_LATENTS, _LATENTS_PER_ROW = 100, 10


def split_rows(groups: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Splits rows into two thirds and one third, at random by the seed.

    Args:
        groups: int [N]; rows with the same number stay together.
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


def relabelled(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Numbers the distinct values 0, 1, ... in ascending order.

    Returns:
        int64 labels of the shape of `values`, and how many there are.
    """
    distinct, labels = np.unique(values, return_inverse=True)
    return labels.reshape(np.shape(values)).astype(np.int64, copy=False), len(distinct)


def with_labels(tables: list[Any], names: list[str]) -> list[Any]:
    """Numbers the columns of text and other objects, over all parts together.

    An array that has no such column stays as it is, and a pandas.DataFrame becomes one.
    """
    parts = [_as_columns(table) for table in tables]
    texts = [[c.dtype.kind in "OSU" for c in part or ()] for part in parts]
    stays = not any(map(any, texts)) and not any(map(column_names, tables))
    if stays or len({len(part or ()) for part in parts}) > 1:
        return tables
    for k in range(len(parts[0])):
        columns = [part[k] for part in parts]
        if not any(column.dtype.kind in "OSU" for column in columns):
            continue
        for column, name in zip(columns, names, strict=True):
            missing = sum(map(_is_missing, column.tolist()))
            rule = f"have a label in each row of column {k}"
            require(not missing, name, rule, f"{missing} rows without")
        # One type for all, so that they can be sorted: numbers stay in their order.
        values = [value for column in columns for value in column.tolist()]
        is_number = all(isinstance(v, int | float) for v in values)
        joined = np.array(values if is_number else list(map(str, values)))
        labels = np.unique(joined, return_inverse=True)[1]
        cut = np.cumsum([len(column) for column in columns])[:-1]
        for part, column in zip(parts, np.split(labels, cut), strict=True):
            part[k] = column
    return [np.column_stack(part) for part in parts]


def _as_columns(table: Any) -> list[np.ndarray] | None:
    """The columns of a table [N, K]: a pandas.DataFrame, or an array; None of others.

    pandas is not imported: anything with `columns` and `iloc` is taken for its table.
    """
    if hasattr(table, "iloc") and hasattr(table, "columns"):
        columns = [np.asarray(table.iloc[:, k]) for k in range(len(table.columns))]
        # Dates have an order, and no number beside those of other columns.
        return [c.astype(object) if c.dtype.kind in "Mm" else c for c in columns]
    array = np.asarray(table)
    return list(array.T) if array.ndim == 2 else None


def _is_missing(value: Any) -> bool:
    """Whether a cell of a table is empty: None, NaN, or pandas' NA and NaT."""
    is_nan = isinstance(value, float) and value != value
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")


def column_names(table: Any) -> tuple[str, ...] | None:
    """Names of the columns of a pandas.DataFrame; None of anything else."""
    if hasattr(table, "iloc") and hasattr(table, "columns"):
        return tuple(map(str, table.columns))
    return None


def scored_factors(
    names: Sequence[str], factors: Sequence[str] | None
) -> tuple[np.ndarray, str]:
    """Finds the factors that a metric is to score; the others still vary.

    Args:
        names: Names of all factors, in order.
        factors: Names of those to score; None is all.

    Returns:
        Their positions, ascending int64, and a note for the protocol's name, such as
        ", factors=scale+x"; "" where all are scored.

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


def scored_columns(
    tables: list[Any], names: Sequence[str] | None, scored: Sequence[str]
) -> tuple[list[Any], str]:
    """Returns the tables with the scored factors only, and the protocol's note."""
    names = names or column_names(tables[0])
    count = np.shape(tables[0])[-1] if names is None else len(names)
    names = [f"factor{k}" for k in range(count)] if names is None else list(names)
    positions, note = scored_factors(names, scored)
    kept: list[Any] = []
    for table, argument in zip(tables, ("factors", "test_factors"), strict=True):
        if table is None:
            kept.append(None)
            continue
        shape = np.shape(table)
        remedy = f"They look transposed: pass {argument}.T." if count in shape else ""
        good = len(shape) == 2 and shape[1] == count
        require(good, argument, f"have shape [N, {count}]", shape, remedy)
        is_frame = column_names(table) is not None
        kept.append(
            table.iloc[:, positions] if is_frame else np.asarray(table)[:, positions]
        )
    return kept, note
