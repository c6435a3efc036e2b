"""Scores side by side, as rows of metrics.jsonl and as pictures."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tf_disentangle import files
from tf_disentangle.metrics import Evaluation, Refusal
from tf_disentangle.metrics.printing import number
from tf_disentangle.metrics.results import MATRICES, matrices

#: What `metrics.evaluate` returns.
Table = Mapping[str, Evaluation | Refusal]


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
            cells.append(f"{number(score).strip() if score == score else '-':>{size}}")
        lines.append(f"{run:<{width}} {' '.join(cells)}")
    return "\n".join(lines)


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
            visualization.save(picture, paths[-1])
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
