"""The rows of one run's metrics.jsonl, as columns of a study's tables.

A file has one JSON object a line, each with its "step": the terms of the loss at each
logging interval (those of held-out images begin with "val_"), one line for each score
when it is ready, and lines with floors and ceilings. A table of results takes the last
step; curves take the others too, thinned.
"""

from __future__ import annotations

import array
import collections
import contextlib
import dataclasses
import json
import math
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tf_disentangle.checks import ArgumentError, message, require
from tf_disentangle.metrics import METRICS, Bounds, Input

#: A curve has at most this many points, and at most as many more with held-out terms.
CURVE_POINTS = 50
#: Nats of KL(q(z_d|x) || p(z_d)) above which a latent is active, as for UDR.
ACTIVE_KL = 0.01

RESULTS = pa.schema(
    [
        *((name, pa.string()) for name in ("run", "kind", "metric", "protocol")),
        *(("representation", pa.string()), ("step", pa.int64())),
        *(("metric_seed", pa.int64()), ("value", pa.float64())),
        *(("floor", pa.float64()), ("ceiling", pa.float64()), ("reason", pa.string())),
    ]
)
CURVES = pa.schema(
    [
        *(("run", pa.string()), ("step", pa.int64()), ("kind", pa.string())),
        *(("metric", pa.string()), ("value", pa.float64())),
    ]
)

# Of a result: metric, representation, call and seed.
_Key = tuple[str, str, str, str]
_STEP = re.compile(rb'\{"step": ?(\d+)')
_SEED = re.compile(r"\bseed=(\d+)\b")
_NO_TERMS = {"step", "seed", "codes", "wall_time", "images_per_second"}
_UNSUPERVISED = {
    name for name, m in METRICS.items() if m.input in (Input.CODES, Input.ENCODER)
}
_NUMBERS = (int, float)
# What a result says about how it was measured, and not about the codes.
_NO_SCORES = {"protocol", "name", "reason"}


class Results:
    """Rows of a table of results, filled run by run."""

    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []

    def add(
        self,
        run: str,
        step: int,
        kind: str,
        metric: str,
        protocol: str = "",
        representation: str = "",
        metric_seed: int | None = None,
        value: float = math.nan,
        floor: float = math.nan,
        ceiling: float = math.nan,
        reason: str = "",
    ) -> None:
        """Adds one row, with the columns of `RESULTS`."""
        own = (run, kind, metric, protocol, representation, step, metric_seed)
        self._rows.append((*own, value, floor, ceiling, reason))

    def table(self) -> pa.Table:
        """Returns the rows as Arrow has them, column by column."""
        columns = zip(*self._rows, strict=True) if self._rows else [()] * len(RESULTS)
        arrays = [
            pa.array(column, field.type)
            for column, field in zip(columns, RESULTS, strict=True)
        ]
        return pa.table(arrays, schema=RESULTS)


@dataclasses.dataclass
class Curves:
    """Columns of a table of curves: numbers in arrays, names once for each curve."""

    runs: list[tuple[str, int]] = dataclasses.field(default_factory=list)
    names: list[tuple[str, str, int]] = dataclasses.field(default_factory=list)
    steps: array.array = dataclasses.field(default_factory=lambda: array.array("q"))
    values: array.array = dataclasses.field(default_factory=lambda: array.array("d"))

    def add(
        self, run: str, curves: Mapping[tuple[str, str], Mapping[int, float]]
    ) -> None:
        """Adds the curves of one run, values by step, by (kind, metric)."""
        before = len(self.steps)
        for (kind, metric), values in curves.items():
            self.names.append((kind, metric, len(values)))
            self.steps.extend(values)
            self.values.extend(values.values())
        self.runs.append((run, len(self.steps) - before))

    def table(self) -> pa.Table:
        """Returns the columns as Arrow has them."""
        counts = [count for *_, count in self.names]
        names = {
            "run": ([run for run, _ in self.runs], [count for _, count in self.runs]),
            "kind": ([kind for kind, *_ in self.names], counts),
            "metric": ([metric for _, metric, _ in self.names], counts),
        }
        columns = {name: _repeated(*pair) for name, pair in names.items()}
        columns["step"] = pa.array(np.frombuffer(self.steps, np.int64))
        columns["value"] = pa.array(np.frombuffer(self.values, np.float64))
        return pa.table({name: columns[name] for name in CURVES.names}).cast(CURVES)


