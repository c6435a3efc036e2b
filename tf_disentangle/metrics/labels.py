"""Labels of factors: columns of text, of objects or of a table of pandas, numbered."""

from __future__ import annotations

from typing import Any

import numpy as np

from tf_disentangle.checks import require


def relabelled(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Numbers the distinct values 0, 1, ... in ascending order.

    Returns:
        int64 labels of the shape of `values`, and how many there are.
    """
    distinct, labels = np.unique(values, return_inverse=True)
    return labels.reshape(np.shape(values)).astype(np.int64, copy=False), len(distinct)


def with_labels(tables: list[Any], names: list[str]) -> list[Any]:
    """Numbers the columns of text and other objects, over all parts together.

    What has no such column stays as it is.
    """
    parts = [_as_columns(table) for table in tables]
    texts = [[c.dtype.kind in "OSU" for c in part or ()] for part in parts]
    if not any(map(any, texts)) or len({len(part or ()) for part in parts}) > 1:
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

    pandas is not imported: what has `columns` and `iloc` is a table of it.
    """
    if hasattr(table, "iloc") and hasattr(table, "columns"):
        return [np.asarray(table.iloc[:, k]) for k in range(len(table.columns))]
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
