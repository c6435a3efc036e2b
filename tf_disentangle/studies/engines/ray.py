"""The engine on Ray core: this machine, or a cluster.

One remote function starts the run's own process and watches how it ends. Ray is used
only for placing the runs: retries, results and the record of what is done are left to
the run folder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import importlib
import logging
import os
import pathlib
import secrets
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from typing import IO, Any

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
_RECOUNT = 30.0  # Seconds between counts of what a cluster takes; it may grow.
_LOOK = 5.0  # Seconds between looks at whether Ray itself is alive.
_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
_TRIES = 3  # How often an embedded Ray is started anew.
# A short path, since those of sockets may have 107 bytes.
_TEMP = "/tmp" if os.path.isdir("/tmp") else tempfile.gettempdir()
_PREFIX = "tfd-ray-"
_logger = logging.getLogger(__name__)


def run_supervised(command: Sequence[str], driver_python: str) -> bytes:
    """Runs a supervisor to its end, on whatever node this is.

    Args:
        command: The command of the supervisor, with the driver's Python.
        driver_python: The path of the driver's Python, which is replaced by this
            node's.

    Returns:
        What it printed; nothing if it was killed.
    """
    command = [sys.executable, *command[1:], "apart"]
    command[-2] = command[-2].replace(f'"{driver_python}"', f'"{sys.executable}"')
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, start_new_session=True
    ) as process:
        while True:
            try:
                # In steps, since `ray.cancel` only takes effect between them.
                while not select.select([process.stdout], [], [], 0.1)[0]:
                    pass
                return process.stdout.read()
            except KeyboardInterrupt:
                os.write(process.stdin.fileno(), b"s")


class RayEngine:
    """Has Ray place the jobs.

    Args:
        workers: Runs at a time of an embedded Ray; None is as many as the cores take.
        threads: Cores of one run.
        gpus: GPUs of one run; a fraction shares one.
        address: Address of the cluster; None starts Ray inside this process.
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
        self._ray = _imported(address)
        self._running: dict[Any, Job] = {}
        self._folder: str | None = None
        self._starts = 0
        self._slots = 1
        self._start()

    @property
    def slots(self) -> int:
        """Twice what the nodes take, so that a free or new node finds a job waiting."""
        if self._address is not None and time.monotonic() - self._counted > _RECOUNT:
            self._count()
        return self._slots

    def submit(self, job: Job) -> None:
        """Queues a job."""
        if 0 < self._gpus < 1:
            # TensorFlow would take all of a GPU that it shares.
            env = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", **job.env}
            job = dataclasses.replace(job, env=env)
        self._running[self._remote.remote(supervised(job), sys.executable)] = job

    def wait(self, timeout: float) -> list[tuple[Job, Outcome]]:
        """Returns the jobs that have ended, waiting for one up to `timeout` seconds."""
        if not self._running:
            time.sleep(timeout)
            return []
        finished: list[tuple[Job, Outcome]] = []
        try:
            self._require_alive()
            refs = list(self._running)
            ended, _ = self._ray.wait(refs, num_returns=len(refs), timeout=0)
            if not ended:
                ended, _ = self._ray.wait(refs, timeout=timeout)
            finished = [(self._running.pop(ref), self._outcome(ref)) for ref in ended]
            if any(outcome.kind == attempts.LOST for _, outcome in finished):
                self._require_alive(at_once=True)
        except Exception as error:  # whatever of Ray it is that broke
            return self._start_anew(error, finished)
        return finished

    def stop(self) -> None:
        """Has all jobs save themselves and stop."""
        self._cancel(force=False)

    def kill(self) -> None:
        """Kills all jobs: their supervisors notice that Ray's workers are gone."""
        self._cancel(force=True)

    def close(self) -> None:
        """Kills what still runs and ends an embedded Ray."""
        self.kill()
        with contextlib.suppress(Exception):
            self._ray.wait(
                list(self._running), num_returns=len(self._running), timeout=10
            )
        self._running.clear()
        self._ray.shutdown()
        if self._folder is not None:
            # Ray's helpers, which end after it, may write there for a moment.
            for _ in range(20):
                shutil.rmtree(self._folder, ignore_errors=True)
                if not os.path.exists(self._folder):
                    break
                time.sleep(0.1)
            self._lock.close()

    def _cancel(self, force: bool) -> None:
        for ref in self._running:
            with contextlib.suppress(Exception):
                self._ray.cancel(ref, force=force)

    def _start(self) -> None:
        """Connects to the cluster, or starts Ray inside this process."""
        if self._address is not None:
            _connect(self._ray, self._address)
        else:
            _remove_left_over()
            prefix = f"{_PREFIX}{os.getpid()}-"
            self._folder = tempfile.mkdtemp(prefix=prefix, dir=_TEMP)
            self._lock = _lock(self._folder)
            self._ray.init(
                num_cpus=(self._workers or default_workers(self._threads))
                * self._threads,
                num_gpus=self._gpus_here,
                include_dashboard=False,
                object_store_memory=_STORE,
                _node_ip_address="127.0.0.1",
                _temp_dir=self._folder,
                **_QUIET,
            )
        self._looked = time.monotonic()
        self._count()
        self._remote = self._ray.remote(run_supervised).options(
            num_cpus=self._threads, num_gpus=self._gpus, max_retries=0
        )

    def _count(self) -> None:
        """Asks Ray how much the nodes take; an embedded Ray never takes more.

        Without its control service, Ray would answer after a minute by ending this
        process.
        """
        self._counted = time.monotonic()
        total = self._ray.cluster_resources()
        takes = total.get("CPU", 0) / self._threads
        if self._gpus:
            takes = min(takes, total.get("GPU", 0) / self._gpus)
        self._slots = max(1, 2 * int(takes))

    def _require_alive(self, at_once: bool = False) -> None:
        """Raises an error if Ray itself ended, which a waiting driver does not notice.

        Raises:
            RuntimeError: If Ray ended.
        """
        if self._address is None:
            # No public function tells of the processes of an embedded Ray.
            node = self._ray._private.worker._global_node
            dead = [name for name, _ in node.dead_processes()]
            if dead:
                raise RuntimeError(f"its {dead[0]} is gone")
        elif at_once or time.monotonic() - self._looked > _LOOK:
            self._looked = time.monotonic()
            if not any(node["Alive"] for node in self._ray.nodes()):
                raise RuntimeError("none of its nodes is alive")

    def _start_anew(
        self, error: Exception, finished: list[tuple[Job, Outcome]]
    ) -> list[tuple[Job, Outcome]]:
        """Starts Ray again after it broke; its jobs are not to blame for stopping."""
        self._starts += 1
        if self._starts > _TRIES:
            raise error
        _logger.warning("Ray ended (%s) and is started again.", error)
        lost = Outcome(attempts.STOPPED, None, f"Ray ended: {error}")
        finished = [(j, lost if o.kind == attempts.LOST else o) for j, o in finished]
        finished += [(job, lost) for job in self._running.values()]
        self.close()
        self._start()
        return finished

    def _outcome(self, ref: Any) -> Outcome:
        """Returns how a job ended, or that Ray lost it."""
        try:
            return outcome_of(self._ray.get(ref))
        except self._ray.exceptions.TaskCancelledError:
            return Outcome(attempts.STOPPED, None, "stopped with the study")
        except Exception as error:  # the errors of Ray have no common base
            first = str(error).strip().partition("\n")[0]
            reason = f"{type(error).__name__}: {first}".removesuffix(": ")
            return Outcome(attempts.LOST, None, reason)


