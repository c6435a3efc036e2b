"""Results: of one metric, over several seeds, and as rows of JSON.

A metric returns a frozen dataclass whose first field is `score` and whose last is
`protocol`, the name of its protocol with every value that was overridden.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tf_disentangle.metrics.bounds import Bounds
    from tf_disentangle.metrics.intervals import Interval

#: Fields that hold a matrix of latents and factors [L, K], by what a picture says.
MATRICES = {
    "mutual_information": "mutual information, nats",
    "importance": "importance",
    "votes": "votes",
    "robustness": "interventional robustness",
    "predictability": "predictability from one latent",
}


@dataclasses.dataclass(frozen=True)
class Spread:
    """How far apart the scores of the same rows are: a description, not an interval.

    Splits share the same rows, and solver seeds share all of the data, so their scores
    say nothing about what other rows would give.

    Attributes:
        low: The least score.
        high: The greatest.
        deviation: Standard deviation (ddof 1).
        num: How many scores, at least 2.
        of: What differs between them: "splits" or "solver seeds".
    """

    low: float
    high: float
    deviation: float
    num: int
    of: str


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """One metric over several seeds.

    Attributes:
        score: Mean score of the seeds.
        name: Name of the metric.
        seeds: Seeds of the results; empty for one result with the metric's own seed, or
            without any.
        results: The result of each seed.
        interval: Interval of the score: over the seeds (t), or of one seed's test
            accuracy (Wilson); None where one seed says nothing about its error, and for
            arrays, which are not sampled again.
        protocol: Protocol of the results.
        spread: Spread of the scores of arrays over several seeds; else None.
        bounds: Floor and ceiling of the score, if they were asked for.
    """

    score: float
    name: str
    seeds: tuple[int, ...]
    results: tuple[Any, ...]
    interval: Interval | None
    protocol: str
    spread: Spread | None = None
    bounds: Bounds | None = None


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A metric that gave no score.

    Attributes:
        name: Name of the metric.
        reason: The message of its error.
        score: NaN.
    """

    name: str
    reason: str
    score: float = math.nan


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
    """Returns results by name in a form that JSON can hold.

    Dataclasses become dicts, arrays become lists, and non-finite numbers become None.
    """
    rows: dict[str, Any] = {}
    for name, result in results.items():
        if not dataclasses.is_dataclass(result) or isinstance(result, type):
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
        row: A value for each field.

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
        elif field.type == "dict[int, float]":  # In JSON all keys are text.
            value = {int(size): inner for size, inner in value.items()}
        elif str(field.type).startswith("tuple"):
            value = tuple(value)
        elif field.type == "float" and value is None:
            value = math.nan
        values[field.name] = value
    return kind(**values)


def results_by_call(
    rows: Sequence[Mapping[str, Any]], step: int, codes: str
) -> dict[str, Any]:
    """Returns, by call, the results that a metrics.jsonl already has.

    A row holds one result with its "call"; rows of `bin/evaluate` also hold the kind of
    "codes".

    Args:
        rows: Rows of the run.
        step: Number of steps that the weights were trained for.
        codes: "mean" or "sampled"; a training scores mean codes.
    """
    kept = {}
    for row in rows:
        if row["step"] != step or row.get("codes", "mean") != codes:
            continue
        for result in row.get("scores", {}).values():
            if "call" in row and "reason" not in result:
                kept[row["call"]] = result
    return kept


def summary_rows(
    table: Mapping[str, Evaluation | Refusal], **about: Any
) -> list[dict[str, Any]]:
    """Returns rows that sum up several seeds, and rows of floors and ceilings.

    Each row names the protocols of the scores that it belongs to.
    """
    scored = {name: e for name, e in table.items() if isinstance(e, Evaluation)}
    rows = []
    for kind in ("interval", "spread", "bounds"):
        values = {n: v for n, e in scored.items() if (v := getattr(e, kind))}
        if values:
            protocols = {name: scored[name].protocol for name in values}
            plural = kind if kind == "bounds" else f"{kind}s"
            rows.append({**about, plural: as_row(values), "protocols": protocols})
    return rows


def recording(
    append: Callable[[dict[str, Any]], object], **about: Any
) -> Callable[[str, int | None, Any, str], None]:
    """Returns an `on_result` that adds a row for each result once it is ready."""

    def record(name: str, seed: int | None, result: Any, call: str) -> None:
        own = {} if seed is None else {"seed": seed}
        append({**about, **own, "call": call, "scores": as_row({name: result})})

    return record


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
