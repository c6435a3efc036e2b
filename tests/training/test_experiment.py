"""Runs: resuming, stopping, refusing, recording, several devices."""

import functools
import json
import os
import shutil
import signal
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import undrawn
from tf_disentangle import checks
from tf_disentangle.datasets import CorrelatedEllipses
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.models import build_vae
from tf_disentangle.networks import conv_decoder, conv_encoder
from tf_disentangle.objectives import beta_vae, chyvae
from tf_disentangle.priors import (
    InverseWishartPrior,
    StudentTProductPrior,
)
from tf_disentangle.training import (
    Device,
    Intervals,
    NonFiniteError,
    RunFolder,
    prepare,
    train,
)
from tf_disentangle.training.checkpoints import find, step_of


@pytest.fixture(scope="module")
def data():
    return CorrelatedEllipses(num_images=80)


narrow = functools.partial(
    build_vae,
    encoder=functools.partial(conv_encoder, width=8),
    decoder=functools.partial(conv_decoder, width=8),
)
OPTIONS = {"batch_size": 8, "validation_size": 16}
EVERY_2 = Intervals(log=2, evaluate=2, save=2, pictures=0)


def run(
    data,
    output,
    steps=4,
    model=narrow,
    intervals=EVERY_2,
    *,
    do=undrawn.train,
    **options,
):
    options = {**OPTIONS, **options}
    return do(
        model, data, output=str(output), steps=steps, intervals=intervals, **options
    )


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """Uninterrupted runs, each made once: whole(steps, intervals) -> Result."""

    @functools.cache
    def made(steps, intervals=EVERY_2):
        folder = tmp_path_factory.mktemp("whole")
        return run(data, folder, steps, intervals=intervals, do=train)

    return made


@pytest.fixture
def begun(whole, tmp_path):
    """Copies of such runs, to go on with: begun(steps) -> folder."""

    def made(steps):
        folder = tmp_path / "begun"
        shutil.copytree(whole(steps).folder.path, folder)
        return folder

    return made


def rows(result):
    """The rows without what the clock says."""
    clock = ("wall_time", "images_per_second")
    return [
        {k: v for k, v in row.items() if k not in clock} for row in result.folder.rows()
    ]


def weights(result):
    return [v.numpy() for v in result.model.variables]


def same(a, b):
    return all(map(np.array_equal, weights(a), weights(b)))


def test_same_seed_same_run_and_other_seed_other_run(data, whole, tmp_path):
    first = whole(4)
    assert same(first, run(data, tmp_path / "b"))
    assert not same(first, run(data, tmp_path / "c", seed=1))


def test_resumed_rows_are_the_uninterrupted_runs(data, whole, begun):
    resumed = run(data, begun(4), 6)
    assert same(whole(6), resumed)
    assert rows(whole(6)) == rows(resumed)
    assert [row["step"] for row in rows(resumed)] == [2, 4, 6]


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
    assert same(whole(6), run(data, folder, 6)), "the same command again is fine"