def _imported(address: str | None) -> Any:
    """Returns Ray, set up before its import, when it reads most of its environment."""
    if "ray" not in sys.modules:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_task_oom_retries", "0")
        if address is None and "RAY_AUTH_MODE" not in os.environ:
            # Others could start processes as this user through an open port.
            token = secrets.token_hex(32)
            os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=token)
    # In a notebook Ray would use ipywidgets, and tell how to install them.
    logging.getLogger("ray.widgets.util").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", "IProgress not found")
    return importlib.import_module("ray")


def require_cluster(address: str) -> None:
    """Connects to a Ray cluster and leaves it, before anything is written.

    Raises:
        ArgumentError: If there is none.
    """
    ray = _imported(address)
    _connect(ray, address)
    ray.shutdown()


def _connect(ray: Any, address: str) -> None:
    """Connects to a Ray cluster, or says why it cannot."""
    try:
        _require_listening(address)
        ray.init(address, **_QUIET)
    except (OSError, RuntimeError, ValueError) as error:
        rule = "be that of a Ray cluster, such as 10.0.0.1:6379 or auto"
        remedy = (
            f"Ray says: {str(error).rstrip('.')}. Leave it out to use this machine, or "
            "start a cluster (ray start --head). Every node, including this one, needs "
            "the first node's token (ray get-auth-token; pass it as RAY_AUTH_TOKEN)."
        )
        message = checks.message("address", rule, address, remedy)
        raise checks.ArgumentError(message) from error


def _require_listening(address: str) -> None:
    """Raises an `OSError` if nobody listens there: Ray would try for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=10).close()


def _lock(folder: str | os.PathLike) -> IO[str]:
    """Locks the folder of an embedded Ray; the lock goes with this process.

    Raises:
        OSError: If another process has it.
    """
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open(os.path.join(folder, "lock"), "a"))
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        stack.pop_all()
    return file


def _remove_left_over() -> None:
    """Removes the folders of drivers that have ended."""
    for folder in pathlib.Path(_TEMP).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), _lock(folder):
            shutil.rmtree(folder, ignore_errors=True)
