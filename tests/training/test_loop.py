"""The loop: resuming, stopping, short intervals, several devices, exact numbers."""

import itertools
import json
import os
import shutil
import signal
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_disentangle
from tests.training.small import EVERY_2, rows, run, same
from tf_disentangle import checks
from tf_disentangle.training import Device, Intervals, NonFiniteError, RunFolder
from tf_disentangle.training.checkpoints import find, step_of


def test_same_seed_same_run_and_other_seed_other_run(data, whole, tmp_path):
    first = whole(4)
    assert same(first, run(data, tmp_path / "b"))
    assert not same(first, run(data, tmp_path / "c", seed=1))


def test_resumed_rows_are_the_uninterrupted_runs(data, whole, begun):
    resumed = run(data, begun(4), 6, diagnosed=True)
    assert same(whole(6), resumed)
    assert rows(whole(6)) == rows(resumed)
    assert [row["step"] for row in rows(resumed)] == [2, 4, 6]


@pytest.mark.parametrize(
    ("first", "steps", "expected"),
    [
        (0, 300, [(0, 300)]),
        (0, 150, [(0, 100), (100, 150)]),
        (0, 50, [(0, 50)]),
        (150, 320, [(150, 200), (200, 300), (300, 320)]),
        (110, 120, [(110, 120)]),
        (200, 300, [(200, 300)]),
    ],
)
def test_segments_have_intervals_of_one_length(first, steps, expected):
    assert Intervals(log=100).segments(first, steps) == expected


