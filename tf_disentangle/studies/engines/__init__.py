"""Engines: what starts the runs of a study, on one machine or on many.

    engine = engines.make(workers=2)       Ray if it is installed, else processes
    engine.submit(Job("a1", ["bin/study", "run", "DIR", "a1"], "DIR/runs/a1/log.txt"))
    finished = engine.wait(1.0)            [(job, Outcome(kind="done", code=0))]
    engine.close()

An engine starts commands and watches how they end. It knows nothing about what they do,
and its state is never the record: that is kept in the run folder.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

from tf_disentangle import checks
from tf_disentangle.studies import attempts

#: Seconds that a run has for saving itself between SIGTERM and SIGKILL.
GRACE = 60.0

NAMES = ("ray", "processes")


@dataclasses.dataclass(frozen=True)
class Job:
    """One run to start.

    Attributes:
        id: Id of the run.
        command: What to start.
        log: File for what it prints; its folder, the run folder, must be there.
        cwd: Working folder; "" is the engine's own.
        env: Environment variables beside those of the engine.
        time_limit: Seconds until it is stopped and has failed; None for no limit.
        grace: Seconds that it then has for saving itself.
    """

    id: str
    command: Sequence[str]
    log: str
    cwd: str = ""
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    time_limit: float | None = None
    grace: float = GRACE


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        kind: "done", "failed", "locked", "stopped", "full" or "lost"; see `attempts`.
        code: The exit code, negative for a signal; None if it is not known.
        reason: Why it failed, in a sentence.
    """

    kind: str
    code: int | None = None
    reason: str = ""


class Engine(Protocol):
    """What starts runs."""

    @property
    def slots(self) -> int:
        """How many jobs to hand over at a time: those that run, and a few more."""

    def submit(self, job: Job) -> None:
        """Starts a job, or queues it."""

    def wait(self, timeout: float) -> list[tuple[Job, Outcome]]:
        """Returns the jobs that have ended, waiting for one up to `timeout` seconds."""

    def stop(self) -> None:
        """Has all jobs save themselves and stop; `wait` returns them."""

    def kill(self) -> None:
        """Kills all jobs; `wait` returns them."""

    def close(self) -> None:
        """Kills what still runs and leaves no process behind."""


def make(
    name: str | None = None,
    *,
    workers: int | None = None,
    threads: int = 1,
    gpus: float = 0,
    address: str | None = None,
) -> Engine:
    """Makes an engine.

    Args:
        name: "ray" or "processes"; None is Ray where it is installed.
        workers: Runs at a time on this machine; None is one for each `threads` cores. A
            cluster itself says how many it takes.
        threads: Cores of one run.
        gpus: GPUs of one run, such as 0.5 for two runs on each; needs Ray.
        address: A Ray cluster's, such as "10.0.0.1:6379" or "auto"; None starts one
            inside this process.

    Raises:
        ArgumentError: If the engine is not installed or cannot do what is asked.
    """
    name = check(name, workers=workers, threads=threads, gpus=gpus, address=address)
    if name == "processes":
        from tf_disentangle.studies.engines.processes import ProcessEngine

        return ProcessEngine(workers or default_workers(threads))
    from tf_disentangle.studies.engines.ray import RayEngine

    return RayEngine(workers, threads=threads, gpus=gpus, address=address)


def check(
    name: str | None = None,
    *,
    workers: int | None = None,
    threads: int = 1,
    gpus: float = 0,
    address: str | None = None,
) -> str:
    """Checks the arguments of `make` and returns the engine's name; starts nothing.

    Raises:
        ArgumentError: As `make`.
    """
    has_ray = importlib.util.find_spec("ray") is not None
    if name is None:
        name = "ray" if has_ray or gpus or address else "processes"
    checks.one_of(name, NAMES, "engine")
    checks.integer(threads, "threads", at_least=1)
    checks.real(gpus, "gpus", at_least=0)
    if workers is not None:
        checks.integer(workers, "workers", at_least=1)
    if name == "processes":
        for argument, value in (("gpus", gpus), ("address", address)):
            rule, remedy = "be left out with engine='processes'", "Use engine='ray'."
            checks.require(not value, argument, rule, value, remedy)
        return name
    remedy = "pip install 'tf_disentangle[study]', or use engine='processes'."
    checks.require(has_ray, "engine", "be installed", name, remedy)
    return name


def default_workers(threads: int) -> int:
    """Returns how many runs with so many threads fit on this process's cores."""
    has_affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count()
    return max(1, cores // threads)


def thread_caps(threads: int) -> dict[str, str]:
    """Returns the environment that limits a run to so many threads.

    The operations run one at a time, as in a run by hand (`determinism`).
    """
    number = str(threads)
    names = ("OMP", "OPENBLAS", "MKL", "NUMBA")
    caps = {f"{name}_NUM_THREADS": number for name in names}
    return {**caps, "TF_NUM_INTRAOP_THREADS": number, "TF_NUM_INTEROP_THREADS": "1"}


def supervised(job: Job) -> list[str]:
    """Returns the command that runs a job under its supervisor."""
    module = "tf_disentangle.studies.supervisor"
    text = json.dumps(dataclasses.asdict(job), default=dict)
    return [sys.executable, "-m", module, text]


def outcome_of(printed: bytes) -> Outcome:
    """Returns the outcome that a supervisor printed, or that it was killed."""
    try:
        return Outcome(**json.loads(printed))
    except (ValueError, TypeError):
        return Outcome(attempts.LOST, None, "its supervisor was killed")
