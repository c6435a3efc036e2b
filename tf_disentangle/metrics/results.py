"""What any metric's result holds: its numbers, its matrices, and itself as JSON."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

#: Fields that hold a matrix of latents and factors [L, K], by what a picture says.
MATRICES = {
    "mutual_information": "mutual information, nats",
    "importance": "importance",
    "votes": "votes",
    "robustness": "interventional robustness",
    "predictability": "predictability from one latent",
}


def display_name(name: str) -> str:
    """Returns the short name of a metric: "mig" for "mig_score"."""
    return name.removesuffix("_scores").removesuffix("_score")


def scalars(result: Any) -> dict[str, float]:
    """Returns the single numbers of a result, `score` first.

    Args:
        result: What a metric returned; one that is not a dataclass has only its score.
    """
    values = {"score": float(result.score)}
    if not dataclasses.is_dataclass(result):
        return values
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        if _is_number(value):
            values[field.name] = float(value)
        elif isinstance(value, dict):
            inner = {k: v for k, v in value.items() if _is_number(v)}
            values |= {f"{field.name}: {k}": float(v) for k, v in inner.items()}
    return values


def matrices(result: Any, num_factors: int) -> dict[str, np.ndarray]:
    """Returns the matrices of latents and factors [L, K] of a result, by field."""
    fields = {name: getattr(result, name, None) for name in MATRICES}
    # Those of `unified_scores` have a field of their own.
    fields |= getattr(result, "matrices", {})
    return {
        name: value
        for name, value in fields.items()
        if isinstance(value, np.ndarray) and value.shape[1:] == (num_factors,)
    }


def as_row(results: dict[str, Any]) -> dict[str, Any]:
    """Returns results by name as JSON can hold them.

    Dataclasses become dicts, arrays lists, and what is not finite None.
    """
    rows = {}
    for name, result in results.items():
        if not dataclasses.is_dataclass(result):
            rows[name] = scalars(result)
            continue
        rows[name] = _plain(dataclasses.asdict(result))
        if hasattr(result, "factor_of_latent"):
            rows[name]["factor_of_latent"] = list(result.factor_of_latent)
    return rows


def from_row(kind: type, row: dict[str, Any]) -> Any:
    """Returns the result that `as_row` wrote, as a record of its type.

    Arrays come back with NaN where there was no finite number.

    Args:
        kind: The dataclass.
        row: By field.

    Raises:
        KeyError: If the row lacks a field.
    """
    values = {}
    for field in dataclasses.fields(kind):
        value = row[field.name]
        if field.type == "np.ndarray":
            value = _array(value)
        elif field.type == "dict[str, np.ndarray]":
            value = {name: _array(inner) for name, inner in value.items()}
        elif str(field.type).startswith("tuple"):
            value = tuple(value)
        elif field.type == "float" and value is None:
            value = math.nan
        values[field.name] = value
    return kind(**values)


def _array(value: Any) -> np.ndarray:
    array = np.array(value)
    return array.astype(np.float64) if array.dtype == object else array


def _is_number(value: Any) -> bool:
    is_real = isinstance(value, int | float | np.integer | np.floating)
    return is_real and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