def test_a_short_last_interval_is_its_own_and_the_run_goes_on_from_it(
    data, whole, tmp_path
):
    ends = []

    class Watch(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            ends.append("begin")

        def on_train_end(self, logs=None):
            ends.append("end")

    options = {"intervals": Intervals(log=2, evaluate=4, save=4, pictures=0)}
    short = run(data, tmp_path, 5, callbacks=[Watch()], **options)
    assert ends == ["begin", "end"], "one training, whatever calls of fit it takes"
    assert [row["step"] for row in rows(short)] == [2, 4, 5]
    assert [row["step"] for row in rows(short) if "val_elbo" in row] == [2, 4, 5]
    assert step_of(find(tmp_path / "checkpoints")) == 5
    resumed = run(data, tmp_path, 8, **options)
    assert [row["step"] for row in rows(resumed)] == [2, 4, 5, 6, 8]
    assert same(resumed, whole(8))


def test_rows_after_the_last_checkpoint_are_cut(data, begun):
    folder = RunFolder(begun(4))
    folder.append({"step": 6, "loss": 0.0})
    with open(folder.metrics, "a") as file:
        file.write('{"step": 8, "lo')  # a killed process's half line
    run(data, folder.path, 6)
    assert [row["step"] for row in folder.rows()] == [2, 4, 6]


def test_fewer_steps_than_done_are_refused_and_nothing_changes(data, whole, begun):
    folder = begun(6)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    with pytest.raises(checks.ArgumentError, match="be at least the 6 steps"):
        run(data, folder, 4)
    assert before == {p: p.read_bytes() for p in before}
    assert same(whole(6), run(data, folder, 6)), "the same call again is fine"


def test_a_failed_run_says_so(data, tmp_path):
    class Fail(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        run(data, tmp_path, 4, callbacks=[Fail()])
    told = RunFolder(tmp_path).describe()
    assert told["status"] == "failed: OSError" and told["wall_seconds"] > 0


def test_the_same_metric_twice_is_told_apart_by_its_protocol(data, tmp_path):
    import functools

    from tf_disentangle.metrics import METRICS

    metric = METRICS["factor_vae"].on_data
    quick = {"num_train_votes": 10, "num_test_votes": 10, "num_variance_samples": 20}
    metrics = [
        functools.partial(metric, protocol=protocol, **quick)
        for protocol in ("chyvae", "dlib")
    ]
    result = run(data, tmp_path, 2, metrics=metrics)
    first, second = result.scores
    assert first == "factor_vae" and "dlib" in second
    # The same call again scores again, and does not pile up rows.
    run(data, tmp_path, 2, metrics=metrics)
    assert len([row for row in result.history if "scores" in row]) == 2


def test_warm_start_holds_where_a_run_died_before_its_first_checkpoint(
    data, whole, begun
):
    source, folder = whole(4), begun(4)
    shutil.rmtree(folder / "checkpoints")
    options = {"do": tf_disentangle.train, "dry_run": True, "seed": 3}
    warm = run(data, folder, 2, warm_start=source.folder.path, **options)
    assert warm.step == 0
    ours, theirs = warm.model.trainable_variables, source.model.trainable_variables
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_a_warm_started_run_goes_on_without_its_source(data, begun, tmp_path):
    source = begun(4)
    run(data, tmp_path / "b", 2, warm_start=source)
    source.rename(tmp_path / "moved")
    run(data, tmp_path / "b", 4, warm_start=source)


def test_records_and_keeps_the_best_checkpoint(whole):
    result = whole(6)
    recorded = result.history
    for row in recorded:
        assert all(np.isfinite(row[name]) for name in result.model.row_names)
        assert row["elbo"] == pytest.approx(
            -row["reconstruction"] - row["kl"], rel=1e-4
        )
        assert len(row["kl_per_latent"]) == 10
    best = max(recorded, key=lambda row: row["val_elbo"])
    assert step_of(find(result.folder.checkpoints, "best")) == best["step"]
    assert step_of(find(result.folder.checkpoints)) == 6
    told = json.loads(result.folder.description.read_text())
    assert told["status"] == "finished"
    assert told["training"]["jit_compile"] is False and told["training"]["seed"] == 0
    made = {path.name for path in result.folder.pictures.iterdir()}
    assert {"reconstructions.png", "traversals.png", "traversals.gif"} <= made


def test_validation_is_the_elbo_of_the_held_out_images(data, tmp_path):
    """Against the objective on the same images with draws of its own."""
    result = run(data, tmp_path, 40, intervals=Intervals(log=40))
    held_out = result.batches.held_out
    images = data.images()[np.sort(held_out)]
    model, draws = result.model, []
    for i in range(20):
        inference = model.infer(images, tf.constant([7, i]))
        draws.append(model.terms(images, inference).scalars()["elbo"].numpy())
    error = np.std(draws) * np.sqrt(1 + 1 / len(draws))
    recorded = result.history[-1]["val_elbo"]
    assert abs(recorded - np.mean(draws)) < 4.5 * error


class Poison(keras.callbacks.Callback):
    """Makes the decoder's bias NaN after a step."""

    def __init__(self, at):
        super().__init__()
        self.at, self.seen = at, 0

    def on_train_batch_end(self, batch, logs=None):
        self.seen += 1
        if self.seen == self.at:
            variable = self.model.decoder.trainable_variables[-1]
            variable.assign(np.nan * variable.value)


def test_nan_stops_the_run_and_names_step_term_and_checkpoint(data, tmp_path):
    with pytest.raises(NonFiniteError) as caught:
        run(data, tmp_path, 8, callbacks=[Poison(5)])
    text = str(caught.value)
    assert "reconstruction" in text and "kl " not in text
    assert "at step 6." in text
    assert "step-4 (step 4)" in text
    assert step_of(find(tmp_path / "checkpoints")) == 4, "nothing bad was saved"
    assert "failed: NonFinite" in RunFolder(tmp_path).describe()["status"]


def test_nan_of_an_intervals_last_update_is_never_saved(data, tmp_path):
    with pytest.raises(NonFiniteError, match=r"weights after the update .* step 6\."):
        run(data, tmp_path, 6, callbacks=[Poison(6)])
    for which in ("last", "best"):
        checkpoint = find(tmp_path / "checkpoints", which)
        assert step_of(checkpoint) <= 4
        path = str(checkpoint / "state")
        for name, _ in tf.train.list_variables(path):
            value = np.asarray(tf.train.load_variable(path, name))
            if value.dtype.kind == "f":
                assert np.isfinite(value).all(), name


class Signal(keras.callbacks.Callback):
    """Sends signals after a step."""

    def __init__(self, at, number, times=1):
        super().__init__()
        self.at, self.number, self.times, self.seen = at, number, times, 0

    def on_train_batch_end(self, batch, logs=None):
        self.seen += 1
        for _ in range(self.times if self.seen == self.at else 0):
            os.kill(os.getpid(), self.number)


def test_signal_stops_after_the_interval_and_the_run_goes_on(data, whole, tmp_path):
    number = signal.SIGTERM
    intervals = Intervals(log=2, evaluate=2, save=8, pictures=0)
    options = {"intervals": intervals, "diagnosed": True}
    stopped = run(data, tmp_path, 8, callbacks=[Signal(3, number)], **options)
    assert stopped.signal == number and stopped.step == 4
    assert signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL)
    assert stopped.folder.describe()["status"] == "stopped"
    assert step_of(find(tmp_path / "checkpoints")) == 4
    resumed = run(data, tmp_path, 8, **options)
    assert same(resumed, whole(8)) and rows(resumed) == rows(whole(8))


def test_a_second_signal_interrupts_at_once_and_the_run_goes_on(data, whole, tmp_path):
    callback = Signal(3, signal.SIGINT, times=2)
    with pytest.raises(KeyboardInterrupt):
        run(data, tmp_path, 8, callbacks=[callback])
    told = RunFolder(tmp_path).describe()
    assert told["status"] == "stopped"
    assert told["step"] == step_of(find(tmp_path / "checkpoints")) == 2
    assert same(run(data, tmp_path, 8), whole(8))


@pytest.mark.slow
def test_a_clock_that_jumps_back_changes_nothing_but_times(
    data, whole, tmp_path, monkeypatch
):
    # Without an end: threads of other tests, such as gRPC's, ask for the time too.
    times = itertools.count(10**9, -10_000)
    monkeypatch.setattr(time, "time", lambda: float(next(times)))
    back = run(data, tmp_path / "a", 6)
    monkeypatch.undo()
    assert same(back, whole(6))
    assert back.folder.describe()["wall_seconds"] > 0
    assert [row["step"] for row in back.history] == [2, 4, 6]


def test_steps_per_execution_changes_nothing(data, whole, tmp_path):
    b = run(data, tmp_path, 4, device=Device(steps_per_execution=2))
    assert same(whole(4), b)


def test_a_log_file_gets_a_line_for_each_interval_and_no_bar(data, tmp_path, capsys):
    run(data, tmp_path, 4)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == ["step 2/4", "step 4/4"]
    assert "elbo=" in lines[0] and "left" in lines[0]


def test_the_bar_ends_its_line_before_an_error_is_printed(
    data, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with pytest.raises(NonFiniteError):
        run(data, tmp_path, 4, callbacks=[Poison(1)])
    assert capsys.readouterr().err.endswith("\n")


def test_out_of_memory_says_what_to_lower(data, tmp_path):
    class Greedy(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")

    words = "batch_size must leave room.*received 8.*Lower batch_size.*OOM"
    with pytest.raises(checks.ArgumentError, match=words):
        run(data, tmp_path, callbacks=[Greedy()])
    assert "OutOfMemory" in RunFolder(tmp_path).describe()["status"]


def optimizer(**options):
    return lambda: keras.optimizers.Adam(1e-3, **options)


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(1e-3, 10),
            gradient_accumulation_steps=2,
            weight_decay=0.1,
            global_clipnorm=1.0,
        ),
        lambda: keras.optimizers.LossScaleOptimizer(
            keras.optimizers.Adam(1e-3), dynamic_growth_steps=3
        ),
    ],
    ids=["schedule, accumulation, decay and clipping", "loss scaling"],
)
def test_optimizer_options_are_resumed_bit_for_bit(data, tmp_path, make):
    options = {"optimizer": make, "intervals": Intervals(log=3, evaluate=0, save=3)}
    once = run(data, tmp_path / "a", 6, **options)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    shutil.rmtree(tmp_path / "b" / "checkpoints" / "step-6")  # as if killed
    resumed = run(data, tmp_path / "b", 6, **options)
    assert once.step == resumed.step == 6
    assert same(once, resumed)
    loaded = tf_disentangle.load(tmp_path / "b")
    images = data.images()[:4]
    np.testing.assert_array_equal(loaded.encode(images), resumed.encode(images))