def _repeated(values: Sequence[str], counts: Sequence[int]) -> pa.Array:
    """Repeats each value as often as its count says."""
    known = {value: code for code, value in enumerate(dict.fromkeys(values))}
    codes = np.repeat([known[value] for value in values], counts).astype(np.int32)
    dictionary = pa.array(list(known), pa.string())
    return pa.DictionaryArray.from_arrays(codes, dictionary).cast(pa.string())


def add_run(
    run: str, path: pathlib.Path, results: Results | None, curves: Curves | None
) -> None:
    """Reads a metrics.jsonl into the columns of both tables.

    An incomplete line at the end, which a process is still writing or a killed one left
    behind, is skipped.

    Args:
        run: Its id.
        path: The file; it need not be there.
        results: Receives the rows of the last step; None for none.
        curves: Receives those of all steps; None for none.

    Raises:
        ArgumentError: If a complete line is not a row in JSON; nothing is added then.
    """
    if not path.exists():
        return
    lines = [line for line in path.read_bytes().split(b"\n")[:-1] if line.strip()]
    steps = [_step_of(line, path, at) for at, line in enumerate(lines, start=1)]
    if not steps:
        return
    is_score = [b'"scores"' in line or b'"codes"' in line for line in lines]
    wanted = set(_thinned([i for i, score in enumerate(is_score) if not score]))
    held_out = [i for i, line in enumerate(lines) if b'"val_' in line]
    wanted |= {*_thinned(held_out), *(i for i, score in enumerate(is_score) if score)}
    places = sorted(wanted)
    parsed = _parsed([lines[i] for i in places], [i + 1 for i in places], path)
    rows = [(steps[i], is_score[i], row) for i, row in zip(places, parsed, strict=True)]
    last = max(steps)
    if results is not None:
        _add_terms(run, [row for _, score, row in rows if not score], last, results)
        scores = [row for step, score, row in rows if score and step == last]
        _add_scores(run, scores, last, results)
    if curves is not None:
        curves.add(run, _curves_of(rows))


def _step_of(line: bytes, path: pathlib.Path, number: int) -> int:
    """The step of a line, which is its first field in all that the library writes."""
    if found := _STEP.match(line):
        return int(found[1])
    step = _parsed([line], [number], path)[0].get("step")
    require(type(step) is int, f"{path}, line {number}", "have a whole step", step)
    return step


def _parsed(
    lines: Sequence[bytes], numbers: Sequence[int], path: pathlib.Path
) -> list[dict[str, Any]]:
    """The rows of lines with these numbers."""
    with contextlib.suppress(ValueError):  # All at once is a quarter faster.
        rows = json.loads(b"[" + b",".join(lines) + b"]")
        if len(rows) == len(lines) and all(isinstance(r, dict) for r in rows):
            return rows
    for line, number in zip(lines, numbers, strict=True):
        try:
            json.loads(line)["step"]
        except (ValueError, TypeError, KeyError) as error:
            rule = "be a row in JSON, with its step"
            where = f"{path}, line {number}"
            raise ArgumentError(message(where, rule, str(error))) from error
    raise ArgumentError(message(str(path), "have one row in each line", "others"))


def _thinned(places: Sequence[int]) -> list[int]:
    """At most `CURVE_POINTS` of them, evenly spaced, the first and the last kept."""
    if len(places) <= CURVE_POINTS:
        return list(places)
    chosen = np.linspace(0, len(places) - 1, CURVE_POINTS).round().astype(int)
    return [places[i] for i in chosen]


