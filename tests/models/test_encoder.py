"""A model as an encoder: its codes, samples of q(z|x), moments, evidence, floors."""

import functools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_disentangle import checks, metrics
from tf_disentangle.datasets import CorrelatedEllipses, Pinwheel
from tf_disentangle.distributions import Normal
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.metrics import METRICS
from tf_disentangle.models import build_vae, log_evidence
from tf_disentangle.models.encoder import ModelEncoder, UntrainedEncoder
from tf_disentangle.networks import mlp_decoder, mlp_encoder
from tf_disentangle.objectives import chyvae, elbo
from tf_disentangle.priors import InverseWishartPrior

narrow = functools.partial(
    build_vae,
    encoder=functools.partial(mlp_encoder, width=8),
    decoder=functools.partial(mlp_decoder, width=8),
)


@pytest.fixture(scope="module")
def data():
    return CorrelatedEllipses(num_images=80)


def of(covariance, shape=(64, 64, 1), **options):
    if covariance == "diagonal":
        return narrow(shape, latents=GaussianLatents(3, covariance), **options)
    latents = GaussianLatents(3, covariance, prior=InverseWishartPrior(nu=20.0))
    return narrow(shape, latents=latents, objective=chyvae())


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_samples_have_the_posteriors_moments(data, covariance):
    model = of(covariance)
    encoder = ModelEncoder(model, sampled=True)
    image = np.asarray(data.images()[:1])
    parameters = encoder.parameters(image)
    posterior = model.posterior(tf.constant(image))
    draws = encoder.draw(parameters.repeat(40_000, axis=0), np.random.default_rng(0))
    expected = posterior.covariance().numpy()[0]
    scale = np.sqrt(np.diag(expected))
    off = (draws.mean(axis=0) - posterior.mean().numpy()[0]) / scale
    assert np.all(np.abs(off) < 4 / np.sqrt(40_000))
    # The standard error of a covariance of unit variances is at most sqrt(2 / N).
    error = np.abs(np.cov(draws.T) - expected) / np.outer(scale, scale)
    assert error.max() < 4 * np.sqrt(2 / 40_000)


def test_codes_are_the_models_and_a_metric_scores_them(data):
    model = of("diagonal")
    images = np.asarray(data.images()[:7])
    encoder = ModelEncoder(model)
    np.testing.assert_array_equal(encoder(images), model.encode(images))
    assert encoder.columns == model.latents.columns
    options = {"num_train": 400, "progress": False}
    variances = []
    for kind in (encoder, ModelEncoder(model, sampled=True)):
        table = metrics.evaluate(data, kind, ["active_units"], **options)
        variances.append(table["active_units"].results[0].variances)
    # Var z = Var E[z|x] + E Var[z|x], and at the start q(z|x) has a variance near 1.
    _, deviations = encoder.gaussian_moments(np.asarray(data.images()))
    expected = variances[0] + np.mean(deviations**2, axis=0)
    np.testing.assert_allclose(variances[1], expected, rtol=4 * np.sqrt(2 / 400))


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_of_no_images_there_are_no_parameters(data, covariance):
    encoder = ModelEncoder(of(covariance))
    images = np.asarray(data.images()[:2])
    size = {"diagonal": 3 + 3, "full": 3 + 6}[covariance]
    assert encoder.parameters(images).shape == (2, size)
    assert encoder.parameters(images[:0]).shape == (0, size)
    assert encoder(images[:0]).shape == (0, 3)


