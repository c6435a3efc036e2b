"""Validation: the monitors beside the terms, and where the number of images is from."""

import functools
import types

import numpy as np
import pytest
import tensorflow as tf
from tf_disentangle.training.validation import Validation

from tf_disentangle import checks
from tf_disentangle.datasets import CorrelatedEllipses
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.models import build_vae
from tf_disentangle.networks import conv_decoder, conv_encoder
from tf_disentangle.objectives import beta_tcvae, monitors
from tf_disentangle.training import Intervals, prepare
from tf_disentangle.training.preparation import _check_batch

MONITORS = {
    "mutual_information",
    "total_correlation",
    "dimension_kl",
    "gaussian_total_correlation",
}
narrow = functools.partial(
    build_vae,
    encoder=functools.partial(conv_encoder, width=8),
    decoder=functools.partial(conv_decoder, width=8),
)


@pytest.fixture(scope="module")
def data():
    return CorrelatedEllipses(num_images=300)


def experiment(data, output, **options):
    options = {"batch_size": 8, "validation_size": 16, "steps": 2, **options}
    intervals = Intervals(log=2, evaluate=2, save=2, pictures=0)
    return prepare(narrow, data, output=str(output), intervals=intervals, **options)


def test_every_run_learns_its_number_of_images_and_records_the_monitors(data, tmp_path):
    prepared = experiment(data, tmp_path)
    assert prepared.model.num_examples == 300 - 16
    result = prepared.run()
    (row,) = [r for r in result.folder.rows() if r["step"] == 2]
    assert {f"validation/{name}" for name in MONITORS} <= set(row)
    assert not MONITORS & set(row), "the training rows keep to the loss"


def test_monitors_are_those_of_the_first_250_images(data, tmp_path):
    prepared = experiment(data, tmp_path, validation_size=260)
    images = data.images()[:260]
    terms, _ = Validation(prepared.model, images, 5)()
    model = prepared.model
    inference = model.infer(tf.constant(images[:250]), tf.constant([5, 0]))
    assert inference.num_examples == 40
    for name, value in monitors(inference).items():
        np.testing.assert_allclose(terms[name], value, rtol=1e-3, atol=1e-5)


def test_one_held_out_image_leaves_out_what_is_not_finite(data, tmp_path):
    prepared = experiment(data, tmp_path, validation_size=1)
    terms, _ = Validation(prepared.model, data.images()[:1], 5)()
    assert "gaussian_total_correlation" not in terms
    assert all(np.isfinite(value) for value in terms.values())


def test_a_model_that_no_run_prepared_says_what_it_lacks(data):
    model = narrow((64, 64, 1), latents=GaussianLatents(3), objective=beta_tcvae())
    images = tf.constant(data.images()[:4])
    inference = model.infer(images, tf.constant([1, 2]))
    with pytest.raises(checks.ArgumentError, match=r"set model\.num_examples"):
        model.terms(images, inference)
    model.num_examples = 100
    inference = model.infer(images, tf.constant([1, 2]))
    assert np.isfinite(model.terms(images, inference).scalars()["loss"])


def test_a_batch_of_one_is_refused_where_a_penalty_needs_two(data, tmp_path):
    model = functools.partial(narrow, objective=beta_tcvae())
    words = (
        r"batch_size must give each device at least 2 .* Raise train\.batch_size to 2"
    )
    with pytest.raises(checks.ArgumentError, match=words):
        prepare(
            model, data, output=str(tmp_path), steps=2, batch_size=1, validation_size=0
        )
    prepare(
        narrow, data, output=str(tmp_path), steps=2, batch_size=1, validation_size=0
    )


@pytest.mark.parametrize(("devices", "least"), [(1, 2), (2, 4), (4, 8)])
def test_a_batch_is_counted_on_each_device(devices, least):
    model = narrow((64, 64, 1), latents=GaussianLatents(3), objective=beta_tcvae())

    def batches(size):
        return types.SimpleNamespace(batch_size=size, training=np.arange(64))

    _check_batch(model, batches(least), devices)
    with pytest.raises(checks.ArgumentError, match=f"batch_size to {least} or"):
        _check_batch(model, batches(least - devices), devices)
