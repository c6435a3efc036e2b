"""Shows people the progress of a study: a live table, lines for a log, and JSON."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tf_disentangle.progress import Line, is_notebook
from tf_disentangle.studies import state
from tf_disentangle.studies.driver import Planned, Progress, label

_SHOWN = 20  # rows of a table that is drawn again and again
_RECENT = 20  # finished runs that the pace is estimated from
_WHOLE = ("run", "strength", "seed", "state", "step")  # columns of one line
_PERIOD = 60.0  # seconds between lines without news in a log


@dataclasses.dataclass
class Snapshot:
    """What is shown about a study.

    Attributes:
        counts: Number of runs by state.
        rows: The running and the partial runs with their state.
        failures: The failed runs with their state.
        eta: Seconds until all are done at the present pace; None if that is not known.
        logs: The path of the log by run id.
    """

    counts: dict[str, int]
    rows: list[tuple[Any, state.RunState]]
    failures: list[tuple[Any, state.RunState]]
    eta: float | None
    logs: dict[str, str]

    def as_json(self) -> str:
        """Returns it as JSON."""

        def shown(run: Any, found: state.RunState) -> dict[str, Any]:
            names = ("id", "index", "method", "strength", "data", "seed")
            about = {name: getattr(run, name) for name in names}
            return {**about, **dataclasses.asdict(found), "log": self.logs[run.id]}

        content = {
            "counts": self.counts,
            "eta_seconds": self.eta,
            "runs": [shown(*item) for item in self.rows],
            "failed": [shown(*item) for item in self.failures],
        }
        return json.dumps(content, indent=2)


def eta(finished: Sequence[float], remaining: int) -> float | None:
    """Returns the seconds that `remaining` runs take at the pace of the last ones.

    Args:
        finished: When runs ended, in seconds since 1970, in any order.
        remaining: How many are left.
    """
    recent = sorted(finished)[-_RECENT:]
    if len(recent) < 2 or not remaining:
        return None
    pace = (time.time() - recent[0]) / (len(recent) - 1)
    return pace * remaining


def of_folder(plan: Planned, attempts: int = state.ATTEMPTS) -> Snapshot:
    """Returns the snapshot of a study, from its run folders alone."""
    found = Snapshot(dict.fromkeys(state.STATES, 0), [], [], None, {})
    finished = []
    for run in plan.runs:
        folder = plan.folder_of(run)
        one = state.state_of(folder, attempts)
        found.counts[one.state] += 1
        if one.state == state.DONE:
            finished.append(os.stat(os.path.join(folder, "done.json")).st_mtime)
        elif one.state == state.FAILED:
            found.failures.append((run, one))
        elif one.state != state.WAITING:
            found.rows.append((run, one))
        if one.state != state.WAITING:
            found.logs[run.id] = os.path.join(folder, "log.txt")
    if found.counts[state.RUNNING]:
        found.eta = eta(finished, len(plan.runs) - len(finished) - len(found.failures))
    return found


def of_progress(progress: Progress) -> Snapshot:
    """Returns the snapshot that a driver shows; only runs under way are looked at."""
    plan, counts = progress.plan, dict.fromkeys(state.STATES, 0)
    logs: dict[str, str] = {}
    rows: list[tuple[Any, state.RunState]] = []
    running: set[str] = set()
    started = [*progress.flying.values(), *progress.elsewhere.values()]
    for run in started:
        folder = plan.folder_of(run)
        logs[run.id] = os.path.join(folder, "log.txt")
        if state.is_running(folder):
            running.add(run.id)
            if len(rows) < _SHOWN:
                rows.append((run, state.state_of(folder, progress.attempts)))
    failures: list[tuple[Any, state.RunState]] = []
    if progress.failed:
        for run in plan.runs:
            if run.id in progress.failed and len(failures) < _SHOWN:
                reason = progress.failed[run.id]
                failures.append((run, state.RunState(state.FAILED, reason=reason)))
                logs[run.id] = os.path.join(plan.folder_of(run), "log.txt")
    counts[state.DONE] = progress.done
    counts[state.FAILED] = len(progress.failed)
    counts[state.RUNNING] = len(running)
    counts[state.PARTIAL] = len(progress.begun - running)
    counts[state.WAITING] = progress.remaining - len(progress.begun | running)
    left = eta(progress.finished[-_RECENT:], progress.remaining)
    return Snapshot(counts, rows, failures, left, logs)


def counted(snapshot: Snapshot) -> str:
    """Returns the counts and the time left in a line."""
    total = sum(snapshot.counts.values())
    parts = [f"{snapshot.counts[state.DONE]} of {total} runs done"]
    for name in (state.RUNNING, state.PARTIAL, state.WAITING, state.FAILED):
        if snapshot.counts[name]:
            parts.append(f"{snapshot.counts[name]} {name}")
    if snapshot.eta is not None:
        left = datetime.timedelta(seconds=round(snapshot.eta))
        parts.append(f"about {left} left")
    return ", ".join(parts)


def under_way(snapshot: Snapshot) -> list[str]:
    """Returns the runs that are running, at most three, each with its step."""
    running = [item for item in snapshot.rows if item[1].state == state.RUNNING]
    return [
        f"{label(run)}: " + (f"step {steps(one)}" if steps(one) else "starting")
        for run, one in running[:3]
    ]


def drawn(snapshot: Snapshot) -> Group:
    """Returns the counts, the runs under way and the failures, for a terminal."""
    parts: list[Any] = [Text(counted(snapshot), style="bold")]
    if snapshot.rows:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("run", "method", "strength", "data", "seed", "state", "step"):
            table.add_column(
                name,
                justify="right" if name in ("strength", "seed", "step") else "left",
                # A state is one line; where there is no room, names are cut.
                no_wrap=name in _WHOLE,
            )
        for run, one in snapshot.rows[:_SHOWN]:
            strength = "" if run.strength is None else f"{run.strength:g}"
            again = "once" if one.failures == 1 else f"{one.failures} times"
            tried = f", failed {again}" if one.failures else ""
            names = (run.id, run.method, strength, run.data, str(run.seed))
            table.add_row(*names, f"{one.state}{tried}", steps(one))
        parts.append(table)
        if len(snapshot.rows) > _SHOWN:
            parts.append(Text(f"and {len(snapshot.rows) - _SHOWN} more", style="dim"))
    for run, one in snapshot.failures[:_SHOWN]:
        parts.append(Text(f"failed  {label(run)}", style="red"))
        parts.append(Text(f"        {one.reason}"))
        parts.append(Text(f"        {snapshot.logs[run.id]}", style="dim"))
    if len(snapshot.failures) > _SHOWN:
        more = f"and {len(snapshot.failures) - _SHOWN} more failed (--json has all)"
        parts.append(Text(more, style="red"))
    return Group(*parts)


def steps(one: state.RunState) -> str:
    """Returns "1,200 / 3,000", as far as that is known."""
    if not one.steps:
        return f"{one.step:,}" if one.step else ""
    return f"{one.step:,} / {one.steps:,} ({one.step / one.steps:.0%})"


class LiveView:
    """Shows a driver's progress: a table in a terminal, a line in a notebook's cell.

    A log gets lines.
    """

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._live: Live | None = None
        self._cell = Line() if is_notebook() else None
        self._shown = 0.0

    def __enter__(self) -> LiveView:
        if self._console.is_terminal and self._cell is None:
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        if self._live is not None:
            self._live.__exit__(*error)

    def update(self, progress: Progress) -> None:
        """Draws the table, at most twice a second; a line each minute in a log."""
        now = time.monotonic()
        stopped = progress.signal is not None or progress.full
        over = not progress.flying and (stopped or not progress.remaining)
        pause = _PERIOD if self._live is None and self._cell is None else 0.4
        if self._shown and now - self._shown < pause and not over:
            return
        self._shown = now
        snapshot = of_progress(progress)
        if self._live is not None:
            self._live.update(drawn(snapshot), refresh=True)
        elif self._cell is not None:
            self._cell.show(counted(snapshot))
        else:
            self._line("; ".join([counted(snapshot), *under_way(snapshot)]))

    def note(self, text: str) -> None:
        """Shows a line that stays."""
        if self._live is not None:
            self._console.print(Text(text))
        elif self._cell is not None:
            if not text.endswith(": done"):  # The counts say so.
                Line().show(text)
        else:
            self._line(text)

    def _line(self, text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