def test_a_failed_run_says_so_and_a_half_line_is_dropped(data, tmp_path):
    class Fail(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        run(data, tmp_path, 4, callbacks=[Fail()])
    folder = RunFolder(tmp_path)
    assert folder.describe()["status"] == "failed: OSError"
    folder.append({"step": 2})
    with open(folder.metrics, "a") as file:
        file.write('{"st')
    folder.append({"step": 4})
    assert [row["step"] for row in folder.rows()] == [2, 4]


def test_a_second_process_in_the_same_folder_is_refused(data, tmp_path):
    experiment = prepare(
        narrow, data, output=str(tmp_path), steps=2, intervals=EVERY_2, **OPTIONS
    )
    with (
        RunFolder(tmp_path).locked(),
        pytest.raises(checks.ArgumentError, match="in use by another process"),
    ):
        experiment.run()
    experiment.run()


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
    path.write_text(path.read_text().replace('"best_elbo"', '"best"'))


def garble(checkpoint):
    (checkpoint / "checkpoint.json").write_text('{"files": 3')


@pytest.mark.parametrize("damage", [truncate, flip, lose, unrecord, forget, garble])
def test_a_damaged_checkpoint_is_named_and_the_previous_one_used(
    data, whole, begun, damage, caplog
):
    folder = begun(4) / "checkpoints"
    damage(folder / "step-4")
    again = run(data, folder.parent, 2)
    assert "step-4: " in caplog.text and "before it" in caplog.text
    assert same(again, whole(2))
    assert [row["step"] for row in again.folder.rows()] == [2]
    kept = {"best", "damaged-step-4", "step-2"}
    assert {p.name for p in folder.iterdir()} == kept


def test_a_run_goes_on_from_before_a_damaged_checkpoint(data, whole, begun):
    folder = begun(4) / "checkpoints"
    flip(folder / "step-4")
    again = run(data, folder.parent, 6)
    assert same(again, whole(6))
    assert [row["step"] for row in again.folder.rows()] == [2, 4, 6]
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


def test_what_killed_processes_left_is_cleaned_up(data, tmp_path):
    run(data, tmp_path, 2)
    left = [".metrics.9.tmp.jsonl", "checkpoints/.step-4.9.tmp"]
    for name in left:
        (tmp_path / name).mkdir()
    run(data, tmp_path, 4)
    assert not any((tmp_path / name).exists() for name in left)


def test_the_same_metric_twice_is_told_apart_by_its_protocol(data, tmp_path):
    from tf_disentangle.metrics import factor_vae_score

    quick = {"num_train_votes": 10, "num_test_votes": 10, "num_variance_samples": 20}
    metrics = [
        functools.partial(factor_vae_score, protocol=protocol, **quick)
        for protocol in ("chyvae", "dlib")
    ]
    result = run(data, tmp_path, 2, metrics=metrics)
    first, second = result.scores
    assert (first, second) == ("factor_vae (chyvae)", "factor_vae (dlib)")
    # The same command again scores again, and does not pile up rows.
    run(data, tmp_path, 2, metrics=metrics)
    assert len([row for row in result.folder.rows() if "scores" in row]) == 1


def test_warm_start_holds_where_a_run_died_before_its_first_checkpoint(data, tmp_path):
    source = run(data, tmp_path / "a", 2)
    (tmp_path / "b" / "checkpoints").mkdir(parents=True)
    options = {"intervals": EVERY_2, "warm_start": str(tmp_path / "a"), **OPTIONS}
    warm = prepare(narrow, data, output=str(tmp_path / "b"), steps=2, **options)
    ours, theirs = warm.model.trainable_variables, source.model.trainable_variables
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_a_warm_started_run_goes_on_without_its_source(data, tmp_path):
    run(data, tmp_path / "a", 2)
    run(data, tmp_path / "b", 2, warm_start=str(tmp_path / "a"))
    (tmp_path / "a").rename(tmp_path / "moved")
    run(data, tmp_path / "b", 4, warm_start=str(tmp_path / "a"))


def other(objective=None, df=None):
    prior = None if df is None else StudentTProductPrior(df)
    latents = None if df is None else GaussianLatents(prior=prior)
    return functools.partial(narrow, objective=objective, latents=latents)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch_size": 4}, "batch_size.*8 -> 4"),
        ({"seed": 1}, "seed.*0 -> 1"),
        ({"model": other(beta_vae(2.0))}, "kl_term: beta: 1.0 -> 2.0"),
        ({"model": other(df=5.0)}, "StandardNormalPrior -> StudentTProductPrior"),
        ({"model": functools.partial(narrow, encoder=conv_encoder)}, "networks"),
        ({"dataset": CorrelatedEllipses(num_images=80, seed=1)}, "dataset.*seed: 0"),
    ],
)
def test_going_on_with_other_settings_is_refused(data, begun, change, words):
    change = {"dataset": data, **change}
    with pytest.raises(checks.ArgumentError, match=words):
        run(change.pop("dataset"), begun(4), 6, **change)


def test_another_interval_that_does_not_fit_is_refused(data, begun):
    intervals = Intervals(log=3, evaluate=3, save=3, pictures=0)
    with pytest.raises(checks.ArgumentError, match="divide the 4 steps"):
        run(data, begun(4), 9, intervals=intervals)


def test_records_and_keeps_the_best_checkpoint(whole):
    result = whole(6)
    rows = result.folder.rows()
    names = ("loss", "elbo", "reconstruction", "kl")
    for row in rows:
        assert all(np.isfinite(row[name]) for name in names)
        assert row["elbo"] == pytest.approx(
            -row["reconstruction"] - row["kl"], rel=1e-4
        )
        assert len(row["kl_per_latent"]) == 10
    best = max(rows, key=lambda row: row["validation/elbo"])
    assert step_of(find(result.folder.checkpoints, "best")) == best["step"]
    assert step_of(find(result.folder.checkpoints)) == 6
    told = json.loads(result.folder.description.read_text())
    assert told["status"] == "finished"
    assert told["jit_compile"] is False and told["seed"] == 0
    made = {path.name for path in result.folder.pictures.iterdir()}
    assert {"reconstructions.png", "traversals.png", "traversals.gif"} <= made


