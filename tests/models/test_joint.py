"""A model with categorical latents: its public arrays, its export, its scores."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from tf_disentangle import checks, metrics
from tf_disentangle.datasets import CorrelatedEllipses
from tf_disentangle.latents import (
    CategoricalLatents,
    GaussianLatents,
    JointLatents,
)
from tf_disentangle.models import build_vae, log_evidence
from tf_disentangle.networks import conv_decoder, conv_encoder
from tf_disentangle.objectives import joint_vae
from tf_disentangle.training.pictures import Plotter

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def model():
    return build_vae(
        (32, 32, 1),
        latents=JointLatents(GaussianLatents(3), CategoricalLatents([4, 2])),
        objective=joint_vae(),
        encoder=functools.partial(conv_encoder, width=8),
        decoder=functools.partial(conv_decoder, width=8),
    )


def test_decode_is_the_decoder_at_one_hot_vectors(model):
    codes = np.array([[0.5, -1.0, 2.0, 3.0, 0.0], [0.1, 0.2, 0.3, 0.0, 1.0]])
    one_hot = [[0, 0, 0, 1, 1, 0], [1, 0, 0, 0, 0, 1]]
    z = np.column_stack([codes[:, :3], one_hot]).astype("float32")
    expected = tf.sigmoid(model.decoder(z))
    np.testing.assert_allclose(model.decode(codes), expected, rtol=1e-5)
    with pytest.raises(checks.ArgumentError, match="categorical latent c0"):
        model.decode(codes + 0.5)
    with pytest.raises(checks.ArgumentError, match=r"codes must have shape \[N, 5\]"):
        model.decode(z)


def test_probabilities_stand_apart_and_the_code_is_their_argmax(model):
    found, codes = model.posterior(IMAGES).probabilities(), model.encode(IMAGES)
    found = {name: part.numpy() for name, part in found.items()}
    assert codes.shape == (5, 5)
    for column, (name, size) in enumerate({"c0": 4, "c1": 2}.items(), start=3):
        assert found[name].shape == (5, size)
        np.testing.assert_allclose(found[name].sum(axis=1), 1.0, rtol=1e-5)
        np.testing.assert_array_equal(found[name].argmax(axis=1), codes[:, column])
    images = model.reconstruct(IMAGES)
    np.testing.assert_array_equal(images, model.decode(codes))
    np.testing.assert_allclose(model(IMAGES), images, rtol=1e-5)


def test_exported_it_gives_probabilities_and_takes_codes(model, tmp_path):
    model.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(tmp_path / "served").signatures
    encoded = served["encode"](images=tf.constant(IMAGES))
    probabilities = {"probabilities_c0", "probabilities_c1"}
    assert set(encoded) == {"mean", "stddev", "codes"} | probabilities
    mean = model.posterior(IMAGES).mean()
    np.testing.assert_allclose(encoded["mean"], mean, rtol=1e-5, atol=1e-6)
    codes = model.encode(IMAGES)
    np.testing.assert_allclose(encoded["codes"], codes, rtol=1e-5, atol=1e-6)
    for name, part in model.posterior(IMAGES).probabilities().items():
        np.testing.assert_allclose(encoded[f"probabilities_{name}"], part, rtol=1e-5)
    decoded = served["decode"](codes=tf.constant(codes))["images"]
    np.testing.assert_allclose(decoded, model.decode(codes), atol=1e-6)


def test_evidence_of_one_draw_is_the_elbo_of_the_relaxed_model(model):
    """Of one draw it is on average that ELBO, both KL at the sample."""
    images = np.tile(IMAGES[:1], (400, 1, 1, 1))
    one = log_evidence(model, images, num_samples=1).per_image
    inference = model.infer(tf.constant(images), tf.constant([1, 2]))
    latents, q, z = model.latents, inference.posterior, inference.sample
    relaxed = q.log_prob(z) - latents.prior.distribution().log_prob(z)
    bound = (model.terms(images, inference).log_likelihood - relaxed).numpy()
    error = np.sqrt((one.var() + bound.var()) / 400)
    assert abs(one.mean() - bound.mean()) < 4.5 * error


def test_each_categorical_latent_has_a_figure(model):
    figures = Plotter(model, IMAGES).figures(per_latent=[0.1, 0.2, 0.3, 0.4, 0.5])
    assert {"samples_c0", "samples_c1", "traversals"} <= set(figures)


def test_scores_get_the_columns_and_refuse_to_take_a_category_for_a_quantity():
    columns = JointLatents(GaussianLatents(1), CategoricalLatents([4])).columns
    dataset = CorrelatedEllipses(num_images=64)
    rng = np.random.default_rng(0)

    def encode(images):
        return np.stack(
            [rng.normal(size=len(images)), rng.integers(4, size=len(images))], axis=1
        )

    def by_hand(data, encoder):
        raise AssertionError("not called")

    table = metrics.evaluate(
        dataset,
        encode,
        ["mig", by_hand, "strong_downstream"],
        columns=columns,
        num_train=60,
        progress=False,
    )
    assert "categorical" in table["mig"].protocol
    assert "by_hand must take `columns`" in table["by_hand"].reason
    assert "no order; received 'c0'" in table["strong_downstream"].reason
    with pytest.raises(checks.ArgumentError, match="by_hand must take `columns`"):
        metrics.check_arguments(by_hand, dataset, columns)
