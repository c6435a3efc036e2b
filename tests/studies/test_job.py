"""One run of a study: the bits of bin/train, done once, in use, stopped, failing."""

import json
import os
import pathlib

import numpy as np
import pytest

import tf_disentangle
from tf_disentangle import checks, files
from tf_disentangle.cli import main
from tf_disentangle.cli.process import Terminated
from tf_disentangle.datasets.cache import cache_dir
from tf_disentangle.studies import attempts, job
from tf_disentangle.studies.plan import Plan

TINY = """
include 'vae.gin'
CorrelatedEllipses.num_images = 60
conv_encoder.width = 4
conv_decoder.width = 4
GaussianLatents.num_latents = 3
train.steps = 4
train.batch_size = 8
train.validation_size = 16
Intervals.log = 2
Intervals.evaluate = 2
Intervals.save = 2
Intervals.pictures = 0
train.metrics = ['mig']
mig_score.num_train = 40
"""
FAULTS = """
import os
import pathlib
import signal

import gin
import keras


@gin.register
class Faulty(keras.callbacks.Callback):
    '''What goes wrong at the end of the first epoch, once or each time.'''

    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0 and self.kind == "raise":
            raise RuntimeError("of the user's own")
        if epoch == 0 and self.kind == "stop":
            os.kill(os.getpid(), signal.SIGTERM)
"""


def rows_of(folder):
    return [json.loads(x) for x in (folder / "metrics.jsonl").read_text().splitlines()]


def without_times(rows):
    times = ("wall_time", "images_per_second")
    return [{k: v for k, v in row.items() if k not in times} for row in rows]


def weights_of(folder):
    model = tf_disentangle.load(folder).model
    return [variable.numpy() for variable in model.trainable_variables]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    folder, before = tmp_path_factory.mktemp("work"), os.getcwd()
    os.chdir(folder)
    (folder / "tiny.gin").write_text(TINY)
    (folder / "faults.py").write_text(FAULTS)
    (folder / "faulty.gin").write_text(
        "import faults\ninclude 'tiny.gin'\ntrain.callbacks = [@Faulty()]\n"
    )
    yield folder
    os.chdir(before)


@pytest.fixture(scope="module")
def study(here):
    """Two seeds of one configuration, the first one done by `bin/study run`."""
    plan = Plan.make(
        {"method": "tiny.gin"}, seeds=2, representations=["mean", "sampled"]
    )
    plan = plan.write("study")
    code = main.main(["study", "run", "study", "0"])
    return plan, plan.folder_of(plan.runs[0]), code


@pytest.fixture(scope="module")
def by_hand(here):
    assert main.main(["train", "--gin_file=tiny.gin", "--output=by_hand"]) == 0
    return here / "by_hand"


def test_a_run_is_that_of_bin_train_bit_for_bit(study, by_hand):
    _, folder, code = study
    assert code == 0
    ours, theirs = rows_of(folder), rows_of(by_hand)
    assert len(theirs) == 3
    assert without_times(ours)[: len(theirs)] == without_times(theirs)
    pairs = zip(weights_of(folder), weights_of(by_hand), strict=True)
    assert all(np.array_equal(one, two) for one, two in pairs)
    configs = [(f / "config.gin").read_text() for f in (folder, by_hand)]
    bound = [sorted(c.split("# All values")[0].split("\n")) for c in configs]
    assert [line for line in bound[0] if line not in bound[1]] == []


def test_scores_stand_between_their_floors_and_ceilings(study):
    _, folder, _ = study
    rows = rows_of(folder)[3:]
    assert [row["codes"] for row in rows] == ["mean", "sampled", "sampled"]
    run = tf_disentangle.load(folder)
    for row in (rows[0], rows[2]):
        bounds = row["bounds"]["mig"]
        options = {"num_train": 40, "sampled": row["codes"] == "sampled"}
        expected = run.score("mig", bounds=True, **options)["mig"].bounds
        assert bounds["ceiling"] == pytest.approx(expected.ceiling)
        assert bounds["noise"] == pytest.approx(expected.noise)
        assert bounds["untrained"] == pytest.approx(expected.untrained)
    assert rows[0]["bounds"] != rows[2]["bounds"]


def test_it_keeps_codes_and_says_that_it_is_done(study):
    plan, folder, _ = study
    run = tf_disentangle.load(folder)
    with np.load(folder / "codes.npz") as kept:
        assert np.array_equal(kept["indices"], np.arange(60))
        images = np.asarray(run.data.images())
        np.testing.assert_allclose(kept["codes"], run.encode(images), atol=1e-6)
        assert np.array_equal(kept["factors"], run.data.factors_of(np.arange(60)))
    done = json.loads((folder / "done.json").read_text())
    assert (done["id"], done["step"], done["attempts"]) == (plan.runs[0].id, 4, 1)
    assert done["representations"] == ["mean", "sampled"]
    assert 0 < done["wall_seconds"] < 600 and done["versions"]["numpy"]
    assert done["cpu_seconds"] > 0
    (attempt,) = attempts.read(folder)
    assert (attempt.kind, attempt.code) == (attempts.DONE, 0)


