"""Attempts and states, told from files; `bin/study status` and `retry` on them."""

import json
import os
import resource
import subprocess
import sys
import time

import pytest

from tests.studies import tiny
from tf_disentangle import checks, files
from tf_disentangle.cli.main import main
from tf_disentangle.studies import attempts, live, state


def ended(folder, kind, code, reason="", times=1):
    for _ in range(times):
        attempts.end(folder, attempts.begin(folder), kind, code, reason)


def no_such_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def begun_by_another(folder, pid, host=None):
    """An attempt that another process began."""
    key = attempts.begin(folder)
    path = attempts.path_of(folder)
    *before, last = path.read_text().splitlines()
    row = json.loads(last) | {"pid": pid} | ({"host": host} if host else {})
    path.write_text("".join(f"{line}\n" for line in [*before, json.dumps(row)]))
    return key


def test_only_failures_of_the_run_count(tmp_path):
    for kind, code in [("locked", 75), ("stopped", 143), ("full", 1), ("done", 0)]:
        ended(tmp_path, kind, code)
    assert attempts.failures(attempts.read(tmp_path)) == []
    ended(tmp_path, "failed", 1, "beta must be at least 0")
    begun_by_another(tmp_path, no_such_pid())  # killed with the machine
    (failed,) = attempts.failures(attempts.read(tmp_path))
    assert failed.reason == "beta must be at least 0"
    attempts.reset(tmp_path)
    assert attempts.read(tmp_path) == []


def test_half_lines_take_no_others_along(tmp_path):
    ended(tmp_path, "failed", 1, "first")
    with open(attempts.path_of(tmp_path), "a") as file:
        file.write('{"begin": "abc", "ti')
    ended(tmp_path, "failed", 1, "second")
    assert [a.reason for a in attempts.read(tmp_path)] == ["first", "second"]


def test_a_run_goes_on_however_often_its_machine_went_down(tmp_path):
    for _ in range(state.ATTEMPTS):
        begun_by_another(tmp_path, no_such_pid())
    assert state.state_of(tmp_path).state == "partial"


def test_a_block_is_an_attempt_unless_a_supervisor_counts(tmp_path, monkeypatch):
    with pytest.raises(ValueError), attempts.recorded(tmp_path):
        raise ValueError("no")
    with pytest.raises(SystemExit), attempts.recorded(tmp_path):
        raise SystemExit(3)
    with attempts.recorded(tmp_path):
        assert attempts.read(tmp_path)[-1].alive
    found = [(a.kind, a.code, a.reason) for a in attempts.read(tmp_path)]
    assert found == [
        ("failed", 1, "ValueError: no"),
        ("failed", 3, "exit code 3"),
        ("done", 0, ""),
    ]
    monkeypatch.setenv(attempts.VARIABLE, "key")
    with attempts.recorded(tmp_path):
        assert len(attempts.read(tmp_path)) == 3


def test_states(tmp_path):
    assert state.state_of(tmp_path / "not_there").state == "waiting"
    assert state.state_of(tmp_path).state == "waiting"
    key = attempts.begin(tmp_path)
    assert state.state_of(tmp_path).state == "running"
    attempts.end(tmp_path, key, "stopped", 143)
    (tmp_path / "run.json").write_text('{"training": {"steps": 30}}')
    (tmp_path / "metrics.jsonl").write_text('{"step": 10}\n{"step": 20}\n{"ste')
    assert state.state_of(tmp_path) == state.RunState("partial", 0, 20, 30)
    ended(tmp_path, "failed", 1, "no", times=2)
    assert state.state_of(tmp_path) == state.RunState("partial", 2, 20, 30, "no")
    assert state.state_of(tmp_path, attempts=2).state == "failed"
    ended(tmp_path, "failed", 1, "again")
    assert state.state_of(tmp_path) == state.RunState("failed", 3, 20, 30, "again")
    attempts.reset(tmp_path)
    assert state.state_of(tmp_path) == state.RunState("partial", 0, 20, 30)
    (tmp_path / "done.json").write_text("{}")
    assert state.state_of(tmp_path).state == "done"


@pytest.mark.parametrize("code", [2, 3])
def test_what_would_fail_alike_is_not_tried_again(tmp_path, code):
    ended(tmp_path, "failed", code, "x must be y")
    assert state.state_of(tmp_path).state == "failed"


def test_processes_of_other_machines_live_while_they_have_the_lock(tmp_path):
    begun_by_another(tmp_path, no_such_pid())
    assert state.state_of(tmp_path).state == "partial"
    begun_by_another(tmp_path, no_such_pid(), host="elsewhere")
    assert not state.is_running(tmp_path)  # it has not come to the lock yet
    with files.locked(tmp_path / state.LOCK):
        assert state.state_of(tmp_path).state == "running"
    assert state.state_of(tmp_path).state == "partial"  # the machine went down


