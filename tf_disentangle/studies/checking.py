"""Builds runs of a plan before any starts, so that mistakes are reported at once."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tempfile
from typing import Any

from tf_disentangle import checks
from tf_disentangle.progress import Line
from tf_disentangle.studies import job
from tf_disentangle.studies.plan import Plan, PlannedRun

_PROGRESS = "Checking "


def check(plan: Plan) -> None:
    """Builds one run for each set of files and names that are bound on top of them.

    A separate process does so, by `bin/study check`. Otherwise, the process that starts
    the runs would hold TensorFlow's memory for as long as they take.

    Raises:
        ArgumentError: If one cannot be built; the error says what its files or bindings
            must be.
    """
    with tempfile.TemporaryDirectory() as folder:
        written = dataclasses.replace(plan, folder=None).write(folder)
        start = [sys.executable, "-m", "tf_disentangle", "study", "check"]
        child = subprocess.Popen(
            [*start, str(written.folder)],
            stdout=subprocess.DEVNULL,  # bin/study --print=slurm prints a script there.
            stderr=subprocess.PIPE,
            text=True,
        )
        said, progress = [], Line()
        with child:
            for line in child.stderr or ():
                if line.startswith(_PROGRESS):
                    progress.show(line.rstrip())
                else:
                    said.append(line)
    text = "".join(said).strip().removeprefix("tf_disentangle study check: ")
    if child.returncode:
        reason = f"building the runs ended with code {child.returncode}, and no message"
        raise checks.ArgumentError(text or reason)


def representatives(plan: Plan) -> list[PlannedRun]:
    """Returns one run for each set of files and names that are bound on top of them."""
    chosen: dict[Any, PlannedRun] = {}
    for run in plan.runs:
        chosen.setdefault((run.files, frozenset(run.settings)), run)
    return list(chosen.values())


def build_each(plan: Plan) -> int:
    """Builds these runs in this process; returns how many they are.

    Raises:
        ArgumentError: As `check`.
    """
    runs = representatives(plan)
    for number, run in enumerate(runs, start=1):
        settings = ", ".join(f"{n} = {v}" for n, v in run.settings.items())
        what = f"{run.method} on {run.data}" + (settings and f" with {settings}")
        print(f"{_PROGRESS}{number} of {len(runs)}: {what}", file=sys.stderr)
        try:
            job.prepare(run, plan.about, None)
        except (checks.ArgumentError, checks.ArgumentTypeError) as error:
            raise checks.ArgumentError(f"{error}\n  In {what}.") from error
    return len(runs)
