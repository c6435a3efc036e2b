"""The engine on Ray core: this machine, or a cluster.

One remote function starts the run's own process and looks at how it ends. Of Ray only
placing is used: retries, results and the record of what is done are the run folder's.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

# Before Ray is imported, which reads some of them once.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_task_oom_retries", "0")

import ray

from tf_disentangle import checks
from tf_disentangle.studies import attempts
from tf_disentangle.studies.engines import (
    Job,
    Outcome,
    default_workers,
    outcome_of,
    supervised,
)

_STORE = 80 * 2**20  # Bytes; the smallest store that Ray takes. Nothing is put there.
_LOOK = 5.0  # Seconds between looks at whether Ray itself is alive.
_TRIES = 3  # How often an embedded Ray is started anew.
_logger = logging.getLogger(__name__)


def run_supervised(command: Sequence[str], driver_python: str) -> tuple[bytes, int]:
    """Runs a supervisor to its end, on whatever node this is.

    Args:
        command: That of the supervisor, with the driver's Python.
        driver_python: Is replaced by this node's.

    Returns:
        What it printed, and its exit code.
    """
    command = [sys.executable, *command[1:]]
    quoted = [f'"{python}"' for python in (driver_python, sys.executable)]
    command[-1] = command[-1].replace(*quoted)
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, start_new_session=True)
    try:
        # In steps, since `ray.cancel` is heard between them only.
        while process.poll() is None:
            time.sleep(0.05)
    except KeyboardInterrupt:
        process.stdin.close()
        process.wait()
    with process:
        return process.stdout.read(), process.returncode


class RayEngine:
    """Has Ray place the jobs.

    Args:
        workers: Runs at a time of an embedded Ray; None is as many as the cores take.
        threads: Cores of one run.
        gpus: GPUs of one run; a fraction shares one.
        address: The cluster's; None starts Ray inside this process.
        gpus_here: GPUs of an embedded Ray; None has Ray count them.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        threads: int = 1,
        gpus: float = 0,
        address: str | None = None,
        gpus_here: int | None = None,
    ) -> None:
        self._workers = workers
        self._threads = threads
        self._gpus = gpus
        self._gpus_here = gpus_here
        self._address = address
        self._running: dict[ray.ObjectRef, Job] = {}
        self._folder: str | None = None
        self._starts = 0
        self._looked = 0.0
        self._start()

    @property
    def slots(self) -> int:
        """Twice what the nodes take: a free one finds a job there, a new one too."""
        with contextlib.suppress(Exception):  # Ray is being lost: the next look tells
            total = ray.cluster_resources()
            takes = total.get("CPU", 0) / self._threads
            if self._gpus:
                takes = min(takes, total.get("GPU", 0) / self._gpus)
            return max(1, 2 * int(takes))
        return 1

    def submit(self, job: Job) -> None:
        """Queues a job."""
        self._running[self._remote.remote(supervised(job), sys.executable)] = job

    def wait(self, timeout: float) -> list[tuple[Job, Outcome]]:
        """Returns the jobs that have ended, waiting for one up to `timeout` seconds."""
        if not self._running:
            time.sleep(timeout)
            return []
        try:
            self._look()
            refs = list(self._running)
            ended, _ = ray.wait(refs, num_returns=len(refs), timeout=0)
            if not ended:
                ended, _ = ray.wait(refs, timeout=timeout)
        except Exception as error:  # whatever of Ray it is that broke
            return self._start_anew(error)
        return [(self._running.pop(ref), _outcome(ref)) for ref in ended]

    def stop(self) -> None:
        """Has all jobs save themselves and stop."""
        self._cancel(force=False)

    def kill(self) -> None:
        """Kills all jobs: their supervisors go with Ray's workers, they with these."""
        self._cancel(force=True)

    def close(self) -> None:
        """Kills what still runs and ends an embedded Ray."""
        self.kill()
        with contextlib.suppress(Exception):
            ray.wait(list(self._running), num_returns=len(self._running), timeout=10)
        self._running.clear()
        ray.shutdown()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _cancel(self, force: bool) -> None:
        for ref in self._running:
            with contextlib.suppress(Exception):
                ray.cancel(ref, force=force)

    def _start(self) -> None:
        """Connects to the cluster, or starts Ray inside this process."""
        common: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if self._address is not None:
            try:
                ray.init(self._address, **common)
            except (ConnectionError, RuntimeError, ValueError) as error:
                rule = "be that of a Ray cluster"
                remedy = (
                    f"Ray says: {error} Every node needs the token of the first: "
                    "`ray get-auth-token` there shows it, RAY_AUTH_TOKEN hands it on."
                )
                message = checks.message("address", rule, self._address, remedy)
                raise checks.ArgumentError(message) from error
        else:
            _remove_left_over()
            # Others on this machine could start processes through an open port.
            if "RAY_AUTH_MODE" not in os.environ:
                token = secrets.token_hex(32)
                os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=token)
            # A short path, since those of sockets may have 107 bytes.
            self._folder = tempfile.mkdtemp(prefix=f"tfd-ray-{os.getpid()}-", dir=_TEMP)
            ray.init(
                num_cpus=(self._workers or default_workers(self._threads))
                * self._threads,
                num_gpus=self._gpus_here,
                include_dashboard=False,
                object_store_memory=_STORE,
                _node_ip_address="127.0.0.1",
                _temp_dir=self._folder,
                **common,
            )
        self._looked = time.monotonic()
        self._remote = ray.remote(run_supervised).options(
            num_cpus=self._threads, num_gpus=self._gpus, max_retries=0
        )

    def _look(self) -> None:
        """Raises an error if no node is alive, of which a waiting driver hears nothing.

        Raises:
            RuntimeError: If so.
        """
        if time.monotonic() - self._looked < _LOOK:
            return
        self._looked = time.monotonic()
        if not any(node["Alive"] for node in ray.nodes()):
            raise RuntimeError("no node of Ray is alive")

    def _start_anew(self, error: Exception) -> list[tuple[Job, Outcome]]:
        """Starts an embedded Ray again after it broke; its jobs are lost."""
        self._starts += 1
        if self._starts > _TRIES:
            raise error
        _logger.warning("Ray ended (%s) and is started again.", error)
        lost = Outcome(attempts.LOST, None, f"Ray ended: {error}")
        finished = [(job, lost) for job in self._running.values()]
        self.close()
        self._start()
        return finished


def _outcome(ref: ray.ObjectRef) -> Outcome:
    """Returns how a job ended, or that Ray lost it."""
    try:
        return outcome_of(*ray.get(ref))
    except ray.exceptions.TaskCancelledError:
        return Outcome(attempts.STOPPED, None, "stopped with the study")
    except Exception as error:  # the errors of Ray have no common base
        first = str(error).strip().splitlines()[0]
        return Outcome(attempts.LOST, None, f"{type(error).__name__}: {first}")


_TEMP = "/tmp" if os.path.isdir("/tmp") else None


def _remove_left_over() -> None:
    """Removes the folders of drivers that were killed."""
    for folder in pathlib.Path(_TEMP or tempfile.gettempdir()).glob("tfd-ray-*-*"):
        pid = folder.name.split("-")[2]
        if pid.isdigit() and not pathlib.Path("/proc", pid).exists():
            shutil.rmtree(folder, ignore_errors=True)