def _terms_of(row: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    """Yields (kind, metric, value) of what a row says of the loss."""
    for name, value in row.items():
        if name in _NO_TERMS:
            continue
        if name == "kl_per_latent":
            active = sum(kl is not None and kl > ACTIVE_KL for kl in value)
            yield "held_out", "active_latents", float(active)
        elif _is_number(value):
            if name.startswith("val_"):
                yield "held_out", name.removeprefix("val_"), float(value)
            else:
                yield "term", name, float(value)


def _add_terms(
    run: str, rows: Sequence[Mapping[str, Any]], last: int, results: Results
) -> None:
    """Adds the terms of the last step: trained, and held out if that was validated."""
    for row in rows:
        if row["step"] == last:
            for kind, metric, value in _terms_of(row):
                results.add(run, last, kind, metric, value=value)


def _add_scores(
    run: str, rows: Sequence[Mapping[str, Any]], last: int, results: Results
) -> None:
    """Adds the scores of the last step with bounds; of two from one call, the later.

    Floors and ceilings come in a line after the scores that they belong to.
    """
    found: dict[_Key, tuple[str, dict[str, Any]]] = {}
    bounds: dict[_Key, Bounds] = {}
    since: dict[tuple[str, str], dict[_Key, None]]
    since = collections.defaultdict(dict)
    for row in rows:
        codes = row.get("codes", "mean")
        for name, result in row.get("scores", {}).items():
            key = (name, codes, *_call_of(row, name))
            call = key[2]
            found[key] = (call, result)
            since[name, codes][key] = None
        for name, values in row.get("bounds", {}).items():
            numbers = [_real(values.get(k)) for k in ("noise", "untrained", "ceiling")]
            # Results that were kept from before have had no line since.
            kept = [k for k in found if k[:2] == (name, codes) and k not in bounds]
            keys = since.pop((name, codes), None) or dict.fromkeys(kept)
            bounds |= dict.fromkeys(keys, Bounds(*numbers))
    protocols = _protocols(found)
    for key, (call, result) in found.items():
        name, codes, _, seed = key
        inside = _SEED.search(call)
        limits = bounds.get(key, Bounds())
        for part, value in _scalars(result):
            is_score = part == "score"
            results.add(
                run,
                last,
                _kind_of(name),
                name if is_score else f"{name}.{part}",
                protocols[key],
                codes,
                int(seed) if seed else int(inside[1]) if inside else None,
                value,
                limits.floor if is_score else math.nan,
                limits.ceiling if is_score else math.nan,
                result.get("reason", ""),
            )


def _protocols(
    found: Mapping[_Key, tuple[str, Mapping[str, Any]]],
) -> dict[_Key, str]:
    """The protocol of each result, with the call where two calls share it."""
    calls = collections.defaultdict(set)
    for (name, codes, call, _), (_, result) in found.items():
        protocol = result.get("protocol", "")
        calls[name, codes, protocol].add(_SEED.sub("seed", call))
    protocols = {}
    for key, (call, result) in found.items():
        protocol = result.get("protocol", "")
        shared = len(calls[key[0], key[1], protocol]) > 1
        protocols[key] = f"{protocol}; {_without_seed(call)}" if shared else protocol
    return protocols


def _without_seed(call: str) -> str:
    return re.sub(r"(, )?\bseed=\d+", "", call).replace("(, ", "(")


def _scalars(result: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yields the single numbers of a result, as `metrics.results.scalars` names them.

    Numbers of a dict become "field.key".
    """
    yield "score", _real(result.get("score"))
    if result.get("reason"):
        return
    for field, value in result.items():
        if field == "score" or field in _NO_SCORES:
            continue
        if _is_number(value):
            yield field, _real(value)
        elif isinstance(value, dict):
            inner = ((k, v) for k, v in value.items() if _is_number(v))
            yield from ((f"{field}.{k}", _real(v)) for k, v in inner)


def _curves_of(
    rows: Sequence[tuple[int, bool, Mapping[str, Any]]],
) -> dict[tuple[str, str], dict[int, float]]:
    """Values by step, by (kind, metric); for scores, those of mean codes.

    Seeds of one step count with their mean; of two results of one call, the later
    counts. A metric that was called in several ways has the curve of the call that
    scored the most steps, or of the first such call.
    """
    curves: dict[tuple[str, str], dict[int, float]]
    curves = collections.defaultdict(dict)
    # By metric, call, step and seed.
    scores: dict[str, dict[str, dict[int, dict[str, float]]]] = {}
    for step, is_score, row in rows:
        if not is_score:
            for kind, metric, value in _terms_of(row):
                curves[kind, metric][step] = value
        elif row.get("codes", "mean") == "mean":
            for name, result in row.get("scores", {}).items():
                call, seed = _call_of(row, name)
                by_call = scores.setdefault(name, {})
                by_step = by_call.setdefault(_without_seed(call), {})
                by_step.setdefault(step, {})[seed or call] = _real(result.get("score"))
    for name, by_call in scores.items():
        longest = max(by_call.values(), key=len)
        curves[_kind_of(name), name] = {
            step: math.fsum(v.values()) / len(v) for step, v in longest.items()
        }
    return curves


def _call_of(row: Mapping[str, Any], name: str) -> tuple[str, str]:
    """The call that gave a score of a row, and the seed that stands beside it."""
    call = row.get("call") or row.get("calls", {}).get(name, "")
    return call, str(row.get("seed", ""))


def _kind_of(name: str) -> str:
    return "unsupervised" if name in _UNSUPERVISED else "score"


def _is_number(value: Any) -> bool:
    return type(value) in _NUMBERS  # A bool is none; faster than isinstance.


def _real(value: Any) -> float:
    """A number; what is not finite was written as None."""
    return math.nan if value is None else float(value)
