"""Scores during the training and at its end."""

import functools

import pytest

from tests import undrawn
from tests.training import small
from tests.training.small import narrow, rows, same
from tf_disentangle.metrics import METRICS
from tf_disentangle.metrics.metric import DryRun
from tf_disentangle.metrics.results import results_by_call
from tf_disentangle.models.encoder import ModelEncoder
from tf_disentangle.training import Intervals, RunFolder

EVERY_2 = Intervals(log=2, evaluate=2, save=2, pictures=0, score=2)


def some_metrics():
    def mig(dataset, encode):
        return METRICS["mig"].on_data(dataset, encode, num_train=60, progress=False)

    def units(dataset, encode):
        return METRICS["active_units"].on_data(
            dataset, encode, num_train=60, progress=False
        )

    return [mig, units]


def run(data, output, steps, intervals=EVERY_2):
    options = {"intervals": intervals, "metrics": some_metrics()}
    return small.run(data, output, steps, **options)


@pytest.fixture(scope="module")
def scored(data, tmp_path_factory):
    return run(data, tmp_path_factory.mktemp("scored"), 6)


def test_scored_and_resumed_run_is_the_uninterrupted_one_bit_for_bit(
    data, scored, tmp_path
):
    first = run(data, tmp_path / "b", 4)
    # Scored on the way to a checkpoint that a killed process never wrote.
    first.folder.append({"step": 6, "scores": {"mig": {"score": 9.0}}})
    resumed = run(data, tmp_path / "b", 6)
    assert rows(scored) == rows(resumed)
    # A row for each result as it ended: a process that is killed loses one at most.
    assert [row["step"] for row in rows(scored) if "scores" in row] == [
        2,
        2,
        4,
        4,
        6,
        6,
    ]
    without = run(data, tmp_path / "c", 6, Intervals(log=2, evaluate=2, save=2))
    assert same(scored, resumed) and same(scored, without)
    assert [row["step"] for row in rows(without) if "scores" in row] == [6, 6]
    # bin/evaluate knows by the call what it need not compute again.
    mig, units = rows(scored)[-2:]
    assert (mig["call"], units["call"]) == ("own mig()", "own units()")
    # The last scores are those that the run returns.
    assert mig["scores"]["mig"]["score"] == scored.scores["mig"].score


def test_a_training_that_is_killed_while_it_scores_keeps_the_scores_so_far(
    data, tmp_path
):
    def killed(dataset, encode):
        if not isinstance(encode, DryRun):
            raise KeyboardInterrupt

    mig = functools.partial(METRICS["mig"].on_data, num_train=60)
    with pytest.raises(KeyboardInterrupt):
        small.run(data, tmp_path, 2, intervals=EVERY_2, metrics=[mig, killed])
    (row,) = (row for row in RunFolder(tmp_path).rows() if "scores" in row)
    assert row["call"] == "mig(num_train=60)" and row["scores"]["mig"]["score"] >= 0


def test_what_a_training_has_scored_is_not_computed_again(data, tmp_path, monkeypatch):
    mig = functools.partial(METRICS["mig"].on_data, num_train=60)
    options = {"steps": 2, "batch_size": 8, "metrics": [mig], "output": str(tmp_path)}
    first = undrawn.train(narrow, data, **options)
    row = first.history[-1]
    assert row["call"] == "mig(num_train=60)"

    def encode(self, images):
        raise AssertionError("an image was encoded")

    monkeypatch.setattr(ModelEncoder, "__call__", encode)
    again = undrawn.train(narrow, data, **options)
    assert again.history[-1]["scores"] == row["scores"]
    done = results_by_call(again.history, 2, "mean")
    assert again.score(mig, done=done)["mig"].score == first.scores["mig"].score
    other = again.score(mig, done=done, num_bins=3)["mig"]
    assert "an image was encoded" in other.reason


def test_a_finished_run_that_is_started_again_keeps_its_scores(data, tmp_path):
    first = run(data, tmp_path, 2).history
    small.run(data, tmp_path, 2, intervals=EVERY_2, metrics=())
    one = small.run(data, tmp_path, 2, intervals=EVERY_2, metrics=some_metrics()[:1])
    assert one.history == first, "each row of before, once"
    assert run(data, tmp_path, 2).history == first
