"""`study` from Python: what it checks, in which order, and what comes back."""

import json
import os
import signal

import pytest

import tf_disentangle
from tests.studies.test_job import TINY
from tf_disentangle import checks
from tf_disentangle.studies import checking, engines
from tf_disentangle.studies.engines import Outcome
from tf_disentangle.studies.plan import Plan

GRID = {"method": "beta_vae.gin", "beta_vae.beta": [1.0, 4.0]}


class Instant:
    """An engine whose jobs have written their results at once."""

    slots = 2

    def __init__(self, failing=()):
        self.jobs, self.ended, self.failing = [], [], failing

    def submit(self, job):
        self.jobs.append(job)
        folder = os.path.dirname(job.log)
        outcome = Outcome("done", 0)
        if len(self.jobs) - 1 in self.failing:
            outcome = Outcome("failed", 3, "loss must be finite")
        else:
            rows = [{"step": 4, "loss": 2.5, "elbo": -2.5}]
            with open(os.path.join(folder, "metrics.jsonl"), "w") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
            with open(os.path.join(folder, "done.json"), "w") as file:
                json.dump({"step": 4}, file)
        self.ended.append((job, outcome))

    def wait(self, timeout):
        ended, self.ended = self.ended, []
        return ended

    def stop(self):
        pass

    kill = close = stop


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def engine(monkeypatch):
    made = Instant()
    monkeypatch.setattr(engines, "make", lambda *_, **options: made)
    return made


@pytest.fixture
def checked(monkeypatch):
    plans = []
    monkeypatch.setattr(checking, "check", plans.append)
    return plans


def test_every_run_is_started_once_and_comes_back_in_the_table(engine, checked):
    options = {"seeds": 2, "metrics": ["mig"], "report": False}
    table = tf_disentangle.study(GRID, output="s", **options)
    plan = Plan.read("s")
    assert [job.id for job in engine.jobs] == [run.id for run in plan.runs]
    folder = os.path.abspath("s")
    for job in engine.jobs:
        assert job.command[-4:] == ["study", "run", folder, job.id]
    losses = table[table["metric"] == "loss"]
    assert losses["value"].tolist() == [2.5] * 4
    assert losses["beta_vae.beta"].tolist() == [1.0, 1.0, 4.0, 4.0]
    assert plan.about["name"] == "s"
    # The call that makes it again stands in study.json.
    assert plan.about["command"] == (
        f"tf_disentangle.study(grid={GRID!r}, output='s', seeds=2, metrics=['mig'], "
        "report=False)"
    )
    engine.jobs.clear()
    assert eval(plan.about["command"]).equals(table) and not engine.jobs


def test_again_does_what_is_new_alone(engine, checked):
    tf_disentangle.study(GRID, output="s", report=False)
    tf_disentangle.study(GRID, output="s", report=False)
    assert (len(engine.jobs), len(checked)) == (2, 1)
    more = {**GRID, "beta_vae.beta": [1.0, 2.0, 4.0]}
    table = tf_disentangle.study(more, output="s", report=False)
    assert (len(engine.jobs), len(checked)) == (3, 2)
    assert table["run"].nunique() == 3


def test_another_study_is_refused_before_anything_is_checked(engine, checked):
    tf_disentangle.study(GRID, output="s", report=False)
    with pytest.raises(checks.ArgumentError, match="not in the new grid"):
        tf_disentangle.study({"method": "vae.gin"}, output="s")
    assert (len(engine.jobs), len(checked)) == (2, 1)


def test_a_refused_option_leaves_no_folder(engine, checked, here):
    for options in ({"time_limit": 0}, {"engine": "processes", "address": "auto"}):
        with pytest.raises(checks.ArgumentError, match=r"time_limit|address"):
            tf_disentangle.study(GRID, output="s", **options)
    assert not (here / "s").exists()


def test_what_cannot_be_built_is_not_written(monkeypatch, engine, here):
    def refuse(plan):
        raise checks.ArgumentError("beta_vae.bta must name a parameter")

    monkeypatch.setattr(checking, "check", refuse)
    with pytest.raises(checks.ArgumentError, match="bta"):
        tf_disentangle.study(GRID, output="s")
    assert not engine.jobs and not (here / "s").exists()


def test_a_run_that_the_grid_has_twice_is_told(engine, checked):
    twice = [GRID, {**GRID, "beta_vae.beta": [4.0, 8.0]}]
    with pytest.warns(UserWarning, match="1 of the grid's 4 combinations is a run"):
        tf_disentangle.study(twice, output="s", report=False)
    assert len(engine.jobs) == 3


def test_runs_that_failed_are_told(engine, checked):
    engine.failing = range(1, 9)
    options = {"output": "s", "report": False, "attempts": 2}
    with pytest.warns(UserWarning, match="1 of 2 runs failed and are not in the table"):
        table = tf_disentangle.study(GRID, **options)
    assert table["run"].nunique() == 1
    assert Plan.read("s").about["attempts"] == 2
    # Another number is no other study.
    with pytest.warns(UserWarning, match="1 of 2"):
        tf_disentangle.study(GRID, **{**options, "attempts": 4})
    assert Plan.read("s").about["attempts"] == 4


def test_ctrl_c_comes_back_as_such(engine, checked, monkeypatch):
    stopped = []
    monkeypatch.setattr(engine, "stop", lambda: stopped.append(True))

    def wait(timeout):
        if not stopped:
            signal.raise_signal(signal.SIGINT)
        return Instant.wait(engine, timeout)

    monkeypatch.setattr(engine, "wait", wait)
    with pytest.raises(KeyboardInterrupt):
        tf_disentangle.study(GRID, seeds=20, output="s")
    assert 0 < len(engine.jobs) < 40


@pytest.mark.slow
def test_a_real_study(here, capfd):
    """Plan, check, processes, table: two runs, one mistake told before they start."""
    (here / "tiny.gin").write_text(TINY)
    grid = {"method": "tiny.gin", "build_vae.objective": ["@elbo()", "@beta_vae()"]}
    with pytest.raises(checks.ArgumentError, match="Did you mean num_train"):
        tf_disentangle.study(
            grid, output="s", bindings={"mig_score.num_trian": 3}, report=False
        )
    assert not (here / "s").exists()
    assert capfd.readouterr().out == ""
    options = {"engine": "processes", "workers": 1, "report": False}
    table = tf_disentangle.study(grid, seeds=1, output="s", **options)
    scores = table[(table["metric"] == "mig") & (table["representation"] == "mean")]
    assert len(scores) == 2 and scores["value"].between(0, 1).all()
    assert (scores["floor"] < scores["ceiling"]).all()
    again = tf_disentangle.study(grid, seeds=1, output="s", **options)
    assert again.equals(table)
