"""The run folder: locked, cleaned up, and never taken from something else."""

import json
import shutil

import keras
import pytest

import tf_disentangle
from tests.training.small import run
from tf_disentangle import checks
from tf_disentangle.training import RunFolder


def test_a_second_process_in_the_same_folder_is_refused(data, tmp_path):
    prepared = run(data, tmp_path, 2, do=tf_disentangle.train, dry_run=True)
    prepared._loop.draw = lambda: None
    with (
        RunFolder(tmp_path).locked(),
        pytest.raises(checks.ArgumentError, match="in use by another process"),
    ):
        prepared.start()
    prepared.start()


def test_what_killed_processes_left_is_cleaned_up(data, tmp_path):
    run(data, tmp_path, 2)
    left = [".metrics.9.tmp.jsonl", "checkpoints/.step-4.9.tmp"]
    for name in left:
        (tmp_path / name).mkdir()
    run(data, tmp_path, 4)
    assert not any((tmp_path / name).exists() for name in left)


def test_a_half_line_is_dropped(tmp_path):
    folder = RunFolder(tmp_path)
    folder.append({"step": 2})
    with open(folder.metrics, "a") as file:
        file.write('{"st')
    folder.append({"step": 4})
    assert [row["step"] for row in folder.rows()] == [2, 4]


def test_output_that_holds_something_else_is_refused(data, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(checks.ArgumentError, match="a run of this library"):
        run(data, tmp_path)
    file = tmp_path / "thesis.tex"
    with pytest.raises(checks.ArgumentError, match="a file"):
        run(data, file)
    assert file.read_text() == "precious"


def test_a_folder_that_is_removed_while_training_is_not_made_again(data, tmp_path):
    class Remove(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                shutil.rmtree(tmp_path / "run")

    with pytest.raises(checks.ArgumentError, match="stay in place while"):
        run(data, tmp_path / "run", 8, callbacks=[Remove()])
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_run_of_another_version_is_refused(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"schema_version": 3}))
    for use in (RunFolder(tmp_path).check, lambda: tf_disentangle.load(tmp_path)):
        with pytest.raises(checks.ArgumentError, match="another version"):
            use()


def test_a_mistyped_folder_is_told_the_nearest(tmp_path):
    (tmp_path / "chyvae").mkdir()
    (tmp_path / "chyvae.txt").touch()
    with pytest.raises(checks.ArgumentError, match=r"folder\. Did you mean chyvae\?"):
        RunFolder.existing(tmp_path / "chyave")
    with pytest.raises(checks.ArgumentError, match=r"no such folder\.$"):
        RunFolder.existing(tmp_path / "nowhere" / "chyave")