def test_a_folder_is_moved_aside_and_not_out_of_a_process(tmp_path):
    folder = tmp_path / "runs" / "a"
    for number in (1, 2):
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(f"damaged {number}")
        aside = state.move_aside(folder, tmp_path)
        assert (aside / "run.json").read_text() == f"damaged {number}"
        assert aside == tmp_path / "aside" / f"a-{number}"
        assert not folder.exists()
    folder.mkdir()
    code = (
        "import filelock, sys, time; lock = filelock.FileLock(sys.argv[1]);"
        "lock.acquire(); print('locked', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(folder / state.LOCK)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with pytest.raises(checks.ArgumentError, match="in use by another process"):
            state.move_aside(folder, tmp_path)
        process.kill()
    assert folder.exists()


def test_the_time_left():
    now = time.time()
    assert live.eta([], 10) is None
    assert live.eta([now], 10) is None
    assert live.eta([now - 40, now - 10, now - 20], 10) == pytest.approx(200, abs=1)
    assert live.eta([now - 40, now - 10], 0) is None


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Four runs: done, failed, partial, waiting."""
    plan = tiny.TinyPlan(tmp_path_factory.mktemp("study"), 4)
    plan.write()
    done, failed, partial, _ = (plan.folder_of(run) for run in plan.runs)
    for folder in (done, failed, partial):
        folder.mkdir(parents=True)
    ended(done, "done", 0)
    (done / "done.json").write_text("{}")
    ended(failed, "failed", 1, "run.json must be JSON", times=3)
    (failed / "run.json").write_text('{"training": {"steps": 30}}')
    (failed / "metrics.jsonl").write_text('{"step": 10}\n')
    ended(partial, "stopped", 143)
    return plan


def test_status_shows_counts_reasons_and_logs(study, capsys):
    assert main(["study", "status", str(study.folder)]) == 0
    text = capsys.readouterr().out
    assert "1 of 4 runs done, 1 partial, 1 waiting, 1 failed" in text
    assert "run.json must be JSON" in text
    assert str(study.folder_of(study.runs[1]) / "log.txt") in text.replace("\n", "")
    assert main(["study", "status", str(study.folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["counts"] == {
        "waiting": 1, "running": 0, "partial": 1, "done": 1, "failed": 1,
    }  # fmt: skip
    (failed,) = found["failed"]
    assert (failed["id"], failed["seed"], failed["failures"]) == ("0001", 1, 3)
    assert (failed["step"], failed["steps"]) == (10, 30)


def test_how_often_a_run_may_fail_is_what_the_study_said(tmp_path, capsys):
    plan = tiny.TinyPlan(tmp_path, 1)
    folder = plan.folder_of(plan.runs[0])
    folder.mkdir(parents=True)
    ended(folder, "failed", 1, "no", times=2)
    for attempts_of_each, word in ((2, "failed"), (3, "partial")):
        plan.write(attempts_of_each)
        assert main(["study", "status", str(tmp_path)]) == 0
        assert f"1 {word}" in capsys.readouterr().out


def test_retry(study, capsys):
    folder = str(study.folder)
    for wrong, message in [
        (["0"], "must have failed or stopped"),
        (["9"], "must be ids or indices of the plan"),
    ]:
        assert main(["study", "retry", folder, *wrong]) == 2
        assert message in capsys.readouterr().err
    assert main(["study", "retry", folder]) == 0
    assert "0001: resumes from step 10; it failed: run.json" in capsys.readouterr().out
    assert state.state_of(study.folder_of(study.runs[1])).state == "partial"
    assert main(["study", "retry", folder]) == 0
    assert "No run has failed" in capsys.readouterr().out
    assert main(["study", "retry", folder, "1", "--fresh"]) == 0
    assert state.state_of(study.folder_of(study.runs[1])).state == "waiting"
    assert (study.folder / "aside" / "0001-1" / "metrics.jsonl").exists()


def test_status_is_quick_and_without_tensorflow(tmp_path):
    """0.86 s of CPU for 1,000 runs, the start included; here for half as many."""
    plan = tiny.TinyPlan(tmp_path, 500)
    plan.write()
    description = json.dumps({"model": "x" * 40_000, "training": {"steps": 9}})
    rows = "".join(json.dumps({"step": n, "loss": 1.0}) + "\n" for n in range(50))
    for run in plan.runs:
        folder = plan.folder_of(run)
        folder.mkdir(parents=True)
        ended(folder, "done", 0)
        if run.index % 2:
            (folder / "done.json").write_text("{}")
        else:
            (folder / "run.json").write_text(description)
            (folder / "metrics.jsonl").write_text(rows)
    code = (
        "import sys; from tf_disentangle.cli.main import main;"
        "main(['study', 'status', sys.argv[1], '--json']);"
        "sys.exit(', '.join({'tensorflow', 'keras', 'gin'} & set(sys.modules)) or 0)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", code, str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tiny.ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["counts"]["partial"] == 250
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent < 1.5, spent


def test_a_plan_that_is_not_there(tmp_path, capsys):
    assert main(["study", "status", str(tmp_path)]) == 2
    assert "with study.json" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []
