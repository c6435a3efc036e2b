"""Checkpoints: damaged ones are named and passed over; few are kept."""

import functools

import pytest
import tensorflow as tf

from tests.training.small import narrow, run, same
from tf_disentangle import checks
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.training import RunFolder
from tf_disentangle.training.checkpoints import find


def truncate(checkpoint):
    (part,) = checkpoint.glob("state.data*")
    part.write_bytes(part.read_bytes()[:1000])


def flip(checkpoint):
    (part,) = checkpoint.glob("state.data*")
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)


def lose(checkpoint):
    (checkpoint / "state.index").unlink()


def unrecord(checkpoint):
    (checkpoint / "checkpoint.json").unlink()


def forget(checkpoint):
    path = checkpoint / "checkpoint.json"
    path.write_text(path.read_text().replace('"ended_of"', '"ended"'))


def garble(checkpoint):
    (checkpoint / "checkpoint.json").write_text('{"files": 3')


@pytest.mark.parametrize("damage", [truncate, flip, lose, unrecord, forget, garble])
def test_a_damaged_checkpoint_is_named_and_the_previous_one_used(begun, damage, caplog):
    folder = begun(4) / "checkpoints"
    damage(folder / "step-4")
    assert find(folder) == folder / "step-2"
    assert "step-4: " in caplog.text and "before it" in caplog.text


def test_a_run_goes_on_from_before_a_damaged_checkpoint(data, whole, begun):
    folder = begun(4) / "checkpoints"
    flip(folder / "step-4")
    again = run(data, folder.parent, 6)
    assert same(again, whole(6))
    assert [row["step"] for row in again.history] == [2, 4, 6]
    kept = {"best", "damaged-step-4", "step-4", "step-6"}
    assert {p.name for p in folder.iterdir()} == kept


def test_when_all_checkpoints_are_damaged_the_run_is_left_alone(data, begun):
    folder = begun(4)
    for step in (2, 4):
        truncate(folder / "checkpoints" / f"step-{step}")
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    with pytest.raises(checks.ArgumentError, match=r"step-4.*step-2.*None is left"):
        run(data, folder, 6)
    assert before == {p: p.read_bytes() for p in before}
    assert RunFolder(folder).describe()["status"] == "finished"


def test_checkpoint_of_another_model_is_refused(data, whole, tmp_path):
    source = str(whole(4).folder.path)
    other = functools.partial(narrow, latents=GaussianLatents(3))
    with pytest.raises(checks.ArgumentError, match="hold the weights of this model"):
        run(data, tmp_path, 2, model=other, warm_start=source)


def test_checkpoints_hold_no_data(whole):
    newest = find(whole(4).folder.checkpoints)
    names = [n for n, _ in tf.train.list_variables(str(newest / "state"))]
    assert not [n for n in names if "image" in n.lower()]
    size = sum(p.stat().st_size for p in newest.iterdir())
    assert size < 5e6


def test_keeps_the_last_checkpoints_only(whole):
    folder = whole(8).folder.checkpoints
    assert sorted(p.name for p in folder.iterdir()) == ["best", "step-6", "step-8"]
    assert len(list((folder / "best").iterdir())) == 1