def test_what_is_done_is_left_alone(study, here):
    plan, folder, _ = study
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}
    before.pop(folder / ".attempt.lock")
    assert job.do("study", plan.runs[0].id) == 0
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_a_run_in_other_hands_is_left_to_them(study, capsys):
    plan, _, _ = study
    other = plan.folder_of(plan.runs[1])
    with files.locked(other / ".attempt.lock"):
        assert job.do("study", "1") == 75
    assert "not be in use by another process" in capsys.readouterr().err
    assert not (other / "attempts.jsonl").exists()


@pytest.mark.slow
def test_runs_of_other_seeds_find_the_floors_there(study, here, monkeypatch):
    bounds = pathlib.Path(cache_dir()) / "bounds"
    before = {p: p.stat().st_mtime_ns for p in bounds.glob("*.json")}
    assert len(before) >= 6  # noise, ceiling, untrained and untrained sampled
    # From another folder, by the configuration as it was planned.
    (here / "tiny.gin").rename(here / "moved.gin")
    monkeypatch.chdir("/")
    try:
        assert job.do(here / "study", "1") == 0
    finally:
        (here / "moved.gin").rename(here / "tiny.gin")
    assert {p: p.stat().st_mtime_ns for p in bounds.glob("*.json")} == before
    one, two = (study[0].folder_of(run) for run in study[0].runs)
    assert rows_of(here / two)[0]["loss"] != rows_of(here / one)[0]["loss"]


@pytest.mark.slow
def test_a_run_that_is_stopped_saves_itself_and_goes_on(study, here, capsys):
    # Without the end: `bin/study run` sets SIGTERM so, before anything begins.
    plan = Plan.make({"method": "faulty.gin", "Faulty.kind": "stop"}).write("stopped")
    folder = plan.folder_of(plan.runs[0])
    assert job.do("stopped", "0") == 143
    assert capsys.readouterr().err.splitlines()[-1] == "Stopped by signal 15 at step 2."
    assert not (folder / "done.json").exists()
    assert (folder / "checkpoints").exists()
    assert job.do("stopped", "0") == 0
    kinds = [attempt.kind for attempt in attempts.read(folder)]
    assert kinds == [attempts.STOPPED, attempts.DONE]
    assert json.loads((folder / "done.json").read_text())["attempts"] == 2
    pairs = zip(weights_of(folder), weights_of(study[1]), strict=True)
    assert all(np.array_equal(one, two) for one, two in pairs)


@pytest.mark.parametrize(
    ("grid", "code", "words"),
    [
        pytest.param(
            *({"method": "faulty.gin", "Faulty.kind": "raise"}, 1, "of the user's own"),
            marks=pytest.mark.slow,
        ),
        ({"method": "tiny.gin", "elbo.likelihood": "@No()"}, 2, "gin knows"),
        ({"method": "tiny.gin", "train.steps": 0}, 2, "at least 1"),
        ({"method": "tiny.gin", "beta_vae.beta": 3.0}, 2, "nothing in this run uses"),
        (
            {"method": "tiny.gin", "keras.optimizers.Adam.learning_rate": 1e30},
            3,
            "loss",
        ),
    ],
)
def test_a_run_that_fails_says_why(grid, code, words, here, tmp_path, capsys):
    plan = Plan.make(grid).write(tmp_path / "s")
    folder = plan.folder_of(plan.runs[0])
    assert job.do(tmp_path / "s", "0") == code
    assert words in capsys.readouterr().err
    (attempt,) = attempts.read(folder)
    assert (attempt.kind, attempt.code) == (attempts.FAILED, code)
    assert words in attempt.reason
    assert not (folder / "done.json").exists()


@pytest.mark.parametrize(
    ("error", "code", "kind", "reason"),
    [
        (Terminated(), 143, attempts.STOPPED, "SIGTERM"),
        (KeyboardInterrupt(), 130, attempts.STOPPED, "Ctrl-C"),
        (checks.ArgumentError("the disk"), 1, attempts.FAILED, "the disk"),
        (MemoryError(), 1, attempts.FAILED, "MemoryError"),
    ],
)
def test_what_comes_while_it_scores(
    error, code, kind, reason, here, tmp_path, monkeypatch
):
    def fail(*_):
        raise error

    plan = Plan.make({"method": "tiny.gin"}).write(tmp_path / "s")
    monkeypatch.setattr(job, "_train_and_score", fail)
    assert job.do(tmp_path / "s", "0") == code
    (attempt,) = attempts.read(plan.folder_of(plan.runs[0]))
    assert (attempt.kind, attempt.code) == (kind, code)
    assert reason in attempt.reason


def test_a_run_that_no_plan_has_is_refused(study):
    with pytest.raises(checks.ArgumentError, match="the id or the index"):
        job.do("study", "17")


def test_two_at_once_do_it_once(here, tmp_path):
    """The second of them comes while the first one has not loaded TensorFlow yet."""
    plan = Plan.make({"method": "tiny.gin"}).write(tmp_path / "s")
    codes = []

    def meanwhile():
        codes.append(job.do(tmp_path / "s", "0"))
        raise InterruptedError

    with pytest.raises(InterruptedError):
        job.do(tmp_path / "s", "0", meanwhile)
    assert codes == [75]
    assert attempts.read(plan.folder_of(plan.runs[0])) == []
