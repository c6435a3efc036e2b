"""The driver: hands the runs of a study to an engine until each is done or has failed.

It keeps no state of its own: what is done, and how often a run failed, is recorded in
the run folders. So it may be killed and started again, or be started twice at once.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import os
import pathlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Protocol

from tf_disentangle import checks
from tf_disentangle.studies import attempts as records
from tf_disentangle.studies import state
from tf_disentangle.studies.engines import GRACE, Engine, Job, Outcome, thread_caps

# Seconds until a run that another driver is working on is looked at again.
_LOCKED_WAIT = (1.0, 30.0)
_TICK = 0.5


class Planned(Protocol):
    """What the driver needs to know of a plan."""

    @property
    def runs(self) -> Sequence[Any]:
        """The runs, each with its `id`."""

    def folder_of(self, run: Any) -> pathlib.Path:
        """Returns a run's folder."""


class View(Protocol):
    """What shows the progress of the study; see `live`."""

    def update(self, progress: Progress) -> None:
        """Is called about twice a second."""

    def note(self, text: str) -> None:
        """Shows a line that stays."""


@dataclasses.dataclass
class Progress:
    """How far a study is.

    Attributes:
        plan: The plan.
        attempts: How many attempts each run has.
        done: Number of runs that are done.
        begun: Ids of the runs that were begun and are neither done nor failed.
        finished: When the runs that this driver saw ended, in seconds since 1970.
        flying: The runs that the engine has, by id.
        failed: Why runs failed for good, by id.
        elsewhere: The runs that another driver is working on, by id.
        full: Why no more runs are started if the disk is full, else "".
        signal: Number of the signal that stopped the study, None if none did.
    """

    plan: Planned
    attempts: int
    done: int = 0
    begun: set[str] = dataclasses.field(default_factory=set)
    finished: list[float] = dataclasses.field(default_factory=list)
    flying: dict[str, Any] = dataclasses.field(default_factory=dict)
    failed: dict[str, str] = dataclasses.field(default_factory=dict)
    elsewhere: dict[str, Any] = dataclasses.field(default_factory=dict)
    full: str = ""
    signal: int | None = None

    @property
    def total(self) -> int:
        """Number of runs of the plan."""
        return len(self.plan.runs)

    @property
    def remaining(self) -> int:
        """Number of runs that are neither done nor failed."""
        return self.total - self.done - len(self.failed)


def drive(
    plan: Planned,
    engine: Engine,
    command: Callable[[Any], Sequence[str]],
    *,
    attempts: int = state.ATTEMPTS,
    time_limit: float | None = None,
    threads: int = 1,
    grace: float = GRACE,
    only: Collection[str] | None = None,
    view: View | None = None,
) -> Progress:
    """Runs the part of a plan that is not done yet.

    SIGINT (Ctrl-C) and SIGTERM have the runs save themselves and stop; the second of
    them kills the runs.

    Args:
        plan: The plan; its run folders are made as they are needed.
        engine: What starts the runs; it is closed at the end.
        command: Gives the command of a run. It must exit with 0 after it has written
            done.json, and with 75 if another process is working on the run.
        attempts: How often a run may fail; those of earlier drivers count.
        time_limit: Seconds that an attempt may take; None for no limit.
        threads: Cores of one run.
        grace: Seconds that a stopped run has for saving itself.
        only: Ids of the runs to start; None is all.
        view: Shows the progress.

    Returns:
        What became of the runs.

    Raises:
        ArgumentError: If the disk is full. Runs that are under way are waited for
            first.
    """
    attempts = checks.integer(attempts, "attempts", at_least=1)
    if time_limit is not None:
        time_limit = checks.real(time_limit, "time_limit", above=0)
    progress = Progress(plan, attempts)
    environment = thread_caps(threads)
    if "PYTHONPATH" in os.environ:  # the nodes of a cluster do not have the driver's
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    limits = {"time_limit": time_limit, "grace": grace, "env": environment}
    driver = _Driver(progress, engine, command, limits, view)
    with contextlib.closing(engine):
        driver.run(only)
    if progress.full:
        rule, remedy = "have room", "Free some space; the same command resumes."
        message = checks.message("the study's disk", rule, progress.full, remedy)
        raise checks.ArgumentError(message)
    return progress


