"""The driver: every run is done exactly once or has failed with its reason and log,
whatever is killed meanwhile.

The runs are tiny scripts. Drivers that are killed, started twice or use Ray run in
processes of their own (`tiny.main`).
"""

import collections
import dataclasses
import io
import os
import pathlib
import signal
import subprocess
import sys
import time
import types

import pytest

from tests.studies import tiny
from tf_disentangle import checks
from tf_disentangle.studies import attempts, driver, live, state
from tf_disentangle.studies.engines import Outcome
from tf_disentangle.studies.engines.processes import ProcessEngine


def drive(plan, seconds=0.1, workers=4, **options):
    view = tiny.Notes(options.pop("each", None))
    options = {"grace": 0.5, **options}
    engine = ProcessEngine(workers)
    done = driver.drive(plan, engine, plan.command(seconds), view=view, **options)
    tiny.require_none_left(plan.folder)
    return done, view.lines


class RecordingEngine:
    """Ends each job as told, the oldest first; nothing is started."""

    def __init__(self, outcomes=None, slots=3):
        self.slots = slots
        self.outcomes = outcomes or {}
        self.jobs = collections.deque()
        self.submitted = []
        self.most = 0
        self.closed = False

    def submit(self, job):
        self.jobs.append(job)
        self.submitted.append(job)
        self.most = max(self.most, len(self.jobs))

    def wait(self, timeout):
        if not self.jobs:
            return []
        job = self.jobs.popleft()
        outcomes = self.outcomes.get(job.id, [])
        outcome = outcomes.pop(0) if outcomes else Outcome("done", 0)
        folder = pathlib.Path(job.log).parent
        if outcome.kind == "done":
            (folder / "done.json").write_text("{}")
        return [(job, outcome)]

    def stop(self):
        pass

    def kill(self):
        pass

    def close(self):
        self.closed = True


def test_runs_end_done_or_failed_with_reason_and_log(tmp_path):
    plan = tiny.TinyPlan(tmp_path, 7)
    plan.behave(**{"raise": [1], "hang": [2], "kill": [3], "fill": [4]})
    damaged = plan.folder_of(plan.runs[5])
    damaged.mkdir(parents=True)
    (damaged / "run.json").write_text('{"training": {"st')
    progress, lines = drive(plan, time_limit=1.5)
    reasons = {
        "0001": "ValueError: beta must be at least 0; received -1.",
        "0002": "not done within the time limit of 1.5 s",
        "0004": "OSError: [Errno 27] File too large",
        "0005": "json.decoder.JSONDecodeError: Unterminated string",
    }
    assert progress.failed.keys() == reasons.keys()
    for name, reason in reasons.items():
        assert progress.failed[name].startswith(reason)
        folder = plan.folder_of(name_of(plan, name))
        found = state.state_of(folder)
        assert (found.state, found.failures) == ("failed", 3)
        assert found.reason.startswith(reason)
        assert any(name in line and str(folder / "log.txt") in line for line in lines)
    assert "beta must be" in (plan.folder_of(plan.runs[1]) / "log.txt").read_text()
    times = tiny.times_finished(plan)
    assert {n for n, number in times.items() if number == 1} == times.keys() - reasons
    killed = attempts.read(plan.folder_of(plan.runs[3]))
    assert [a.kind for a in killed] == ["failed", "done"]
    # Another driver has nothing left to do.
    started = len(tiny.lines(plan.folder_of(plan.runs[1]) / "pids.txt"))
    again, _ = drive(plan)
    assert (again.done, again.failed.keys()) == (3, reasons.keys())
    assert len(tiny.lines(plan.folder_of(plan.runs[1]) / "pids.txt")) == started
    # The remedy for a damaged folder: moved aside, then done.
    state.move_aside(damaged, plan.folder)
    assert drive(plan)[0].done == 4
    assert (tmp_path / "aside" / "0005-1" / "run.json").exists()


def name_of(plan, name):
    return next(run for run in plan.runs if run.id == name)


def test_failures_of_earlier_drivers_count(tmp_path):
    plan = tiny.TinyPlan(tmp_path, 1)
    plan.behave(**{"raise": [0]})
    folder = plan.folder_of(plan.runs[0])
    assert drive(plan, attempts=1)[0].failed
    assert drive(plan, attempts=2)[0].failed
    assert len(attempts.read(folder)) == 2
    assert len(attempts.read(folder)) == 2
    attempts.reset(folder)
    (tmp_path / "behaviour" / "0000").unlink()
    assert drive(plan, attempts=1)[0].done == 1


