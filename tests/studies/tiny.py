"""Studies of tiny runs, and a driver of them in a process of its own.

python -m tests.studies.tiny STUDY NUM_RUNS ENGINE [SECONDS]
"""

import dataclasses
import json
import os
import pathlib
import sys
import time

import psutil

from tf_disentangle.studies import driver, engines, live, plan_table

SCRIPT = pathlib.Path(__file__).with_name("tiny_run.py")
ROOT = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class TinyRun:
    id: str
    index: int
    method: str = "vae"
    strength: float | None = None
    data: str = "ellipses"
    seed: int = 0
    files: tuple = ()
    settings: dict = dataclasses.field(default_factory=dict)
    values: dict = dataclasses.field(default_factory=dict)


class TinyPlan:
    """As `Plan`, of numbered runs."""

    def __init__(self, folder, num_runs):
        self.folder = pathlib.Path(folder)
        self.runs = [TinyRun(f"{i:04x}", i, seed=i) for i in range(num_runs)]

    def folder_of(self, run):
        return self.folder / "runs" / run.id

    def write(self, attempts=3):
        """Writes plan.parquet and study.json, for the commands on a study."""
        self.folder.mkdir(parents=True, exist_ok=True)
        about = {"schema_version": plan_table.SCHEMA_VERSION, "attempts": attempts}
        (self.folder / "study.json").write_text(json.dumps(about))
        plan_table.write(self.folder / plan_table.NAME, self.runs)

    def behave(self, **wrong):
        """Has runs misbehave: raise=[3, 5]."""
        folder = self.folder / "behaviour"
        folder.mkdir(parents=True, exist_ok=True)
        for kind, numbers in wrong.items():
            for number in numbers:
                (folder / self.runs[number].id).write_text(kind)

    def command(self, seconds=0.2):
        start = [sys.executable, str(SCRIPT), str(self.folder)]
        return lambda run: [*start, run.id, str(seconds)]


class Notes:
    """A view that keeps what it is told."""

    def __init__(self, each=None):
        self.lines = []
        self.each = each or (lambda progress: None)

    def update(self, progress):
        self.each(progress)

    def note(self, text):
        self.lines.append(text)


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def times_finished(plan):
    """How often each run came to its end, by id."""
    return {r.id: len(lines(plan.folder_of(r) / "finished.txt")) for r in plan.runs}


def processes_of(folder):
    """The processes that name a study's folder in their command line."""
    found = []
    for process in psutil.process_iter():
        try:
            text = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if str(folder) in text and process.pid != os.getpid():
            found.append(process)
    return found


def require_none_left(folder, within=10.0):
    """No process of a study is left, or none is after a moment."""
    deadline = time.monotonic() + within
    while left := processes_of(folder):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def main(folder, num_runs, engine, seconds="0.2", limit="20"):
    plan = TinyPlan(folder, int(num_runs))
    with live.LiveView() as view:
        progress = driver.drive(
            plan,
            engines.make(engine, workers=4),
            plan.command(seconds),
            time_limit=float(limit),
            grace=1.0,
            view=view,
        )
    return 128 + progress.signal if progress.signal else bool(progress.failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