class _Driver:
    """The loop of `drive`."""

    def __init__(
        self,
        progress: Progress,
        engine: Engine,
        command: Callable[[Any], Sequence[str]],
        limits: dict[str, Any],
        view: View | None,
    ) -> None:
        self.progress = progress
        self.plan = progress.plan
        self.engine = engine
        self.command = command
        self.limits = limits
        self.view = view
        self.queue: collections.deque = collections.deque()
        self.later: list[tuple[float, Any]] = []  # when it is due
        self.waited: dict[str, float] = {}
        # Failures that this driver saw, for folders that take no lines.
        self.seen: collections.Counter = collections.Counter()

    def run(self, only: Collection[str] | None) -> None:
        """Fills the queue, then works it off."""
        progress = self.progress
        for run in self.plan.runs:
            if self._settled(run):
                continue
            if records.read(self.plan.folder_of(run)):
                progress.begun.add(run.id)
            if only is None or run.id in only:
                self.queue.append(run)
        with _signals() as received:
            stops = 0
            while progress.flying or self._has_work():
                if len(received) > stops:
                    self._stop(kill=bool(stops))
                    stops = len(received)
                    progress.signal = progress.signal or received[0]
                self._submit()
                for job, outcome in self.engine.wait(_TICK):
                    self._collect(job, outcome)
                if not progress.flying and not self._has_work():
                    self._look_again()
                if self.view is not None:
                    self.view.update(progress)

    def _has_work(self) -> bool:
        """Whether there is more to start, and it may be started."""
        idle = self.progress.signal is not None or self.progress.full
        return not idle and bool(self.queue or self.later)

    def _stop(self, kill: bool) -> None:
        """Has the engine stop or kill the runs under way."""
        if kill:
            self._note("Killing the runs.")
            self.engine.kill()
        else:
            # Those that Ray has only queued have nothing to save.
            folders = map(self.plan.folder_of, self.progress.flying.values())
            number = sum(map(state.is_running, folders))
            self._note(
                f"Stopping. Runs that are saving themselves first: {number}. Interrupt "
                "again to kill them."
            )
            self.engine.stop()

    def _settled(self, run: Any) -> bool:
        """Counts a run if it is done or has failed for good; returns whether it is."""
        folder, progress = self.plan.folder_of(run), self.progress
        if state.is_done(folder):
            progress.begun.discard(run.id)
            progress.done += 1
            return True
        failures = records.failures(records.read(folder))
        if state.given_up(failures, progress.attempts):
            progress.begun.discard(run.id)
            progress.failed[run.id] = failures[-1].reason
            return True
        return False

    def _look_again(self) -> None:
        """Counts as done what another driver did after it had failed here."""
        for run in self.plan.runs:
            if run.id in self.progress.failed and state.is_done(
                self.plan.folder_of(run)
            ):
                del self.progress.failed[run.id]
                self.progress.done += 1

    def _submit(self) -> None:
        """Hands the engine as many runs as it has slots."""
        now, progress = time.monotonic(), self.progress
        due = [item for item in self.later if item[0] <= now]
        if due:
            self.later = [item for item in self.later if item[0] > now]
        for _, run in due:
            progress.elsewhere.pop(run.id, None)
            self.queue.appendleft(run)
        slots = self.engine.slots if self._has_work() and self.queue else 0
        while self.queue and len(progress.flying) < slots:
            run = self.queue.popleft()
            if self._settled(run):  # by another driver meanwhile
                progress.finished.append(time.time())
            elif self._in_use(run):
                self._put_off(run)
            elif not self._start(run):
                return

    def _in_use(self, run: Any) -> bool:
        """Whether the record says that another process has a run, which then must wait.

        The record may be wrong, for example because the process number was given to
        another process since. So the run is started in the end, and tries its lock.
        """
        asked = self.waited.get(run.id, 0.0) >= _LOCKED_WAIT[1]
        return not asked and state.is_running(self.plan.folder_of(run))

    def _put_off(self, run: Any) -> None:
        """Looks at a run in use again after a while, which is longer each time."""
        first, longest = _LOCKED_WAIT
        wait = min(longest, 2 * self.waited.get(run.id, first / 2))
        self.waited[run.id] = wait
        self.progress.elsewhere[run.id] = run
        self.later.append((time.monotonic() + wait, run))

    def _start(self, run: Any) -> bool:
        """Hands one run to the engine; False if its folder cannot be made."""
        folder = pathlib.Path(self.plan.folder_of(run)).absolute()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self.queue.appendleft(run)
            self._fill(f"{folder}: {error.strerror or error}")
            return False
        log = str(folder / "log.txt")
        job = Job(run.id, list(self.command(run)), log, cwd=os.getcwd(), **self.limits)
        self.progress.flying[run.id] = run
        self.engine.submit(job)
        return True

    def _collect(self, job: Job, outcome: Outcome) -> None:
        """Takes in how a run ended."""
        progress = self.progress
        run = progress.flying.pop(job.id)
        progress.begun.add(run.id)
        if outcome.kind == records.DONE:
            progress.begun.discard(run.id)
            progress.done += 1
            progress.finished.append(time.time())
            self._note(f"{label(run)}: done")
        elif outcome.kind == records.LOCKED:
            self._put_off(run)
        elif outcome.kind == records.FULL:
            self.queue.appendleft(run)
            self._fill(f"{label(run)}: {outcome.reason}")
        elif progress.signal is not None or outcome.kind == records.STOPPED:
            self._note(f"{label(run)}: {outcome.reason or 'stopped'}")
            self.queue.appendleft(run)
        else:
            self._fail(run, job, outcome)

    def _fail(self, run: Any, job: Job, outcome: Outcome) -> None:
        """Tries a failed run again, unless its attempts are used up."""
        progress = self.progress
        self.seen[run.id] += 1
        failures = records.failures(records.read(self.plan.folder_of(run)))
        number = max(self.seen[run.id], len(failures))
        again = number < progress.attempts
        again &= not state.given_up(failures, progress.attempts)
        tried = f"attempt {number} of {progress.attempts}"
        end = "" if again else "; not tried again"
        self._note(f"{label(run)}: {tried} failed{end}: {outcome.reason}\n  {job.log}")
        if again:
            self.queue.append(run)
        else:
            progress.begun.discard(run.id)
            progress.failed[run.id] = outcome.reason
            progress.finished.append(time.time())

    def _fill(self, reason: str) -> None:
        """Starts nothing more, since the disk is full."""
        if not self.progress.full:
            self.progress.full = reason
            self._note(f"No more runs are started: {reason}")

    def _note(self, text: str) -> None:
        if self.view is not None:
            self.view.note(text)


def label(run: Any) -> str:
    """Returns what a run is called in a line."""
    strength = "" if run.strength is None else f" {run.strength:g}"
    return f"{run.id} ({run.method}{strength}, {run.data}, seed {run.seed})"


def run_command(study: str | os.PathLike) -> Callable[[Any], list[str]]:
    """Returns the command of each run of a study: `bin/study run DIR ID`."""
    folder = str(pathlib.Path(study).absolute())
    start = [sys.executable, "-m", "tf_disentangle", "study", "run", folder]
    return lambda run: [*start, run.id]


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
    """Collects SIGINT and SIGTERM meanwhile, where this is the main thread."""
    received: list[int] = []
    numbers = [signal.SIGINT, signal.SIGTERM]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    before = {n: signal.signal(n, lambda k, _: received.append(k)) for n in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
