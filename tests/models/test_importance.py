"""The evidence of a linear-Gaussian VAE, which is known exactly."""

import functools

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.distributions import Normal
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.models import build_vae, log_evidence
from tf_disentangle.networks import mlp_decoder, mlp_encoder
from tf_disentangle.objectives import elbo
from tf_disentangle.priors import (
    InverseWishartPrior,
    NormalPrior,
)

SCALE, VARIANCE = 0.5, 2.0
linear = functools.partial(
    build_vae,
    (1, 1, 3),
    objective=elbo(Normal(SCALE)),
    encoder=functools.partial(mlp_encoder, num_layers=0),
    decoder=functools.partial(mlp_decoder, num_layers=0),
)


@pytest.fixture(scope="module")
def model():
    return linear(latents=GaussianLatents(2, prior=NormalPrior(VARIANCE)))


@pytest.fixture(scope="module")
def vectors():
    return np.random.default_rng(0).normal(size=(7, 1, 1, 3)).astype("float32")


@pytest.fixture(scope="module")
def exact(model, vectors):
    """x = W z + b + noise, so x ~ N(b, v W W^T + s^2 I)."""
    weights, offset = (w.numpy().astype(float) for w in model.decoder.weights)
    covariance = VARIANCE * weights.T @ weights + SCALE**2 * np.eye(3)
    return scipy.stats.multivariate_normal(offset, covariance).logpdf(vectors[:, 0, 0])


def test_converges_to_the_exact_evidence(model, vectors, exact):
    result = log_evidence(model, vectors, num_samples=20_000)
    np.testing.assert_allclose(result.per_image, exact, atol=0.1)
    # 1/sqrt of the effective number is the weights' relative standard error.
    error = 1 / np.sqrt(result.effective_samples_per_image)
    assert (np.abs(result.per_image - exact) < 4.5 * error).all()
    assert result.score == pytest.approx(result.per_image.mean())
    assert result.protocol == "7 images, 20000 draws"


def test_bound_rises_with_the_number_of_samples(model, vectors, exact):
    # Each copy has draws of its own.
    means = [
        log_evidence(model, np.repeat(vectors, copies, 0), num_samples=k).score
        for k, copies in ((1, 200), (5, 100), (100, 20))
    ]
    assert means[0] < means[1] - 0.1 < means[2] - 0.2
    assert means[2] < exact.mean() + 0.05


def test_one_sample_is_the_elbo(model, vectors):
    copies = np.repeat(vectors[:1], 3000, axis=0)
    found = log_evidence(model, copies, num_samples=1).per_image
    # The same one-sample terms, with the KL in closed form.
    inference = model.infer(copies, tf.constant([3, 4]))
    expected = model.terms(copies, inference).elbo().numpy()
    error = np.hypot(found.std(), expected.std()) / np.sqrt(3000)
    assert abs(found.mean() - expected.mean()) < 4.5 * error


def test_the_exact_posterior_needs_one_sample(vectors):
    """With q(z|x) = p(z|x) every weight is p(x)."""
    model = linear(latents=GaussianLatents(2, "full", NormalPrior(VARIANCE)))
    weights, offset = (w.numpy().astype(float) for w in model.decoder.weights)
    precision = weights @ weights.T / SCALE**2 + np.eye(2) / VARIANCE
    covariance = np.linalg.inv(precision)
    # The jitter of the latent space is taken off again, so that S is exact.
    factor = np.linalg.cholesky(covariance - 1e-4 * np.eye(2))
    diagonal = np.log(np.expm1(np.diag(factor) - 1e-4))
    head = np.zeros((3, 6))
    head[:, :2] = weights.T @ covariance / SCALE**2
    bias = np.zeros(6)
    bias[:2] = -offset @ head[:, :2]
    bias[2:] = [diagonal[0], 0.0, factor[1, 0], diagonal[1]]
    model.encoder.set_weights([head, bias])
    marginal = VARIANCE * weights.T @ weights + SCALE**2 * np.eye(3)
    exact = scipy.stats.multivariate_normal(offset, marginal).logpdf(vectors[:, 0, 0])
    result = log_evidence(model, vectors, num_samples=2)
    np.testing.assert_allclose(result.per_image, exact, atol=2e-3)
    np.testing.assert_allclose(result.effective_samples_per_image, 2.0, rtol=1e-4)


def test_is_seeded_and_each_image_has_its_own_draws(model, vectors):
    a = log_evidence(model, vectors, num_samples=700)
    b = log_evidence(model, vectors, num_samples=700)
    np.testing.assert_array_equal(a.per_image, b.per_image)
    c = log_evidence(model, vectors, num_samples=700, seed=1)
    assert (a.per_image != c.per_image).all()
    twins = log_evidence(model, np.repeat(vectors[:1], 5, 0), num_samples=3)
    assert len(set(twins.per_image)) == 5


def test_works_for_images_and_a_hyperprior():
    model = build_vae(
        (32, 32, 1),
        latents=GaussianLatents(3, "full", InverseWishartPrior(nu=20.0)),
        encoder=functools.partial(mlp_encoder, width=8),
        decoder=functools.partial(mlp_decoder, width=8),
    )
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 1), np.uint8)
    result = log_evidence(model, images, num_samples=10)
    assert result.per_image.shape == (3,) and (result.per_image < 0).all()
    assert result.effective_samples_per_image.min() >= 1 - 1e-9
    assert result.effective_samples_per_image.max() <= 10 + 1e-9


def test_what_does_not_fit(model, vectors):
    with pytest.raises(checks.ArgumentError, match="num_samples must be at least 1"):
        log_evidence(model, vectors, num_samples=0)
    with pytest.raises(checks.ArgumentError, match="images must not be empty"):
        log_evidence(model, vectors[:0])
    with pytest.raises(checks.ArgumentError, match=r"seed must be less than 2\*\*31"):
        log_evidence(model, vectors, seed=2**32)
    with pytest.raises(checks.ArgumentError, match=r"\[N, 1, 1, 3\]"):
        log_evidence(model, vectors[..., :2])