def test_averaged_weights_are_refused_before_the_first_step(data, tmp_path):
    with pytest.raises(checks.ArgumentError, match=r"optimizer.use_ema must .*Cosine"):
        run(data, tmp_path / "a", optimizer=optimizer(use_ema=True))
    assert not (tmp_path / "a").exists()


TWO_DEVICES = """
import functools, keras, numpy as np, shutil, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import tensorflow_probability as tfp
import tf_disentangle
from tests import undrawn
from tf_disentangle import datasets, latents, models, networks, objectives, priors
from tf_disentangle import training
narrow = functools.partial(models.build_vae,
    encoder=functools.partial(networks.mlp_encoder, width=8),
    decoder=functools.partial(networks.mlp_decoder, width=8))
data = datasets.CorrelatedEllipses(num_images=80)
"""


def in_own_process(warm, code, **names):
    """Devices are set before TensorFlow runs anything."""
    for name, value in names.items():
        code = code.replace(name, str(value))
    done = warm.run(TWO_DEVICES + code)
    assert done.returncode == 0, done.stderr[-4000:]


# The next one has two devices too.
@pytest.mark.slow
def test_two_virtual_devices_train_and_learn(warm, tmp_path):
    in_own_process(
        warm,
        """
def build(shape, seed):
    prior = priors.InverseWishartPrior(nu=20.0)
    return narrow(shape, seed, latents=latents.GaussianLatents(4, "full", prior),
        objective=objectives.chyvae())
def run(output, steps):
    return undrawn.train(build, data, output=output, steps=steps,
        batch_size=8, validation_size=16,
        device=training.Device(strategy="mirrored"),
        intervals=training.Intervals(log=4, save=4, evaluate=4, pictures=0))
result = run("OUT", 8)
assert result.folder.describe()["replicas"] == 2
assert result.step == 8
rows = result.history
assert rows[-1]["loss"] < rows[0]["loss"]
assert rows[-1]["loss"] > 500, "the mean over images, not divided by the replicas"

# As if killed after four steps, and gone on: the same weights, bit for bit.
shutil.rmtree("OUT/checkpoints/step-8")
resumed = run("OUT", 8)
for a, b in zip(result.model.variables, resumed.model.variables):
    np.testing.assert_array_equal(a.numpy(), b.numpy())
""",
        OUT=tmp_path / "a",
    )


