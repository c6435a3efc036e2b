"""Scores as a printed table, as rows of metrics.jsonl and as pictures."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tf_disentangle import files
from tf_disentangle.metrics import Evaluation
from tf_disentangle.metrics.results import (
    MATRICES,
    as_row,
    matrices,
    numbers,
    short_name,
)


def text(evaluations: Mapping[str, Evaluation]) -> str:
    """Returns a table: each score with its interval and protocol, then its parts.

    Scores of arrays have their range over splits or solver seeds for an interval.
    """
    names = [part for e in evaluations.values() for part in _means(e)]
    width = max(len(name) + 2 for name in [*names, *evaluations, "metric"])
    head = _range_head(evaluations)
    room = max(18, len(head))
    lines = [f"{'metric':<{width}} {'score':>9}  {head:<{room}}  protocol"]
    for name, evaluation in evaluations.items():
        means = _means(evaluation)
        score = means.pop("score")
        lines.append(
            f"{name:<{width}} {_cell(score)}  {_range(evaluation):<{room}}  "
            f"{evaluation.protocol}"
        )
        for part, value in means.items():
            lines.append(f"  {part:<{width - 2}} {_cell(value)}")
    tables = [
        f"\n{name}{_which(e)}\n{e.results[0].table()}"
        for name, e in evaluations.items()
        if hasattr(e.results[0], "table")
    ]
    return "\n".join([*lines, *tables])


def _which(evaluation: Evaluation) -> str:
    """Says which of several results a table is of: the first."""
    return f", seed {evaluation.seeds[0]}" if len(evaluation.results) > 1 else ""


def _means(evaluation: Evaluation) -> dict[str, float]:
    """Returns the numbers of the results, means over the seeds."""
    each = [numbers(result) for result in evaluation.results]
    names = list(each[0])
    if hasattr(evaluation.results[0], "table"):  # It shows the numbers by name.
        names = [name for name in names if ": " not in name]
    return {name: float(np.mean([e[name] for e in each])) for name in names}


def _cell(value: float) -> str:
    whole = float(value).is_integer() and abs(value) >= 2
    return f"{value:9.0f}" if whole else f"{value:9.4f}"


def _range_head(evaluations: Mapping[str, Evaluation]) -> str:
    """Names what stands beside the scores: intervals, or ranges of something."""
    spreads = sorted({e.spread.of for e in evaluations.values() if e.spread})
    return f"least..greatest of {', '.join(spreads)}" if spreads else "95% interval"


def _range(evaluation: Evaluation) -> str:
    interval, spread = evaluation.interval, evaluation.spread
    if spread:
        return f"{spread.low:.4f}..{spread.high:.4f}"
    return f"[{interval.low:.4f}, {interval.high:.4f}]" if interval else "-"


def rows(evaluations: Mapping[str, Evaluation], **about: Any) -> list[dict[str, Any]]:
    """Returns rows of metrics.jsonl: one per seed, and one of intervals or spreads.

    Args:
        evaluations: By the metric's name.
        **about: What every row says, such as `step`.
    """
    by_seed: dict[int | None, dict[str, Any]] = {}
    for name, evaluation in evaluations.items():
        seeds: Sequence[int | None] = evaluation.seeds or (None,)
        for seed, result in zip(seeds, evaluation.results, strict=True):
            by_seed.setdefault(seed, {})[name] = result
    found = []
    for seed, results in by_seed.items():
        own = {} if seed is None else {"seed": seed}
        found.append({**about, **own, "scores": as_row(results)})
    intervals = {n: e.interval for n, e in evaluations.items() if e.interval}
    if intervals:
        found.append({**about, "intervals": as_row(intervals)})
    spreads = {n: e.spread for n, e in evaluations.items() if e.spread}
    if spreads:
        found.append({**about, "spreads": as_row(spreads)})
    return found


def save_pictures(
    evaluations: Mapping[str, Evaluation],
    factor_names: Sequence[str],
    latent_names: Sequence[str],
    folder: pathlib.Path,
) -> list[pathlib.Path]:
    """Writes a picture of each matrix of latents and factors; returns the paths.

    Args:
        evaluations: By the metric's name; of several seeds the first is drawn.
        factor_names: Of the columns.
        latent_names: Of the rows.
        folder: Where to.
    """
    from tf_disentangle import visualization

    paths = []
    for name, evaluation in evaluations.items():
        result = evaluation.results[0]
        for field, matrix in matrices(result, len(factor_names)).items():
            if len(matrix) != len(latent_names):
                continue
            picture = visualization.latent_factor_matrix(
                matrix,
                factor_names=factor_names,
                latent_names=latent_names,
                title=f"{name}: {MATRICES[field]}",
            )
            paths.append(folder / f"{short_name(name)}_{field}.png")
            visualization.save_png(picture, paths[-1])
    return paths


def append_rows(rows: Sequence[Mapping[str, Any]], path: pathlib.Path) -> None:
    """Adds rows to a file of JSON lines, which is made if it is not there."""
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    with files.explaining(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            file.write(lines)


def terms(rows: Sequence[Mapping[str, Any]], step: int) -> str:
    """Returns the last held-out terms up to a step: reconstruction, KL, ELBO.

    Args:
        rows: Of the run's metrics.jsonl.
        step: Of the weights.
    """
    prefix, last, terms = "validation/", 0, {}
    for row in rows:
        found = {k: v for k, v in row.items() if k.startswith(prefix)}
        if found and row["step"] <= step:
            last, terms = row["step"], found
    if not terms:
        return "No held-out terms: the run validated nothing up to this step."
    unit = ", nats per image" if f"{prefix}elbo" in terms else ""
    parts = [f"{k.removeprefix(prefix)} {v:.4g}" for k, v in terms.items()]
    return f"Held out at step {last}{unit}: {', '.join(parts)}"
