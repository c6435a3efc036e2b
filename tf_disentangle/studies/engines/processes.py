"""The engine for one machine without Ray: a number of processes at a time."""

from __future__ import annotations

import contextlib
import selectors
import subprocess
import time

from tf_disentangle.studies.engines import Job, Outcome, outcome_of, supervised


class ProcessEngine:
    """Starts jobs as processes of this machine.

    Args:
        workers: How many at a time; the driver hands over no more.
    """

    def __init__(self, workers: int) -> None:
        self.slots = workers
        self._running: dict[subprocess.Popen, Job] = {}
        self._ended = selectors.DefaultSelector()

    def submit(self, job: Job) -> None:
        """Starts a job."""
        pipe = subprocess.PIPE
        # In a session of its own, since Ctrl-C goes to all processes of the terminal.
        process = subprocess.Popen(
            supervised(job), stdin=pipe, stdout=pipe, start_new_session=True
        )
        self._running[process] = job
        self._ended.register(process.stdout, selectors.EVENT_READ, process)

    def wait(self, timeout: float) -> list[tuple[Job, Outcome]]:
        """Returns the jobs that have ended, waiting for one up to `timeout` seconds."""
        if not self._running:
            time.sleep(timeout)
        finished = []
        for key, _ in self._ended.select(timeout):
            process = key.data
            self._ended.unregister(process.stdout)
            printed = process.stdout.read()
            process.stdout.close()
            self._order(process, b"")
            process.wait()
            finished.append((self._running.pop(process), outcome_of(printed)))
        return finished

    def stop(self) -> None:
        """Has all jobs save themselves and stop."""
        for process in self._running:
            self._order(process, b"s", last=False)

    def kill(self) -> None:
        """Kills all jobs."""
        for process in self._running:
            self._order(process, b"k")

    def close(self) -> None:
        """Kills what still runs."""
        self.kill()
        while self._running:
            self.wait(1.0)
        self._ended.close()

    def _order(
        self, process: subprocess.Popen, order: bytes, last: bool = True
    ) -> None:
        """Tells a supervisor what to do, if it is still there."""
        with contextlib.suppress(OSError, ValueError):  # gone, or told before
            if order:
                process.stdin.write(order)
                process.stdin.flush()
        if last:
            with contextlib.suppress(OSError):
                process.stdin.close()
