"""What `train` is given is checked before the first step, and nothing is written."""

import keras
import numpy as np
import pytest

import tf_disentangle
from tests.training.small import narrow, run
from tf_disentangle import checks
from tf_disentangle.datasets import CorrelatedEllipses
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.objectives import beta_tcvae
from tf_disentangle.training import Device, Intervals
from tf_disentangle.training.input_pipeline import split_indices


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 0}, "steps must be at least 1"),
        ({"steps": 2.0}, "steps must be int"),
        ({"batch_size": 65}, "batch_size must be at most the 64 training images"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"validation_size": 80}, "validation_size"),
        ({"device": Device(steps_per_execution=3)}, "steps_per_execution must divide"),
        ({"optimizer": lambda: "adam"}, "optimizer must be Optimizer"),
        ({"metrics": "mig"}, "metrics must be list or tuple"),
        (
            {"metrics": ["factor"]},
            "metrics must name known.*Did you mean factor_vae",
        ),
        ({"metrics": [3]}, "metrics must be names of metrics, or functions"),
        ({"callbacks": [keras.callbacks.Callback]}, r"Pass an object: Callback\(\)"),
        ({"callbacks": keras.callbacks.Callback()}, "Put it in a list"),
        ({"intervals": Intervals}, r"Pass Intervals\(\)"),
        ({"model": "vae"}, "model must be a model or a function"),
        ({"model": lambda shape, seed: keras.Sequential()}, "model of this library"),
        ({"warm_start": "/nowhere"}, "warm_start must be the folder of a run"),
        ({"intervals": Intervals(log=2, evaluate=3)}, "evaluate must be a multiple"),
        ({"with_replacement": 1}, "with_replacement must be bool"),
    ],
)
def test_errors_come_before_the_first_step(data, tmp_path, options, words):
    output = tmp_path / "never"
    with pytest.raises((checks.ArgumentError, checks.ArgumentTypeError), match=words):
        run(data, output, **options)
    assert not output.exists()


def test_a_class_for_a_data_set_is_refused(tmp_path):
    with pytest.raises(checks.ArgumentError, match=r"object: CorrelatedEllipses\(\)"):
        run(CorrelatedEllipses, tmp_path)


@pytest.mark.parametrize(
    ("num_images", "expected"), [(80, 8), (9, 0), (19_999, 1999), (500_000, 2000)]
)
def test_the_default_validation_size_fits_the_data(num_images, expected):
    assert len(split_indices(num_images, None, seed=0)[1]) == expected


def test_a_dry_run_builds_everything_and_writes_nothing(data, tmp_path):
    prepared = run(
        data,
        tmp_path / "a",
        do=tf_disentangle.train,
        dry_run=True,
        validation_size=None,
    )
    assert prepared.step == 0 and prepared.model.num_examples == 72
    assert len(prepared.batches.held_out) == 8
    assert not (tmp_path / "a").exists()


def test_a_batch_of_one_is_refused_where_a_penalty_needs_two(data):
    options = {"batch_size": 1, "do": tf_disentangle.train, "dry_run": True}

    def model(shape, seed):
        return narrow(shape, seed, objective=beta_tcvae())

    words = r"batch_size must give each device at least 2 .* Raise batch_size to 2"
    with pytest.raises(checks.ArgumentError, match=words):
        run(data, None, model=model, **options)
    run(data, None, **options)


@pytest.mark.parametrize(("devices", "least"), [(1, 2), (2, 4), (4, 8)])
def test_a_batch_is_counted_on_each_device(devices, least):
    import types

    from tf_disentangle.training.preparation import _check_batch

    model = narrow((64, 64, 1), latents=GaussianLatents(3), objective=beta_tcvae())

    def batches(size):
        return types.SimpleNamespace(batch_size=size, training=np.arange(64))

    _check_batch(model, batches(least), devices)
    with pytest.raises(checks.ArgumentError, match=f"batch_size to {least} or"):
        _check_batch(model, batches(least - devices), devices)


def test_intervals_fit_the_run():
    fitted = Intervals(log=100, evaluate=1000, save=300, pictures=0).fitted(150)
    assert (fitted.log, fitted.evaluate, fitted.save) == (100, 150, 150)
    with pytest.raises(checks.ArgumentError, match="score must be a multiple"):
        Intervals(log=10, evaluate=0, save=0, pictures=0, score=15).fitted(100)
    with pytest.raises(checks.ArgumentError, match="run of 150"):
        Intervals(log=100).fitted(150, steps_per_execution=20)
