"""What images tell of codes, against channels whose information is known."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle.latents import (
    CategoricalLatents,
    GaussianLatents,
    GaussianPosterior,
    JointLatents,
)
from tf_disentangle.priors import LaplacePrior

tfd = tfp.distributions
COUNT = 40_000


@pytest.mark.parametrize("noise", [0.3, 1.0])
def test_normal_codes_seen_through_noise(noise):
    """z ~ N(0, 1), x = z + noise e: I = 1/2 log(1 + 1 / noise^2), at the exact q."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(COUNT, 2)).astype(np.float32)
    x = z + noise * rng.normal(size=z.shape).astype(np.float32)
    latents = GaussianLatents(2)
    gain = 1.0 / (1.0 + noise**2)
    scale = tf.fill([2], np.float32(np.sqrt(gain) * noise))
    exact_q = GaussianPosterior(latents, tfd.MultivariateNormalDiag(gain * x, scale))
    actual = exact_q.information(z).numpy()
    assert actual.shape == (COUNT, 2)
    exact = 0.5 * np.log1p(noise**-2)
    error = actual.std(axis=0) / np.sqrt(COUNT)
    assert np.all(np.abs(actual.mean(axis=0) - exact) < 4 * error)
    # Another q says less, and one that knows nothing says 0.
    other_q = tfd.MultivariateNormalDiag(x, tf.fill([2], noise))
    other_q = GaussianPosterior(latents, other_q)
    assert np.all(other_q.information(z).numpy().mean(axis=0) < exact)
    prior = tfd.MultivariateNormalDiag(tf.zeros([COUNT, 2]), tf.ones(2))
    silent_q = GaussianPosterior(latents, prior)
    np.testing.assert_allclose(silent_q.information(z), 0.0, atol=1e-6)


def test_categories_seen_through_a_symmetric_channel():
    """Right with probability p, else any other: log n - H."""
    n, p = 4, 0.7
    rng = np.random.default_rng(1)
    c = rng.integers(n, size=COUNT)
    x = np.where(rng.random(COUNT) < p, c, (c + rng.integers(1, n, COUNT)) % n)
    probabilities = np.full((COUNT, n), (1 - p) / (n - 1), np.float32)
    probabilities[np.arange(COUNT), x] = p
    latents = CategoricalLatents([n, 3])
    logits = [np.log(probabilities), np.zeros((COUNT, 3), np.float32)]
    posterior = latents.posterior(np.concatenate(logits, axis=1))
    z = tf.concat([tf.one_hot(c, n), tf.one_hot(x % 3, 3)], axis=1)
    actual = posterior.information(z).numpy()
    exact = np.log(n) + p * np.log(p) + (1 - p) * np.log((1 - p) / (n - 1))
    error = actual[:, 0].std() / np.sqrt(COUNT)
    assert abs(actual[:, 0].mean() - exact) < 4 * error
    np.testing.assert_allclose(actual[:, 1], 0.0, atol=1e-6)


def test_of_both_together_it_is_that_of_each():
    parts = GaussianLatents(2, prior=LaplacePrior()), CategoricalLatents([3])
    latents = JointLatents(*parts)
    rng = np.random.default_rng(2)
    raw = rng.normal(size=(5, latents.num_parameters)).astype(np.float32)
    z = rng.normal(size=(5, 2)).astype(np.float32)
    c = np.eye(3, dtype=np.float32)[rng.integers(3, size=5)]
    actual = latents.posterior(raw).information(np.concatenate([z, c], axis=1))
    expected = [
        parts[0].posterior(raw[:, :4]).information(z),
        parts[1].posterior(raw[:, 4:]).information(c),
    ]
    np.testing.assert_allclose(actual, np.concatenate(expected, axis=1), rtol=1e-5)


def test_a_fixed_deviation_bounds_what_can_be_told():
    """S = I: at most 1/2 nat on average, where mu = z; the encoder emits mu alone."""
    latents = GaussianLatents(3, "identity")
    assert latents.num_parameters == 3
    z = np.random.default_rng(3).normal(size=(COUNT, 3)).astype(np.float32)
    posterior = latents.posterior(z)
    np.testing.assert_array_equal(posterior.code(), z)
    np.testing.assert_array_equal(posterior.stddev(), np.ones_like(z))
    actual = posterior.information(z).numpy()
    assert np.all(np.abs(actual.mean(axis=0) - 0.5) < 4 * 0.71 / np.sqrt(COUNT))
