"""One tidy table of all runs of a study, in Parquet, built while the study runs.

    DIR/results.parquet   a row for each run x metric x protocol x representation x seed
    DIR/curves.parquet    terms and scores on the way, a row for each point
    DIR/results/          parts of both, of `RUNS_PER_PART` runs each

    run, index, method, strength, data, seed    which run, from the plan
    step                                        the last one
    kind             "score": needs the factors. "unsupervised": does not.
                     "term": of the loss, trained. "held_out": on held-out images.
    metric           such as "dci"; its other numbers as "dci.completeness"
    protocol, representation, metric_seed       how, on "mean" or "sampled" codes, with
                                                which seed of the metric
    value, floor, ceiling                       NaN where there is none
    reason                                      why a metric gave no score
    then a column for each binding that varies, under its own name

Each pass reads the runs that have changed since the last one (by the sizes and times of
their files) and replaces the parts they are in. Results are those of runs that are
done; curves are also those of runs that still train, with `CURVE_POINTS` points at
most.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tf_disentangle import files
from tf_disentangle.checks import ArgumentError, require
from tf_disentangle.studies import run_rows, state
from tf_disentangle.studies.plan import folder_of

#: Runs whose rows are written together, and read together in memory.
RUNS_PER_PART = 1_000

_OF_RUN = ["index", "method", "strength", "data", "seed"]
_OF_PLAN = ["id", *_OF_RUN, "files", "settings"]
_HEAD = ["run", *_OF_RUN, "step", "kind", "metric", "protocol", "representation"]
_TAIL = ["metric_seed", "value", "floor", "ceiling", "reason"]
_VERSION = "1"  # Of what is read from a run; a new version reads all runs again.
_logger = logging.getLogger(__name__)


def collect(folder: str | os.PathLike, *, progress: bool = False) -> pd.DataFrame:
    """Brings the tables of a study up to date and returns the table of results.

    It may be called while the study runs, and by several processes: one after the
    other. A run whose rows cannot be read is left out with a warning.

    Args:
        folder: The study's folder, with its plan.parquet.
        progress: Whether to show a bar on stderr.

    Raises:
        ArgumentError: If `folder` has no plan, or cannot be written.
    """
    folder = pathlib.Path(folder)
    plan = read_plan(folder)
    parts = folder / "results"
    with (
        files.explaining(parts),
        files.locked(parts / ".lock", notice="Another process collects; waiting."),
    ):
        _update_parts(folder, plan, parts, progress)
        key = stamp(folder / "plan.parquet", *sorted(parts.glob("*.parquet")))
        results, curves = folder / "results.parquet", folder / "curves.parquet"
        if _metadata(results).get("key") != key or not curves.exists():
            count = -(-plan.num_rows // RUNS_PER_PART)
            _write_curves(curves, parts, count)
            # The results carry the key of both, so they are written last.
            _write_results(results, plan, parts, count, key)
    return read(folder)


def read(
    folder: str | os.PathLike, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Returns the results as they were last collected.

    Args:
        folder: The study's folder.
        columns: Names of the columns to read; None reads all.

    Raises:
        ArgumentError: If nothing was collected.
    """
    return _read(pathlib.Path(folder) / "results.parquet", columns=columns)


def read_curves(
    folder: str | os.PathLike, metrics: Sequence[str] | None = None
) -> pd.DataFrame:
    """Returns terms and scores during training as they were last collected.

    Args:
        folder: The study's folder.
        metrics: Names of those to read; None reads all.

    Raises:
        ArgumentError: If nothing was collected.
    """
    wanted = None if metrics is None else [("metric", "in", list(metrics))]
    return _read(pathlib.Path(folder) / "curves.parquet", filters=wanted)


def add_rows(
    folder: str | os.PathLike,
    name: str,
    results: run_rows.Results,
    notes: Mapping[str, str],
) -> pd.DataFrame:
    """Adds rows that belong to no single run to those of the runs, and collects.

    Args:
        folder: The study's folder.
        name: Name of the rows; those of the same name are replaced.
        results: Their columns, `run` being the ids of runs of the plan.
        notes: Kept with them, for `read_added`.
    """
    rows = results.table().replace_schema_metadata(dict(notes))
    with files.replacing(_added(folder, name)) as temporary:
        pq.write_table(rows, temporary, compression="zstd")
    return collect(folder)


def read_added(
    folder: str | os.PathLike, name: str
) -> tuple[pa.Table, Mapping[str, str]]:
    """Returns what `add_rows` put there, and its notes; nothing if there is nothing."""
    path = _added(folder, name)
    if not path.exists():
        return run_rows.Results().table(), {}
    return pq.read_table(path), _metadata(path)


def _added(folder: str | os.PathLike, name: str) -> pathlib.Path:
    return pathlib.Path(folder) / "results" / f"added-{name}.parquet"


def read_plan(folder: pathlib.Path) -> pa.Table:
    """Returns the plan of a study, a row for each run.

    Raises:
        ArgumentError: If it is not there.
    """
    path = folder / "plan.parquet"
    rule, remedy = "be the folder of a study (with plan.parquet)", "Start it first."
    require(path.exists(), "study", rule, str(folder), remedy)
    return pq.read_table(path)


def bindings_of(table: pd.DataFrame) -> list[str]:
    """Returns the names of the columns of varied bindings of a table of results."""
    return [name for name in table.columns if name not in (*_HEAD, *_TAIL)]


