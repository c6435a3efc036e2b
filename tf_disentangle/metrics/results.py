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


def short_name(name: str) -> str:
    """Returns what a metric is called in a hurry: "mig" for "mig_score"."""
    return name.removesuffix("_scores").removesuffix("_score")


def numbers(result: Any) -> dict[str, float]:
    """Returns the single numbers of a result, `score` first.

    Args:
        result: What a metric returned; one that is not a dataclass has only its score.
    """
    found = {"score": float(result.score)}
    if not dataclasses.is_dataclass(result):
        return found
    for field in dataclasses.fields(result):
        value = getattr(result, field.name)
        if _is_number(value):
            found[field.name] = float(value)
        elif isinstance(value, dict):
            inner = {k: v for k, v in value.items() if _is_number(v)}
            found |= {f"{field.name}: {k}": float(v) for k, v in inner.items()}
    return found


def matrices(result: Any, num_factors: int) -> dict[str, np.ndarray]:
    """Returns the matrices of latents and factors [L, K] of a result, by field."""
    found = {}
    for name in MATRICES:
        value = getattr(result, name, None)
        is_matrix = isinstance(value, np.ndarray) and value.ndim == 2
        if is_matrix and value.shape[1] == num_factors:
            found[name] = value
    inner = getattr(result, "matrices", {})
    return found | {name: m for name, m in inner.items() if m.shape[1] == num_factors}


def as_row(results: dict[str, Any]) -> dict[str, Any]:
    """Returns results by name as JSON can hold them.

    Dataclasses become dicts, arrays lists, and what is not finite None.
    """
    rows = {}
    for name, result in results.items():
        rows[name] = _plain(dataclasses.asdict(result))
        if hasattr(result, "factor_of_latent"):
            rows[name]["factor_of_latent"] = list(result.factor_of_latent)
    return rows


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
