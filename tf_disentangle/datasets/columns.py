"""Tables of factors in memory, column by column: arrays, mappings, pandas.

pandas is not imported: its frames, series and categories are recognised by their
attributes.
"""

from __future__ import annotations

import numbers
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tf_disentangle import checks

#: Columns of factors by name, each of its own type.
Table = dict[str, np.ndarray]


def as_table(factors: Any, names: Sequence[str] | None, count: int) -> Table:
    """Returns the columns of a table with a row for each image, numbers or text.

    Args:
        factors: As in `ImageTable`.
        names: K names for unnamed columns; None calls them factor_0, factor_1, ...
        count: n.

    Raises:
        ArgumentError: If a shape or a type does not fit, a value is missing, or names
            are given twice.
    """
    named = _named_columns(factors)
    if named is not None:
        rule = "be left out where the factors have names"
        checks.require(names is None, "factor_names", rule, names)
        columns = list(named.values())
        names = [str(name) for name in named]
    else:
        columns = [] if factors is None else _unnamed_columns(factors, count)
        if names is None:
            names = [f"factor_{k}" for k in range(len(columns))]
        names = [str(name) for name in names]
    rule = f"be {len(columns)} different names, one for each column of the factors"
    fits = len(names) == len(columns) == len(set(names))
    checks.require(fits, "factor_names", rule, tuple(names))
    table = {n: _as_column(c, n) for n, c in zip(names, columns, strict=True)}
    for name, column in table.items():
        rule = f"have shape [{count}], a value for each image"
        fits = column.shape == (count,)
        checks.require(fits, f"factor {name}", rule, column.shape)
    return table


def is_path(factors: Any) -> bool:
    """Whether factors are the name of a file."""
    return isinstance(factors, (str, os.PathLike))


def as_text(values: np.ndarray) -> np.ndarray:
    """Bytes, and the objects that h5py and TensorFlow give for text, as str."""
    if values.dtype.kind not in "SO":
        return values
    texts = [v.decode() if isinstance(v, bytes) else str(v) for v in values.flat]
    return np.array(texts, str).reshape(values.shape)


def _named_columns(factors: Any) -> dict[Any, Any] | None:
    """The columns of what names them; None for what does not."""
    if isinstance(factors, Mapping):
        return dict(factors)
    if hasattr(factors, "columns") and hasattr(factors, "to_numpy"):  # DataFrame
        return {name: factors[name] for name in factors.columns}
    is_series = hasattr(factors, "to_numpy") and hasattr(factors, "name")
    if is_series and factors.name is not None:
        return {factors.name: factors}
    return None


def _unnamed_columns(factors: Any, count: int) -> list[np.ndarray]:
    factors = np.asarray(factors)
    if factors.ndim == 1:
        factors = factors[:, np.newaxis]
    rule = f"have shape [{count}, K], a row for each image"
    fits = factors.ndim == 2 and len(factors) == count
    checks.require(fits, "factors", rule, factors.shape)
    return list(factors.T)


def _as_column(values: Any, name: str) -> np.ndarray:
    """A column as numbers or text."""
    column, where = np.asarray(values), f"factor {name}"
    if column.dtype.kind == "O" and column.ndim == 1:
        column = _of_objects(column, where)
    rule = "hold numbers or strings"
    remedy = "Take a number of each date, such as its year."
    remedy = remedy if column.dtype.kind in "mM" else ""
    is_plain = column.dtype.kind in "biufUS"
    checks.require(is_plain, where, rule, column.dtype.name, remedy)
    if column.dtype.kind == "f":
        wrong = np.flatnonzero(~np.isfinite(column))
        received = f"{column[wrong[0]]} in row {wrong[0]}" if len(wrong) else None
        remedy = "Fill it, or leave out that row or this factor."
        checks.require(not len(wrong), where, "be finite", received, remedy)
    return column


def _of_objects(column: np.ndarray, where: str) -> np.ndarray:
    """Python's objects as text, if all are text, or as numbers, if all are numbers."""
    kinds: tuple[type, ...] = (str, bytes) if _is_text(column[:1]) else (numbers.Real,)
    wrong = [k for k, v in enumerate(column) if not isinstance(v, (*kinds, np.bool_))]
    rule = "hold numbers or strings, one of them in all rows"
    received = f"{column[wrong[0]]!r} in row {wrong[0]}" if wrong else None
    remedy = "Fill it, or leave out that row or this factor."
    checks.require(not wrong, where, rule, received, remedy)
    return as_text(column) if _is_text(column[:1]) else np.array(column.tolist())


def _is_text(values: np.ndarray) -> bool:
    return all(isinstance(value, (str, bytes)) for value in values)