def test_validation_is_the_elbo_of_the_held_out_images(data, tmp_path):
    """Against the objective on the same images with draws of its own."""
    result = run(data, tmp_path, 40, intervals=Intervals(log=40))
    held_out = prepare(
        narrow, data, output=str(tmp_path), steps=4, intervals=EVERY_2, **OPTIONS
    ).batches.held_out
    images = data.images()[np.sort(held_out)]
    model, draws = result.model, []
    for i in range(20):
        inference = model.infer(images, tf.constant([7, i]))
        draws.append(model.terms(images, inference).scalars()["elbo"].numpy())
    error = np.std(draws) * np.sqrt(1 + 1 / len(draws))
    recorded = result.folder.rows()[-1]["validation/elbo"]
    assert abs(recorded - np.mean(draws)) < 4.5 * error


def test_nan_stops_the_run_and_names_step_term_and_checkpoint(data, tmp_path):
    class Poison(keras.callbacks.Callback):
        """Makes the decoder's bias NaN after step 5."""

        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations.numpy()) == 5:
                variable = self.model.decoder.trainable_variables[-1]
                variable.assign(np.nan * variable.value)

    with pytest.raises(NonFiniteError) as caught:
        run(data, tmp_path, 8, callbacks=[Poison()])
    text = str(caught.value)
    assert "reconstruction" in text and "kl " not in text
    assert "at step 6." in text
    assert "step-4 (step 4)" in text
    assert step_of(find(tmp_path / "checkpoints")) == 4, "nothing bad was saved"


def test_nan_of_an_intervals_last_update_is_never_saved(data, tmp_path):
    class Poison(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations.numpy()) == 6:
                variable = self.model.decoder.trainable_variables[-1]
                variable.assign(np.nan * variable.value)

    with pytest.raises(NonFiniteError, match=r"weights after the update .* step 6\."):
        run(data, tmp_path, 6, callbacks=[Poison()])
    for which in ("last", "best"):
        checkpoint = find(tmp_path / "checkpoints", which)
        assert step_of(checkpoint) <= 4
        path = str(checkpoint / "state")
        for name, _ in tf.train.list_variables(path):
            value = np.asarray(tf.train.load_variable(path, name))
            if value.dtype.kind == "f":
                assert np.isfinite(value).all(), name


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_after_the_interval_and_the_run_goes_on(
    data, whole, tmp_path, number
):
    class Signal(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations.numpy()) == 3:
                os.kill(os.getpid(), number)

    stopped = run(data, tmp_path / "a", 8, callbacks=[Signal()])
    assert stopped.signal == number and stopped.step == 4
    assert signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL)
    assert stopped.folder.describe()["status"] == "stopped"
    assert same(run(data, tmp_path / "a", 8), whole(8))


EVERY_6 = Intervals(log=6, evaluate=6, save=12, pictures=0)


@pytest.mark.parametrize("at", [1, 6, 8])
def test_second_signal_stops_after_the_step_and_the_run_goes_on(
    data, whole, tmp_path, at
):
    """Inside the first interval, at its end, and inside the second."""

    class Twice(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations.numpy()) == at:
                os.kill(os.getpid(), signal.SIGTERM)
                os.kill(os.getpid(), signal.SIGTERM)

    stopped = run(data, tmp_path / "a", 12, intervals=EVERY_6, callbacks=[Twice()])
    assert stopped.signal == signal.SIGTERM and stopped.step == at
    assert step_of(find(tmp_path / "a" / "checkpoints")) == at
    if at % 6:
        with pytest.raises(checks.ArgumentError, match=r"Intervals\.log must divide"):
            run(
                data,
                tmp_path / "a",
                12,
                intervals=Intervals(log=12, save=12, evaluate=12),
            )
    resumed = run(data, tmp_path / "a", 12, intervals=EVERY_6)
    assert same(resumed, whole(12, EVERY_6))
    assert rows(resumed) == rows(whole(12, EVERY_6))


def test_nan_in_an_interval_that_is_cut_short_is_never_saved(data, tmp_path):
    class Spoil(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations.numpy()) == 3:
                weight = self.model.trainable_variables[0]
                weight.assign(weight * np.nan)
                os.kill(os.getpid(), signal.SIGTERM)
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(NonFiniteError, match="at step 3"):
        run(data, tmp_path, 12, callbacks=[Spoil()], intervals=Intervals(log=6))
    assert not list((tmp_path / "checkpoints").glob("step-*"))


