"""The files of a plan: study.json, and plan.parquet, which pandas reads as it is."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tf_disentangle import checks, files
from tf_disentangle.studies import state

NAME = "plan.parquet"
SCHEMA_VERSION = 1

_SCHEMA = pa.schema(
    [
        *(("id", pa.string()), ("index", pa.int64()), ("method", pa.string())),
        *(("strength", pa.float64()), ("data", pa.string()), ("seed", pa.int64())),
        *(("files", pa.list_(pa.string())), ("settings", pa.string())),
    ]
)


def write(path: pathlib.Path, runs: Sequence[Any]) -> None:
    """Writes the planned runs, with a column for each binding that the grid names."""
    columns: dict[str, Any] = {
        field.name: [getattr(run, field.name) for run in runs] for field in _SCHEMA
    }
    columns["settings"] = [json.dumps(dict(run.settings)) for run in runs]
    arrays = [pa.array(columns[field.name], field.type) for field in _SCHEMA]
    table = pa.table(arrays, schema=_SCHEMA)
    for name in dict.fromkeys(name for run in runs for name in run.values):
        column = _column([run.values.get(name) for run in runs])
        table = table.append_column(name, column)
    with files.replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read(
    path: pathlib.Path, only: tuple[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Returns the arguments of `PlannedRun` for each run, in the order of the index.

    Args:
        path: Of the table.
        only: A column and the value that it must have; None keeps all rows.

    Raises:
        ArgumentError: If it is not there, or damaged.
    """
    try:
        with pq.ParquetFile(path) as file:  # `read_table` would import pandas.
            table = file.read()
        if only is not None:
            values = table[only[0]].to_pylist()
            place = values.index(only[1]) if only[1] in values else len(values)
            table = table.slice(place, 1)
        rows = sorted(table.to_pylist(), key=lambda row: row["index"])
    except (OSError, KeyError, pa.ArrowException) as error:
        remedy = "Restore it from a copy, or choose another output folder."
        message = checks.message(str(path), "be readable", str(error), remedy)
        raise checks.ArgumentError(message) from error
    runs = []
    for row in rows:
        head = {name: row.pop(name) for name in _SCHEMA.names}
        head["files"] = tuple(head["files"])
        head["settings"] = json.loads(head["settings"])
        values = {name: value for name, value in row.items() if value is not None}
        runs.append({**head, "values": values})
    return runs


def read_about(folder: str | os.PathLike) -> dict[str, Any]:
    """Returns what study.json says of a study.

    Raises:
        ArgumentError: If the folder holds no study, or that of another version.
    """
    folder = pathlib.Path(folder)
    path = folder / "study.json"
    rule = "be the folder of a study (with study.json)"
    remedy = "" if folder.exists() else files.no_such_folder(folder)
    checks.require(path.exists(), "study", rule, str(folder), remedy)
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = about["schema_version"]
    except (ValueError, TypeError, KeyError) as error:
        message = checks.message(str(path), "be JSON with a schema_version", str(error))
        raise checks.ArgumentError(message) from error
    rule = f"have schema_version {SCHEMA_VERSION} in {path}"
    remedy = "It was written by another version of tf_disentangle: read it with that."
    checks.require(version == SCHEMA_VERSION, "study", rule, version, remedy)
    return {"attempts": state.ATTEMPTS} | about


def find_all(runs: Sequence[Any], names: Sequence[str]) -> list[Any]:
    """Returns the runs of some ids or indices, each once.

    Raises:
        ArgumentError: If there is no such run.
    """
    known = {str(run.index): run for run in runs} | {run.id: run for run in runs}
    for name in names:
        rule, remedy = "be ids or indices of the plan", checks.suggestion(name, known)
        checks.require(name in known, "RUNS", rule, name, remedy)
    return list({known[name].id: known[name] for name in names}.values())


def folder_of(study: str | os.PathLike, run: Any) -> pathlib.Path:
    """Returns the folder of a run, or of its id, below that of the study."""
    identity = run if isinstance(run, str) else run.id
    return pathlib.Path(study) / "runs" / identity


def _column(values: Sequence[Any]) -> pa.Array:
    """Returns a column of numbers, or of truth values, or else of text."""
    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {int, float}:
        return pa.array(values, pa.float64() if float in kinds else pa.int64())
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    text = [v if v is None or isinstance(v, str) else repr(v) for v in values]
    return pa.array(text, pa.string())
