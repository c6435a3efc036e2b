"""Keras's callbacks as Keras's documentation writes them, resumed too."""

import csv

import keras
import numpy as np
import pytest

import tf_disentangle
from tests.training.small import OPTIONS, run, same, weights
from tf_disentangle import checks
from tf_disentangle.training import Intervals
from tf_disentangle.training.user_callbacks import CallbackState, state_of

# Validates less often than it logs, as all gin files do.
SELDOM = Intervals(log=2, evaluate=6, save=2, pictures=0)


class Logs(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(dict(logs))


def test_logs_have_the_same_numeric_names_at_every_epoch(data):
    logs = Logs()
    result = run(data, None, 10, callbacks=[logs], intervals=SELDOM)
    assert len(logs.seen) == 5
    names = set(logs.seen[0])
    assert {"loss", "elbo", "val_loss", "val_elbo", "images_per_second"} <= names
    for seen in logs.seen:
        assert set(seen) == names
        assert all(isinstance(value, float) for value in seen.values())
    measured = [row["step"] for row in result.history if "val_elbo" in row]
    assert measured == [2, 6, 10], "rows say when it was measured"
    values = [seen["val_elbo"] for seen in logs.seen]
    assert values[1] == values[0] and values[3] == values[2] != values[0]


def test_no_validation_names_without_held_out_images(data):
    logs = Logs()
    run(data, None, 2, callbacks=[logs], validation_size=0)
    assert not [name for name in logs.seen[0] if name.startswith("val_")]


def test_early_stopping_by_its_default_stops_the_run_and_stays_stopped(data, tmp_path):
    def stopping():
        return keras.callbacks.EarlyStopping(min_delta=1e9, patience=2)

    options = {"intervals": SELDOM}
    result = run(data, tmp_path, 20, callbacks=[stopping()], **options)
    assert result.step == 6, "the first value, and two intervals of patience"
    assert result.signal is None
    again = run(data, tmp_path, 20, callbacks=[stopping()], **options)
    assert again.step == 6 and same(result, again)
    assert result.folder.describe()["status"] == "finished"


def test_early_stopping_goes_on_waiting_when_resumed(data, tmp_path):
    def stopping():
        return [keras.callbacks.EarlyStopping(min_delta=1e9, patience=3)]

    once = run(data, tmp_path / "a", 20, callbacks=stopping())
    run(data, tmp_path / "b", 4, callbacks=stopping())
    (callback,) = second = stopping()
    resumed = run(data, tmp_path / "b", 20, callbacks=second)
    assert once.step == resumed.step == 8
    assert same(once, resumed)
    # Keras negates it at its first look; a second time it would be wrong again.
    assert callback.min_delta == -1e9


# Early stopping has the default test of a callback whose state is resumed.
@pytest.mark.slow
def test_reduce_lr_on_plateau_is_resumed_bit_for_bit(data, tmp_path):
    def reducing():
        reduce = keras.callbacks.ReduceLROnPlateau
        return [reduce(min_delta=1e9, patience=1, factor=0.5)]

    once = run(data, tmp_path / "a", 12, callbacks=reducing(), intervals=SELDOM)
    run(data, tmp_path / "b", 6, callbacks=reducing(), intervals=SELDOM)
    resumed = run(data, tmp_path / "b", 12, callbacks=reducing(), intervals=SELDOM)
    assert float(once.model.optimizer.learning_rate) == pytest.approx(1e-4 / 2**5)
    assert same(once, resumed)


def test_model_checkpoint_keeps_the_best_weights(data, tmp_path):
    path = tmp_path / "best.weights.h5"
    keep = keras.callbacks.ModelCheckpoint(
        path, monitor="val_elbo", save_best_only=True, save_weights_only=True
    )
    result = run(data, tmp_path / "run", 6, callbacks=[keep])
    assert keep.mode == "max", "which Keras would not know of the ELBO"
    best = tf_disentangle.load(tmp_path / "run", "best")
    result.model.load_weights(path)
    images = data.images()[:4]
    np.testing.assert_array_equal(result.encode(images), best.encode(images))


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_csv_logger_has_every_column_and_goes_on_in_its_file(data, tmp_path):
    path = tmp_path / "log.csv"

    def logger():
        return [keras.callbacks.CSVLogger(path)]

    folder = tmp_path / "run"
    run(data, folder, 4, callbacks=logger(), intervals=SELDOM)
    (folder / "checkpoints" / "step-4").rename(tmp_path / "lost")
    result = run(data, folder, 8, callbacks=logger(), intervals=SELDOM)
    table = read(path)
    assert [row["epoch"] for row in table] == ["0", "1", "2", "3"]
    for row, recorded in zip(table, result.history, strict=True):
        assert float(row["loss"]) == pytest.approx(recorded["loss"], rel=1e-5)
        assert np.isfinite(float(row["val_elbo"]))


def test_tensorboard_and_lambdas_run(data, tmp_path):
    seen = []
    callbacks = [
        keras.callbacks.TensorBoard(tmp_path / "logs", histogram_freq=1),
        keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(1)),
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2),
        keras.callbacks.TerminateOnNaN(),
    ]
    result = run(data, tmp_path / "run", 4, callbacks=callbacks)
    assert seen == [1, 1]
    assert float(result.model.optimizer.learning_rate) == pytest.approx(2.5e-5)
    assert list((tmp_path / "logs").rglob("events.*"))


