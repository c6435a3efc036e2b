"""The engine in the form of a script: a Slurm array, which the user submits."""

from __future__ import annotations

import math
import os
import pathlib
import shlex
import sys

from tf_disentangle import checks
from tf_disentangle.studies.engines import GRACE, thread_caps

# Slurm takes array indices below its MaxArraySize, 1,001 by default.
_LARGEST_ARRAY = 1000
# Seconds between SIGTERM and the end of a task.
_NOTICE = 120


def script(
    study: str | os.PathLike,
    num_runs: int,
    *,
    threads: int = 1,
    gpus: float = 0,
    time_limit: float | None = None,
    at_a_time: int | None = None,
) -> str:
    """Returns a script for sbatch that runs each run of a study.

    A task does one run; if there are more than 1,000 runs, it does every 1,000th in
    turn. A run that is done returns at once, so the same script may be submitted again.

    Args:
        study: The study's folder, which all nodes see under this path.
        num_runs: How many runs the plan has.
        threads: Cores of one run.
        gpus: GPUs of one run; whole ones, since Slurm shares none by default.
        time_limit: Seconds that a run may take until it saves itself and stops, to go
            on when the script is submitted again; None is the partition's limit.
        at_a_time: How many tasks at a time; None is as many as Slurm starts.
    """
    num_runs = checks.integer(num_runs, "num_runs", at_least=1)
    threads = checks.integer(threads, "threads", at_least=1)
    gpus = checks.real(gpus, "gpus", at_least=0)
    rule = "be a whole number for Slurm"
    checks.require(gpus == int(gpus), "gpus", rule, gpus, "Ray shares GPUs.")
    folder = pathlib.Path(study).absolute()
    tasks = min(num_runs, _LARGEST_ARRAY)
    each = math.ceil(num_runs / tasks)
    options = {
        "job-name": folder.name,
        "array": f"0-{tasks - 1}" + (f"%{at_a_time}" if at_a_time else ""),
        "cpus-per-task": threads,
        "output": folder / "slurm-%A_%a.txt",
        # The run saves itself when the time of the task is nearly over.
        "signal": f"TERM@{_NOTICE}",
    }
    if gpus:
        options["gpus-per-task"] = int(gpus)
    if time_limit is not None:
        limit = checks.real(time_limit, "time_limit", above=0)
        whole = each * (limit + GRACE) + _NOTICE
        options["time"] = math.ceil(whole / 60)  # minutes
    head = "".join(f"#SBATCH --{name}={value}\n" for name, value in options.items())
    caps = "".join(f"export {n}={v}\n" for n, v in thread_caps(threads).items())
    path = os.environ.get("PYTHONPATH")
    caps += f"export PYTHONPATH={shlex.quote(path)}\n" if path else ""
    python = shlex.quote(sys.executable)
    command = f"{python} -m tf_disentangle study run {shlex.quote(str(folder))}"
    if time_limit is not None:
        command = f"timeout --kill-after={GRACE:g} {math.ceil(limit)} {command}"
    # After a signal no other run is started.
    body = (
        f"for ((i = SLURM_ARRAY_TASK_ID; i < {num_runs}; i += {tasks})); do\n"
        f"    srun {command} $i\n"
        "    code=$?\n"
        "    [[ $code == 130 || $code == 143 ]] && exit $code\n"
        "    [[ $code == 0 ]] || failed=1\n"
        "done\n"
        "exit ${failed:-0}\n"
    )
    cwd = f"cd {shlex.quote(os.getcwd())}\n"
    return f"#!/bin/bash\n{head}\n{caps}{cwd}{body}"
