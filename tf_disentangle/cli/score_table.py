"""Scores as a printed table, as rows of metrics.jsonl and as pictures."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tf_disentangle import files
from tf_disentangle.metrics import Evaluation, Refusal
from tf_disentangle.metrics.results import MATRICES, as_row, matrices, scalars

#: What `metrics.evaluate` returns.
Table = Mapping[str, Evaluation | Refusal]


def text(table: Table) -> str:
    """Returns a table: each score with its interval and protocol, then its parts.

    Scores of arrays have their range over splits or solver seeds for an interval; a
    metric that refused has its reason. Where there are bounds, the score stands between
    its floor and its ceiling, with its place from 0 to 1.
    """
    scored = {name: e for name, e in table.items() if isinstance(e, Evaluation)}
    names = [part for e in scored.values() for part in _means(e)]
    width = max(len(name) + 2 for name in [*names, *table, "metric"])
    head = _range_head(scored)
    room = max(18, len(head))
    bounded = any(e.bounds for e in scored.values())
    ends = f"{'floor':>9} {'ceiling':>9} {'place':>6}  " if bounded else ""
    lines = [f"{'metric':<{width}} {'score':>9}  {ends}{head:<{room}}  protocol"]
    for name, entry in table.items():
        if isinstance(entry, Refusal):
            lines.append(f"{name:<{width}} {'-':>9}  no score: {entry.reason}")
            continue
        means = _means(entry)
        score = means.pop("score")
        lines.append(
            f"{name:<{width}} {_cell(score)}  {_ends(entry) if bounded else ''}"
            f"{_range(entry):<{room}}  {entry.protocol}"
        )
        for part, value in means.items():
            lines.append(f"  {part:<{width - 2}} {_cell(value)}")
    tables = [
        f"\n{name}{_which(e)}\n{e.results[0].table()}"
        for name, e in scored.items()
        if hasattr(e.results[0], "table")
    ]
    return "\n".join([*lines, *tables])


def side_by_side(tables: Mapping[str, Table]) -> str:
    """Returns one table of several runs: a row for each run, a column for each metric.

    Args:
        tables: By the run.
    """
    metrics = list(dict.fromkeys(name for table in tables.values() for name in table))
    width = max(map(len, tables))
    columns = [max(9, len(name)) for name in metrics]
    head = " ".join(f"{m:>{w}}" for m, w in zip(metrics, columns, strict=True))
    lines = [f"{'run':<{width}} {head}"]
    for run, table in tables.items():
        cells = []
        for name, size in zip(metrics, columns, strict=True):
            score = table[name].score if name in table else np.nan
            cells.append(f"{_cell(score).strip() if score == score else '-':>{size}}")
        lines.append(f"{run:<{width}} {' '.join(cells)}")
    return "\n".join(lines)


def _which(evaluation: Evaluation) -> str:
    """Says which of several results a table is of: the first."""
    return f", seed {evaluation.seeds[0]}" if len(evaluation.results) > 1 else ""


def _means(evaluation: Evaluation) -> dict[str, float]:
    """Returns the numbers of the results, means over the seeds."""
    each = [scalars(result) for result in evaluation.results]
    names = list(each[0])
    if hasattr(evaluation.results[0], "table"):  # It shows the numbers by name.
        names = [name for name in names if ": " not in name]
    return {name: float(np.mean([e[name] for e in each])) for name in names}


def _cell(value: float) -> str:
    whole = float(value).is_integer() and abs(value) >= 2
    return f"{value:9.0f}" if whole else f"{value:9.4f}"


def _ends(evaluation: Evaluation) -> str:
    """Floor, ceiling and the place between them, "-" for what there is not."""
    bounds = evaluation.bounds
    if bounds is None:
        return f"{'-':>9} {'-':>9} {'-':>6}  "
    ends = [bounds.floor, bounds.ceiling]
    cells = [_cell(v) if v == v else f"{'-':>9}" for v in ends]
    place = bounds.place(evaluation.score)
    shown = f"{place:6.2f}" if place == place else f"{'-':>6}"
    return f"{' '.join(cells)} {shown}  "


def _range_head(scored: Mapping[str, Evaluation]) -> str:
    """Names what stands beside the scores: intervals, or ranges of something."""
    spreads = sorted({e.spread.of for e in scored.values() if e.spread})
    return f"least..greatest of {', '.join(spreads)}" if spreads else "95% interval"


def _range(evaluation: Evaluation) -> str:
    interval, spread = evaluation.interval, evaluation.spread
    if spread:
        return f"{spread.low:.4f}..{spread.high:.4f}"
    return f"[{interval.low:.4f}, {interval.high:.4f}]" if interval else "-"


def summaries(table: Table, **about: Any) -> list[dict[str, Any]]:
    """Returns rows of what is said of several seeds, and of floors and ceilings."""
    scored = {name: e for name, e in table.items() if isinstance(e, Evaluation)}
    return [
        {**about, kind: as_row(values)}
        for kind, field in (
            ("intervals", "interval"),
            ("spreads", "spread"),
            ("bounds", "bounds"),
        )
        if (values := {n: v for n, e in scored.items() if (v := getattr(e, field))})
    ]


def save_pictures(
    table: Table,
    factor_names: Sequence[str],
    latent_names: Sequence[str],
    folder: pathlib.Path,
) -> list[pathlib.Path]:
    """Writes a picture of each matrix of latents and factors; returns the paths.

    Args:
        table: By the metric's name; of several seeds the first is drawn.
        factor_names: Of the columns.
        latent_names: Of the rows.
        folder: Where to.
    """
    from tf_disentangle import visualization

    paths = []
    for name, entry in table.items():
        if isinstance(entry, Refusal):
            continue
        for field, matrix in matrices(entry.results[0], len(factor_names)).items():
            if len(matrix) != len(latent_names):
                continue
            picture = visualization.latent_factor_matrix(
                matrix,
                factor_names=factor_names,
                latent_names=latent_names,
                title=f"{name}: {MATRICES[field]}",
            )
            paths.append(folder / f"{name}_{field}.png")
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
    prefix, last, terms = "val_", 0, {}
    for row in rows:
        own = {k: v for k, v in row.items() if k.startswith(prefix)}
        if own and row["step"] <= step:
            last, terms = row["step"], own
    if not terms:
        return "No held-out terms: the run validated nothing up to this step."
    unit = ", nats per image" if f"{prefix}elbo" in terms else ""
    parts = [f"{k.removeprefix(prefix)} {v:.4g}" for k, v in terms.items()]
    return f"Held out at step {last}{unit}: {', '.join(parts)}"