def test_what_a_folder_cannot_record_is_bounded_too(tmp_path):
    """An engine that loses every job leaves no line in the run folder."""
    plan = tiny.TinyPlan(tmp_path, 2)
    lost = Outcome("lost", None, "WorkerCrashedError")
    engine = RecordingEngine({"0000": [lost] * 9, "0001": [lost]})
    progress = driver.drive(plan, engine, plan.command())
    assert progress.failed == {"0000": "WorkerCrashedError"}
    assert progress.done == 1
    assert collections.Counter(j.id for j in engine.submitted) == {"0000": 3, "0001": 2}
    assert engine.closed


def test_few_runs_are_handed_over_at_a_time(tmp_path):
    plan = tiny.TinyPlan(tmp_path, 200)
    engine = RecordingEngine(slots=7)
    assert driver.drive(plan, engine, plan.command(), threads=2).done == 200
    assert engine.most == 7
    assert engine.submitted[0].env["OMP_NUM_THREADS"] == "2"
    assert [job.id for job in engine.submitted] == [run.id for run in plan.runs]


def test_a_run_in_use_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(driver, "_LOCKED_WAIT", (0.05, 0.2))
    plan = tiny.TinyPlan(tmp_path, 3)
    engine = RecordingEngine({"0001": [Outcome("locked", 75)] * 4})
    progress = driver.drive(plan, engine, plan.command())
    assert (progress.done, progress.failed, progress.elsewhere) == (3, {}, {})
    assert collections.Counter(j.id for j in engine.submitted)["0001"] == 5


def test_only_some_runs(tmp_path):
    plan = tiny.TinyPlan(tmp_path, 4)
    engine = RecordingEngine()
    progress = driver.drive(plan, engine, plan.command(), only=["0002"])
    assert (progress.done, progress.remaining) == (1, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attempts": 0}, "attempts must be at least 1"),
        ({"time_limit": 0}, "be greater"),
    ],
)
def test_what_the_driver_refuses(tmp_path, options, message):
    with pytest.raises(checks.ArgumentError, match=message):
        driver.drive(tiny.TinyPlan(tmp_path, 1), RecordingEngine(), None, **options)


