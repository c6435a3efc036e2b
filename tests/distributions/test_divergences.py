"""kl_or_monte_carlo: the closed form where there is one, else an unbiased estimate."""

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle.checks import ArgumentError
from tf_disentangle.distributions import InverseWishart, kl_or_monte_carlo

tfd = tfp.distributions
SEED = tf.constant([3, 5], tf.int32)


def test_closed_form_needs_no_sample():
    posterior = tfd.MultivariateNormalDiag(np.ones([4, 3]), np.full([4, 3], 0.5))
    prior = tfd.MultivariateNormalDiag(np.zeros(3), np.ones(3))
    nowhere = tf.fill([4, 3], tf.constant(np.nan, tf.float64))
    kl = kl_or_monte_carlo(posterior, prior, nowhere)
    by_hand = 3 * 0.5 * (0.25 + 1 - 1 - np.log(0.25))
    np.testing.assert_allclose(kl, np.full([4], by_hand))


def test_our_own_pair_is_in_the_registry():
    prior = InverseWishart(df=5.0, scale=np.eye(3))
    posterior = prior.conditioned_on(np.ones([2, 3]))
    kl = kl_or_monte_carlo(posterior, prior, posterior.sample(seed=SEED))
    np.testing.assert_array_equal(kl, tfd.kl_divergence(posterior, prior))


def test_monte_carlo_is_unbiased_and_one_value_per_example():
    n = 20_000
    loc, scale = np.array([0.3, 1.0]), np.array([0.5, 2.0])
    posterior = tfd.Normal(loc, scale)
    prior = tfd.StudentT(np.float64(4), np.float64(0), np.float64(1))
    sample = posterior.sample(n, seed=SEED)
    with pytest.raises(NotImplementedError):
        tfd.kl_divergence(posterior, prior)
    ratio = kl_or_monte_carlo(posterior, prior, sample).numpy()
    assert ratio.shape == (n, 2)
    for i in range(2):
        q, p = scipy.stats.norm(loc[i], scale[i]), scipy.stats.t(4)
        kl, _ = scipy.integrate.quad(
            lambda x, q=q, p=p: q.pdf(x) * (q.logpdf(x) - p.logpdf(x)),
            loc[i] - 12 * scale[i],
            loc[i] + 12 * scale[i],
        )
        assert abs(ratio[:, i].mean() - kl) < 5 * ratio[:, i].std() / np.sqrt(n)


def test_compound_without_a_pair_inside_falls_back_too():
    posterior = tfd.Independent(tfd.Normal(np.zeros([4, 3]), np.float64(1)), 1)
    prior = tfd.Independent(tfd.StudentT(np.float64(5), np.zeros(3), np.float64(1)), 1)
    sample = posterior.sample(seed=SEED)
    kl = kl_or_monte_carlo(posterior, prior, sample)
    expected = scipy.stats.norm.logpdf(sample) - scipy.stats.t.logpdf(sample, 5)
    np.testing.assert_allclose(kl, expected.sum(-1))


def test_gradient_of_the_estimate_is_that_of_the_kl_on_average():
    # A normal as a mixture of one: without a closed form, and its KL is known.
    loc = tf.constant(0.7, tf.float64)
    prior = tfd.MixtureSameFamily(
        tfd.Categorical(logits=np.zeros(1)), tfd.Normal(np.zeros(1), np.ones(1))
    )
    with tf.GradientTape() as tape:
        tape.watch(loc)
        posterior = tfd.Normal(loc, np.float64(0.5))
        sample = posterior.sample(20_000, seed=SEED)
        estimate = tf.reduce_mean(kl_or_monte_carlo(posterior, prior, sample))
    # d/d loc log(q/p) at z = loc + eps / 2 is z, of mean loc and deviation 1/2.
    slope = tape.gradient(estimate, loc).numpy()
    assert abs(slope - 0.7) < 5 * 0.5 / np.sqrt(20_000)


def test_other_event_shapes_are_refused():
    posterior = tfd.MultivariateNormalDiag(np.zeros([4, 3]), np.ones([4, 3]))
    prior = tfd.Normal(np.zeros(3), np.ones(3))
    text = r"prior must have the posterior's event shape \(3,\); received .*Independent"
    with pytest.raises(ArgumentError, match=text):
        kl_or_monte_carlo(posterior, prior, posterior.sample(seed=SEED))