def _update_parts(
    folder: pathlib.Path, plan: pa.Table, parts: pathlib.Path, progress: bool
) -> None:
    """Reads the runs that changed."""
    from tqdm import tqdm

    files.remove_temporaries(parts)
    runs = plan["id"].to_pylist()
    starts = range(0, len(runs), RUNS_PER_PART)
    for number, start in enumerate(
        tqdm(starts, desc="collect", unit="part", disable=not progress)
    ):
        chosen = runs[start : start + RUNS_PER_PART]
        _update_part(folder, chosen, parts, number)
    for path in parts.glob("*-[0-9]*.parquet"):
        if int(path.stem.split("-")[1]) >= len(starts):
            path.unlink()  # Of a longer plan.


def _update_part(
    folder: pathlib.Path, runs: Sequence[str], parts: pathlib.Path, number: int
) -> None:
    """Brings the two files of one part up to date."""
    stamps = {}
    for run in runs:
        run_folder = folder_of(folder, run)
        stamps[run] = stamp(run_folder / "metrics.jsonl", run_folder / "done.json")
    results_path = _part(parts, "results", number)
    curves_path = _part(parts, "curves", number)
    known = _metadata(results_path)
    before = known if known.get("version") == _VERSION else {}
    before = before if curves_path.exists() else {}
    old = json.loads(before.get("stamps", "{}"))
    if before and old == stamps:
        return
    kept = [run for run in runs if old.get(run) == stamps[run]]
    results, curves = run_rows.Results(), run_rows.Curves()
    for run in runs:
        if old.get(run) == stamps[run]:
            continue
        run_folder = folder_of(folder, run)
        is_done = state.is_done(run_folder)
        try:
            path = run_folder / "metrics.jsonl"
            run_rows.add_run(run, path, results if is_done else None, curves)
        except (ArgumentError, OSError) as error:
            _logger.warning("Run %s is left out of the table: %s", run, error)
    about = {"version": _VERSION, "stamps": json.dumps(stamps)}
    # The results carry the stamps, so they are written last.
    for path, new, own in (
        (curves_path, curves.table(), {}),
        (results_path, results.table(), about),
    ):
        if kept:
            rows = pq.read_table(path)
            rows = rows.filter(pc.is_in(rows["run"], pa.array(kept, pa.string())))
            new = pa.concat_tables([rows.replace_schema_metadata(None), new])
        with files.replacing(path) as temporary:
            with_notes = new.replace_schema_metadata(own)
            pq.write_table(with_notes, temporary, compression="zstd")


def _write_results(
    path: pathlib.Path, plan: pa.Table, parts: pathlib.Path, count: int, key: str
) -> None:
    """Joins the parts with the plan, one after the other."""
    bindings = [name for name in plan.column_names if name not in _OF_PLAN]
    place_of = {run: place for place, run in enumerate(plan["id"].to_pylist())}
    about = plan.select([*_OF_RUN, *bindings])
    pieces = [_part(parts, "results", number) for number in range(count)]
    pieces += sorted(parts.glob("added-*.parquet"))

    def tables() -> Iterator[pa.Table]:
        for piece in pieces:
            rows = pq.read_table(piece).replace_schema_metadata(None)
            runs = rows["run"].to_pylist()
            places = np.array([place_of.get(run, -1) for run in runs], np.int64)
            rows = rows.filter(pa.array(places >= 0))
            joined = about.take(pa.array(places[places >= 0]))
            for name in joined.column_names:
                rows = rows.append_column(name, joined[name])
            yield rows.select([*_HEAD, *_TAIL, *bindings])

    _write(path, tables(), {"key": key})


def _write_curves(path: pathlib.Path, parts: pathlib.Path, count: int) -> None:
    pieces = (_part(parts, "curves", number) for number in range(count))
    _write(path, (pq.read_table(piece) for piece in pieces), {})


def _write(
    path: pathlib.Path, tables: Iterator[pa.Table], metadata: Mapping[str, str]
) -> None:
    """Writes tables of one schema as one file, held one at a time."""
    with files.replacing(path) as temporary, contextlib.ExitStack() as stack:
        writer = None
        for table in tables:
            table = table.replace_schema_metadata(dict(metadata))
            if writer is None:
                writer = pq.ParquetWriter(temporary, table.schema, compression="zstd")
                stack.enter_context(writer)
            writer.write_table(table)


def _part(parts: pathlib.Path, kind: str, number: int) -> pathlib.Path:
    return parts / f"{kind}-{number:05d}.parquet"


def stamp(*paths: pathlib.Path) -> str:
    """Returns the sizes and times of files, which change when they do."""
    known = []
    for path in paths:
        try:
            found = path.stat()
            known.append(f"{found.st_mtime_ns:x}.{found.st_size:x}")
        except FileNotFoundError:
            known.append("-")
    return " ".join(known)


def _metadata(path: pathlib.Path) -> dict[str, str]:
    """What a file says about itself; nothing if it is not there or cannot be read."""
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return {}
    return {key.decode(): value.decode() for key, value in metadata.items()}


def _read(path: pathlib.Path, **options: Any) -> pd.DataFrame:
    rule, remedy = "be a study that was collected", "Call collect(folder) first."
    require(path.exists(), "study", rule, str(path.parent), remedy)
    table = pq.read_table(path, **options)
    types = {pa.int64(): pd.Int64Dtype()}
    frame = table.to_pandas(
        types_mapper=types.get if "metric_seed" in table.column_names else None
    )
    whole = {n: "int64" for n in ("index", "seed", "step") if n in frame}
    return frame.astype(whole)