def test_replicas_average_to_the_gradient_of_the_batch(warm):
    """With no sampling noise: a plain autoencoder's first step, one device or two.

    In a process of its own: TensorFlow mixes up the collectives of two models on CPUs.
    """
    in_own_process(
        warm,
        """
def weights(strategy):
    # A posterior so narrow that no draw matters.
    def encoder(shape, outputs, **options):
        inner = networks.mlp_encoder(shape, outputs, width=8, **options)
        scale = np.r_[np.ones(4), np.zeros(4)].astype("float32")
        shift = np.r_[np.zeros(4), -40 * np.ones(4)].astype("float32")
        inputs = keras.Input(shape)
        return keras.Model(inputs, inner(inputs) * scale + shift)
    build = functools.partial(narrow, encoder=encoder,
        latents=latents.GaussianLatents(4),
        objective=objectives.beta_vae(1e-8))
    run = tf_disentangle.train(build, data, steps=1, batch_size=8, validation_size=0,
        device=training.Device(strategy=strategy),
        optimizer=lambda: keras.optimizers.SGD(1e-3))
    return [v.numpy() for v in run.model.trainable_variables]
for a, b in zip(weights("one"), weights("mirrored")):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
""",
    )


def test_options_reach_the_run(data, tmp_path):
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(logs["loss"])

    result = run(
        data,
        tmp_path,
        4,
        optimizer=optimizer(global_clipnorm=1.0),
        callbacks=[Watch()],
        device=Device(steps_per_execution=2, jit_compile=True),
        with_replacement=True,
        intervals=EVERY_2,
    )
    assert len(seen) == 2
    assert result.model.optimizer.global_clipnorm == 1.0
    assert result.folder.describe()["training"]["jit_compile"] is True
    assert result.step == 4