def test_a_full_disk_stops_the_study(tmp_path):
    """On a disk of 1 MB; what could not be written is done when there is room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        plan = tiny.TinyPlan(disk / "study", 4)
        plan.folder.mkdir()
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(700_000))
        for run in plan.runs[:2]:
            plan.folder_of(run).mkdir(parents=True)
        code = "import sys\nwith open(sys.argv[1] + '/big', 'wb') as file:\n"
        code += "    while True:\n        file.write(bytes(100_000))"
        command = [sys.executable, "-c", code]
        with pytest.raises(checks.ArgumentError, match="disk must have room") as error:
            driver.drive(
                plan,
                ProcessEngine(2),
                lambda run: [*command, str(plan.folder_of(run))],
            )
        assert "No space left" in str(error.value)
        assert all(
            state.state_of(plan.folder_of(r)).state != "failed" for r in plan.runs
        )
        ballast.unlink()
        for big in plan.folder.glob("runs/*/big"):
            big.unlink()
        assert drive(plan)[0].done == 4
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def start(plan, engine="processes", seconds=0.2, limit=20, **options):
    """Starts a driver in a process of its own, in its own group, as a terminal does."""
    numbers = [str(x) for x in (len(plan.runs), engine, seconds, limit)]
    command = [sys.executable, "-m", "tests.studies.tiny", str(plan.folder), *numbers]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    return subprocess.Popen(
        command,
        cwd=tiny.ROOT,
        env=environment,
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def num_done(plan):
    return sum(state.is_done(plan.folder_of(run)) for run in plan.runs)


def num_started(plan):
    return len(list(plan.folder.glob("runs/*/pids.txt")))


def test_two_drivers_at_once_share_the_runs(tmp_path):
    plan = tiny.TinyPlan(tmp_path, 8)
    drivers = [start(plan), start(plan)]
    for process in drivers:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        assert "8 of 8 runs done" in said
    assert set(tiny.times_finished(plan).values()) == {1}


def test_a_killed_driver_is_started_again(tmp_path):
    plan = tiny.TinyPlan(tmp_path, 6)
    first = start(plan, seconds=0.5)
    wait_until(lambda: num_done(plan) >= 2)
    first.kill()
    first.communicate()
    progress, _ = drive(plan)
    assert (progress.done, progress.failed) == (6, {})
    assert set(tiny.times_finished(plan).values()) == {1}
    for run in plan.runs:
        assert attempts.failures(attempts.read(plan.folder_of(run))) == []


def test_ctrl_c_stops_and_a_second_one_kills(tmp_path):
    plan = tiny.TinyPlan(tmp_path, 4)
    plan.behave(slow=[0], hang=[1])
    process = start(plan)
    wait_until(lambda: num_started(plan) == 4 and num_done(plan) == 2)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130, said
    assert "Interrupt again to kill them" in said
    tiny.require_none_left(tmp_path, within=3)
    for run in plan.runs[:2]:
        (attempt,) = attempts.read(plan.folder_of(run))
        assert attempt.kind == "stopped"
        assert state.state_of(plan.folder_of(run)).state == "partial"


def test_sigterm_stops_too(tmp_path):
    plan = tiny.TinyPlan(tmp_path, 2)
    plan.behave(slow=[0, 1])
    process = start(plan)
    wait_until(lambda: num_started(plan) == 2)
    process.terminate()
    _, said = process.communicate(timeout=20)
    assert process.returncode == 143, said
    tiny.require_none_left(tmp_path)


def test_the_line_of_a_driver_is_that_of_status(tmp_path):
    """A run that was begun and stopped is partial for both."""
    plan = tiny.TinyPlan(tmp_path, 5)
    plan.behave(**{"raise": [1]})
    for run in plan.runs[2:4]:
        folder = plan.folder_of(run)
        folder.mkdir(parents=True)
        attempts.end(folder, attempts.begin(folder), "stopped", 143, "")
    progress, _ = drive(plan, only=[plan.runs[i].id for i in (0, 1, 2)])
    own = dataclasses.replace(live.of_progress(progress), eta=None)
    assert live.counted(own) == live.counted(live.of_folder(plan))
    line = "2 of 5 runs done, 1 partial, 1 waiting, 1 failed"
    assert live.counted(own) == line


def test_lines_for_a_log_and_a_table_for_a_terminal(tmp_path):
    plan = tiny.TinyPlan(tmp_path, 3)
    plan.behave(**{"raise": [1]})
    progress, _ = drive(plan)
    snapshot = live.of_progress(progress)
    assert live.counted(snapshot) == "2 of 3 runs done, 1 failed"
    from rich.console import Console

    console = Console(width=200, record=True, file=io.StringIO())
    console.print(live.drawn(snapshot))
    text = console.export_text()
    assert "0001 (vae, ellipses, seed 1)" in text
    assert "beta must be at least 0" in text
    assert str(plan.folder_of(plan.runs[1]) / "log.txt") in text


def test_a_narrow_terminal_breaks_no_state_over_lines(tmp_path):
    from rich.console import Console

    plan = tiny.TinyPlan(tmp_path, 1)
    one = state.RunState("partial", 2, 400, 2000, "")
    run = types.SimpleNamespace(**vars(plan.runs[0]) | {"method": "a long " * 9})
    counts = dict.fromkeys(state.STATES, 0)
    found = live.Snapshot(counts, [(run, one)], [], None, {run.id: "log"})
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(live.drawn(found))
    text = console.export_text()
    assert "400 / 2,000 (20%)" in text and "partial, failed 2 times" in text


def test_a_line_of_a_log_names_what_runs(tmp_path):
    plan = tiny.TinyPlan(tmp_path, 3)
    begun, waiting, fresh = plan.runs
    rows = [
        (begun, state.RunState("running", 0, 400, 2000, "")),
        (waiting, state.RunState("partial", 1, 10, 2000, "")),
        (fresh, state.RunState("running", 0, 0, 0, "")),
    ]
    found = live.Snapshot(dict.fromkeys(state.STATES, 0), rows, [], None, {})
    assert live.under_way(found) == [
        "0000 (vae, ellipses, seed 0): step 400 / 2,000 (20%)",
        "0002 (vae, ellipses, seed 2): starting",
    ]