def test_a_callback_that_stops_inside_an_interval_ends_the_run_there(data, tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                self.model.stop_training = True

    options = {"intervals": Intervals(log=10, save=10, evaluate=10, pictures=0)}
    result = run(data, tmp_path, 20, callbacks=[Stop()], **options)
    assert result.step == 2
    assert tf_disentangle.load(tmp_path).step == 2
    assert run(data, tmp_path, 20, callbacks=[Stop()], **options).step == 2


def test_what_is_scored_is_what_the_last_checkpoint_holds(data, tmp_path):
    class Change(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            for weight in self.model.trainable_variables:
                weight.assign(weight * 1.5)

    result = run(data, tmp_path, 4, callbacks=[Change()])
    loaded = tf_disentangle.load(tmp_path)
    images = data.images()[:4]
    np.testing.assert_array_equal(result.encode(images), loaded.encode(images))


def test_restoring_the_best_weights_is_for_runs_in_memory(data, tmp_path):
    def stopping():
        return [
            keras.callbacks.EarlyStopping(
                min_delta=1e9, patience=1, restore_best_weights=True
            )
        ]

    best = run(data, None, 2)
    restored = run(data, None, 20, callbacks=stopping())
    trained = len(best.model.trainable_variables)
    for a, b in zip(weights(best)[:trained], weights(restored)[:trained], strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(checks.ArgumentError, match=r"restore_best_weights.*'best'"):
        run(data, tmp_path / "run", 20, callbacks=stopping())
    assert not (tmp_path / "run").exists()


early = keras.callbacks.EarlyStopping


@pytest.mark.parametrize(
    ("callback", "options", "words"),
    [
        (early("val_los"), {}, "EarlyStopping.monitor must .* Did you mean val_loss"),
        (early("validation/elbo", mode="max"), {}, "Did you mean val.*elbo"),
        (early(), {"validation_size": 0}, "Hold images out by validation_size"),
        (early("val_kl"), {}, r"EarlyStopping.mode must say .* val_kl .* lower"),
        (
            keras.callbacks.ReduceLROnPlateau("val_elbow", mode="max"),
            {},
            "ReduceLROnPlateau.monitor",
        ),
        (
            keras.callbacks.ModelCheckpoint("m.keras", "val_x", save_best_only=True),
            {},
            "ModelCheckpoint.monitor",
        ),
        (
            keras.callbacks.BackupAndRestore("/tmp/backup"),
            {},
            "not be BackupAndRestore.*own checkpoints",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_the_first_step(
    data, tmp_path, callback, options, words
):
    with pytest.raises(checks.ArgumentError, match=words):
        run(data, tmp_path / "run", callbacks=[callback], **options)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "callback",
    [
        early("val_elbo"),
        early("loss"),
        early("val_total_correlation", mode="min"),
        keras.callbacks.ModelCheckpoint("{epoch}.weights.h5", save_weights_only=True),
    ],
)
def test_what_can_work_is_taken(data, callback):
    options = {**OPTIONS, "do": tf_disentangle.train, "dry_run": True}
    run(data, None, callbacks=[callback], **options)


def test_state_goes_to_the_same_callback_only():
    def stopping(monitor):
        callback = keras.callbacks.EarlyStopping(monitor=monitor)
        callback.wait, callback.best = 0, None
        return callback

    old, other, same = (stopping(m) for m in ("val_loss", "val_elbo", "val_loss"))
    old.wait = 3
    for callback, wait in ((other, 0), (same, 3)):
        CallbackState([callback], state_of([old])).on_train_begin()
        assert callback.wait == wait