def test_moments_are_those_of_the_usual_latents_only(data):
    model = of("diagonal")
    images = np.asarray(data.images()[:5])
    means, deviations = ModelEncoder(model).gaussian_moments(images)
    posterior = model.posterior(tf.constant(images))
    np.testing.assert_allclose(means, posterior.mean().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(deviations, posterior.stddev().numpy(), rtol=1e-5)
    score = METRICS["aggregate_posterior"].on_data
    few = {"num_images": 60, "num_samples": 50, "progress": False}
    assert score(data, ModelEncoder(model), **few).protocol == "mixture of 60, 50 draws"
    with pytest.raises(checks.ArgumentError, match="standard normal prior"):
        score(data, ModelEncoder(of("full")), **few)


def test_the_evidence_is_the_models(data):
    model, images = of("full"), np.asarray(data.images()[:5])
    ours = ModelEncoder(model).log_evidence(images, num_samples=20, seed=3)
    theirs = log_evidence(model, images, num_samples=20, seed=3)
    np.testing.assert_array_equal(ours.per_image, theirs.per_image)


def test_codes_sampled_of_a_model_of_vectors():
    data = Pinwheel(num_points=200)
    model = of("diagonal", (1, 1, 2), objective=elbo(Normal()))
    encoder = ModelEncoder(model, sampled=True)
    vectors = np.asarray(data.images()[:50])
    assert encoder(vectors).shape == (50, 3)
    table = metrics.evaluate(data, encoder, ["unsupervised"], progress=False)
    assert np.isfinite(table["unsupervised"].score)
    with pytest.raises(checks.ArgumentError, match="have shape"):
        encoder(np.zeros((4, 1, 1, 3), np.float32))


def test_untrained_networks_leave_the_model_as_it_is(data):
    model, images = of("diagonal"), np.asarray(data.images()[:5])
    before = model.encode(images)
    floors = [UntrainedEncoder(model, seed) for seed in (0, 0, 1)]
    codes = [floor(images) for floor in floors]
    np.testing.assert_array_equal(codes[0], codes[1])
    assert np.any(codes[0] != codes[2]) and np.any(codes[0] != before)
    np.testing.assert_array_equal(model.encode(images), before)
    assert floors[0].architecture == floors[2].architecture
    wider = narrow((64, 64, 1), latents=GaussianLatents(4))
    assert UntrainedEncoder(wider).architecture != floors[0].architecture
    # The spread of the first codes is that of the model before its first step.
    assert 0.2 < codes[0].std() / before.std() < 5


def test_runs_of_other_seeds_share_their_floors(data):
    """Also with a model that was saved, or made after others in this process."""
    one, two = of("diagonal", seed=0), of("diagonal", seed=7)
    encoder = type(two.encoder).from_config(
        json.loads(json.dumps(two.encoder.get_config()))
    )
    three = narrow((64, 64, 1), encoder=lambda *_, **__: encoder, latents=two.latents)
    images = np.asarray(data.images()[:5])
    assert np.any(one.encode(images) != two.encode(images))
    floors = [UntrainedEncoder(model, 1) for model in (one, two, three)]
    assert len({floor.architecture for floor in floors}) == 1
    for floor in floors[1:]:
        np.testing.assert_array_equal(floor(images), floors[0](images))
    assert UntrainedEncoder(one, 1, True).architecture != floors[0].architecture


def test_the_floor_of_sampled_codes_is_sampled(data):
    model, images = of("full"), np.asarray(data.images()[:5])
    before = model.encode(images)
    floor = UntrainedEncoder(model, 1, sampled=True)
    means = UntrainedEncoder(model, 1)(images)
    draws = np.stack([floor(images) for _ in range(400)])
    spread = draws.std(axis=0)
    assert np.all(spread > 0)
    assert np.all(np.abs(draws.mean(axis=0) - means) < 5 * spread / np.sqrt(400))
    np.testing.assert_array_equal(model.encode(images), before)


class OwnNetwork(keras.Model):
    """A network as people write them: a class, built by its first call."""

    def __init__(self, width, **options):
        super().__init__(**options)
        self.width = width
        self.flat, self.hidden = keras.layers.Flatten(), keras.layers.Dense(width)
        self.heads = keras.layers.Dense(6)

    def call(self, images):
        return self.heads(self.hidden(self.flat(images)))


class OwnConfiguredNetwork(OwnNetwork):
    def get_config(self):
        return {"width": self.width}


def test_the_floor_of_a_network_of_the_users_own_class(data):
    images = np.asarray(data.images()[:5])
    model = of("diagonal", (64, 64, 1), encoder=OwnConfiguredNetwork(4))
    before, floor = model.encode(images), UntrainedEncoder(model, 1)
    codes = floor(images)
    assert codes.shape == (5, 3) and np.any(codes != before)
    np.testing.assert_array_equal(model.encode(images), before)
    model = of("diagonal", (64, 64, 1), encoder=OwnNetwork(4))
    with pytest.raises(
        checks.ArgumentError, match=r"model\.encoder must have get_config"
    ):
        UntrainedEncoder(model)