def test_a_clock_that_jumps_back_changes_nothing_but_times(
    data, whole, tmp_path, monkeypatch
):
    times = iter(range(10**9, 0, -10_000))
    monkeypatch.setattr(time, "time", lambda: float(next(times)))
    back = run(data, tmp_path / "a", 6)
    monkeypatch.undo()
    assert same(back, whole(6))
    assert back.folder.describe()["wall_seconds"] > 0
    assert [row["step"] for row in back.folder.rows()] == [2, 4, 6]


def test_out_of_memory_says_what_to_lower(data, tmp_path):
    class Greedy(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")

    words = "batch_size must leave room.*received 8.*Lower train.batch_size.*OOM"
    with pytest.raises(checks.ArgumentError, match=words):
        run(data, tmp_path, callbacks=[Greedy()])
    assert "OutOfMemory" in RunFolder(tmp_path).describe()["status"]


def test_two_virtual_devices_train_and_learn(tmp_path):
    """In a process of its own: devices are set before TensorFlow starts."""
    code = f"""
import functools, keras, numpy as np, shutil, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tf_disentangle import datasets, models, networks, training, objectives, latents
narrow = functools.partial(models.build_vae,
    objective=objectives.chyvae(),
    encoder=functools.partial(networks.conv_encoder, width=8),
    decoder=functools.partial(networks.conv_decoder, width=8))
def build(shape, seed):
    prior = priors.InverseWishartPrior(nu=20.0)
    return narrow(shape, seed, latents=latents.GaussianLatents(4, "full", prior))
data = datasets.CorrelatedEllipses(num_images=80)
def run(output, steps):
    experiment = training.prepare(build, data, output=output, steps=steps,
        batch_size=8, validation_size=16,
        device=training.Device(strategy="mirrored"),
        optimizer=lambda: keras.optimizers.Adam(1e-4),
        intervals=training.Intervals(log=4, save=4, evaluate=4, pictures=0))
    experiment.draw = lambda *_: []
    return experiment.run()
result = run({str(tmp_path / "a")!r}, 8)
assert result.folder.describe()["replicas"] == 2
assert result.step == 8
rows = result.folder.rows()
assert rows[-1]["loss"] < rows[0]["loss"]
assert rows[-1]["loss"] > 500, "the mean over images, not divided by the replicas"

# As if killed after four steps, and gone on: the same weights, bit for bit.
shutil.rmtree({str(tmp_path / "a" / "checkpoints" / "step-8")!r})
resumed = run({str(tmp_path / "a")!r}, 8)
for a, b in zip(result.model.variables, resumed.model.variables):
    np.testing.assert_array_equal(a.numpy(), b.numpy())
"""
    in_own_process(code)


def in_own_process(code):
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]


def test_replicas_sum_to_the_gradient_of_the_whole_batch(tmp_path):
    """With no sampling noise: a plain autoencoder's first step, one device or two."""
    code = """
import functools, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras, tensorflow_probability as tfp
from tf_disentangle import datasets, models, networks, training, latents
class Sure(latents.GaussianLatents):
    def posterior(self, parameters):
        loc = parameters[:, :self.num_latents]
        return tfp.distributions.MultivariateNormalDiag(loc, 1e-20 + 0 * loc)
    def kl(self, posterior, sample, seed):
        return {"kl": 0 * sample[:, 0]}
    def marginal_kl(self, posterior, sample):
        return 0 * sample
def build(shape, seed):
    return models.build_vae(shape, seed, latents=Sure(4),
        encoder=functools.partial(networks.conv_encoder, width=8),
        decoder=functools.partial(networks.conv_decoder, width=8))
data = datasets.CorrelatedEllipses(num_images=80)
def weights(strategy, output):
    experiment = training.prepare(build, data, output=output, steps=1, batch_size=8,
        validation_size=0, device=training.Device(strategy=strategy),
        optimizer=lambda: keras.optimizers.SGD(1e-3))
    experiment.draw = lambda *_: []
    return [v.numpy() for v in experiment.run().model.trainable_variables]
for a, b in zip(weights("one", "OUT/a"), weights("mirrored", "OUT/b")):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
"""
    in_own_process(code.replace("OUT", str(tmp_path)))


def narrow_chyvae(precision):
    return narrow(
        (64, 64, 1),
        latents=GaussianLatents(4, "full", InverseWishartPrior(nu=20.0)),
        objective=chyvae(),
        precision=precision,
    )


