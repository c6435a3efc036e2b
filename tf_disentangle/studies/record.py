"""What a report says about a study besides scores: axes, states, hours, failures."""

from __future__ import annotations

import collections
import dataclasses
import os
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tf_disentangle.studies import attempts, state
from tf_disentangle.studies.plan import Plan, PlannedRun

#: Lines of a failed run's log that a report shows.
LOG_LINES = 30
# This much of the end of a log contains them.
_LOG_BYTES = 20_000
# How many of the failed runs are shown with their logs.
_MOST_LOGS = 50


@dataclasses.dataclass(frozen=True)
class Failure:
    """A run that was given up, or that failed and may still be tried again.

    Attributes:
        run: Its id.
        what: Method, strength, data and seed.
        attempts: How often it failed.
        final: Whether it is not tried again.
        reason: Why the last attempt ended.
        log: The last lines of its log; "" if it wrote none.
        alike: Whether another attempt would end the same way.
    """

    run: str
    what: str
    attempts: int
    final: bool
    reason: str
    log: str = ""
    alike: bool = False


@dataclasses.dataclass(frozen=True)
class StudyRecord:
    """What is known of a study without its results.

    Attributes:
        name: What it is called.
        folder: Where it is.
        axes: The values of each axis, as they are to be shown.
        states: Number of runs by state, in the order of `state.STATES`.
        failures: The runs that failed.
        hours: Hours of all attempts, on whichever machine.
        machines: Names of the machines.
        versions: Versions by package.
        study: What study.json says: grid, bindings, metrics, representations.
        configurations: The final bindings of the gin files, by the names of the files.
    """

    name: str
    folder: str
    axes: Mapping[str, Sequence[str]]
    states: Mapping[str, int]
    failures: Sequence[Failure] = ()
    hours: float = 0.0
    machines: Sequence[str] = ()
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    study: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    configurations: Mapping[str, str] = dataclasses.field(default_factory=dict)


def read_record(folder: str | os.PathLike) -> StudyRecord:
    """Reads what is known of the study in a folder, whatever state it is in.

    Raises:
        ArgumentError: If the folder holds no study.
    """
    plan = Plan.read(folder)
    attempts_of_each = plan.about["attempts"]
    states: collections.Counter[str] = collections.Counter()
    failures: list[Failure] = []
    machines: set[str] = set()
    seconds = 0.0
    for run in plan.runs:
        run_folder = plan.folder_of(run)
        found = state.state_of(run_folder, attempts_of_each, steps=False)
        states[found.state] += 1
        time_taken, hosts = _time(run_folder)
        seconds += time_taken
        machines |= hosts
        if found.reason:
            log = _end_of_log(run_folder) if len(failures) < _MOST_LOGS else ""
            final = found.state == state.FAILED
            alike = state.would_fail_again(run_folder)
            what = (_what(run), found.failures, final, found.reason, log, alike)
            failures.append(Failure(run.id, *what))
    return StudyRecord(
        name=str(plan.about["name"]),
        folder=str(folder),
        axes=_axes(plan.runs),
        states={name: states[name] for name in state.STATES},
        failures=failures,
        hours=seconds / 3600,
        machines=sorted(machines),
        versions=dict(plan.about.get("versions", {})),
        study=plan.about,
        configurations={
            ", ".join(paths): "\n".join(
                f"{name} = {value}" for name, value in resolved.bindings.items()
            )
            for paths, resolved in plan.configurations.items()
        },
    )


def _axes(runs: Sequence[PlannedRun]) -> dict[str, list[str]]:
    """Returns the values of each axis in their first order."""
    found: dict[str, dict[str, None]] = {"method": {}, "data": {}}
    for run in runs:
        found["method"][run.method] = None
        found["data"][run.data] = None
        for name, value in run.values.items():
            found.setdefault(name, {})[str(value)] = None
    found["seed"] = dict.fromkeys(str(run.seed) for run in runs)
    return {name: list(values) for name, values in found.items()}


def _what(run: PlannedRun) -> str:
    strength = "" if run.strength is None else f" {run.strength:g}"
    return f"{run.method}{strength}, {run.data}, seed {run.seed}"


def _time(folder: pathlib.Path) -> tuple[float, set[str]]:
    """Returns the seconds of all attempts at a run, and on which machines they were.

    An attempt without an end counts until the next one began, and the last of all until
    the log was last written.
    """
    tried = [a for a in attempts.read(folder, whole=True) if a.kind != attempts.LOCKED]
    try:
        last = (folder / "log.txt").stat().st_mtime
    except OSError:
        last = time.time()
    ends = [*(a.time for a in tried[1:]), last]
    seconds = sum(
        max(0.0, (end if a.ended is None else a.ended) - a.time)
        for a, end in zip(tried, ends, strict=False)
    )
    return seconds, {a.host for a in tried}


def _end_of_log(folder: pathlib.Path) -> str:
    """Returns the last lines of a run's log."""
    try:
        with (folder / "log.txt").open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _LOG_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-LOG_LINES:])