def test_mixed_bfloat16_keeps_weights_and_losses_in_float32(data):
    model, reference = narrow_chyvae("mixed_bfloat16"), narrow_chyvae("float32")
    assert {v.dtype for v in model.trainable_variables} == {"float32"}
    images, seed = np.array(data.images()[:4]), tf.constant([0, 1])
    ours = model.terms(images, model.infer(images, seed)).scalars()
    theirs = reference.terms(images, reference.infer(images, seed)).scalars()
    for name, value in theirs.items():
        assert ours[name].dtype == tf.float32
        np.testing.assert_allclose(ours[name], value, rtol=2e-2, atol=1e-2)


@pytest.mark.slow
def test_mixed_bfloat16_trains(data):
    """A minute on a CPU, which emulates it."""
    model = narrow_chyvae("mixed_bfloat16")
    model.compile(optimizer=keras.optimizers.Adam())
    history = model.fit(np.array(data.images()[:4]), batch_size=2, verbose=0).history
    assert np.isfinite(history["loss"])
    assert {v.dtype for v in model.trainable_variables} == {"float32"}


def test_options_reach_the_run(data, tmp_path):
    def optimizer():
        schedule = keras.optimizers.schedules.CosineDecay(1e-3, 10)
        return keras.optimizers.Adam(schedule, global_clipnorm=1.0)

    seen = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(logs["loss"])

    result = run(
        data,
        tmp_path,
        4,
        optimizer=optimizer,
        callbacks=[Watch()],
        device=Device(steps_per_execution=2, jit_compile=True),
        with_replacement=True,
    )
    assert len(seen) == 2
    assert result.model.optimizer.global_clipnorm == 1.0
    assert result.folder.describe()["jit_compile"] is True
    assert result.step == 4


def test_steps_per_execution_changes_nothing(data, whole, tmp_path):
    b = run(data, tmp_path, 4, device=Device(steps_per_execution=2))
    assert same(whole(4), b)


def test_warm_start_takes_the_weights_and_starts_at_step_zero(data, whole, tmp_path):
    source = whole(4)
    warm = prepare(
        narrow,
        data,
        output=str(tmp_path / "b"),
        steps=4,
        intervals=EVERY_2,
        warm_start=str(source.folder.path),
        seed=3,
        **OPTIONS,
    )
    assert int(warm.model.optimizer.iterations.numpy()) == 0
    ours, theirs = warm.model.trainable_variables, source.model.trainable_variables
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_checkpoint_of_another_model_is_refused(data, whole, tmp_path):
    source = str(whole(4).folder.path)
    other = functools.partial(narrow, latents=GaussianLatents(3))
    with pytest.raises(checks.ArgumentError, match="hold the weights of this model"):
        run(data, tmp_path, 2, model=other, warm_start=source)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 0}, "steps must be at least 1"),
        ({"steps": 5}, "steps must be a multiple of the logging interval of 2"),
        ({"batch_size": 65}, "batch_size must be at most the 64 training images"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"validation_size": 80}, "validation_size"),
        ({"device": Device(steps_per_execution=3)}, "steps_per_execution must divide"),
        ({"optimizer": lambda: "adam"}, "optimizer must be Optimizer"),
        ({"metrics": len}, "metrics must be list or tuple"),
        ({"metrics": ["score"]}, "metrics must be functions"),
        ({"callbacks": [keras.callbacks.Callback]}, "with its parentheses"),
        ({"intervals": Intervals}, "with its parentheses"),
        ({"model": "vae"}, "model must be a model or a function"),
        ({"warm_start": "/nowhere"}, "warm_start must be the folder of a run"),
        ({"intervals": Intervals(log=2, evaluate=3)}, "evaluate must be a multiple"),
    ],
)
def test_errors_come_before_the_first_step(data, tmp_path, options, words):
    output = tmp_path / "never"
    with pytest.raises((checks.ArgumentError, checks.ArgumentTypeError), match=words):
        run(data, output, **options)
    assert not output.exists()


def test_a_class_for_a_data_set_is_refused(tmp_path):
    with pytest.raises(checks.ArgumentError, match="with its parentheses"):
        run(CorrelatedEllipses, tmp_path)


def test_output_that_holds_something_else_is_refused(data, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(checks.ArgumentError, match="a run of this library"):
        run(data, tmp_path)
    file = tmp_path / "thesis.tex"
    with pytest.raises(checks.ArgumentError, match="a file"):
        run(data, file)
    assert file.read_text() == "precious"


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
