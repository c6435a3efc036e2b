"""Estimates of log q(z) against the mixture that q(z) is."""

import itertools
import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.distributions import log_aggregate_posterior
from tf_disentangle.distributions.aggregate_posterior import log_weights

tfd = tfp.distributions


def grid_of_posteriors():
    """Means and deviations of 12 posteriors over 2 latents, on a 4 x 3 grid."""
    means = np.array(list(itertools.product(np.arange(4), np.arange(3))), np.float64)
    deviations = np.random.default_rng(0).uniform(0.3, 1.2, (12, 2))
    return means, deviations


def of_family(family):
    """(posterior, its marginals, scipy's density of posterior n at z [B, 2])."""
    means, deviations = grid_of_posteriors()
    loc, scale = tf.constant(means, tf.float32), tf.constant(deviations, tf.float32)
    if family == "diagonal":
        posterior = tfd.MultivariateNormalDiag(loc, scale)
        marginals = tfd.Normal(loc, scale)
        covariances = [np.diag(d**2) for d in deviations]
    elif family == "full":
        tril = np.zeros((12, 2, 2))
        tril[:, 0, 0], tril[:, 1, 1] = deviations.T
        tril[:, 1, 0] = np.linspace(-0.8, 0.8, 12)
        covariances = tril @ tril.transpose(0, 2, 1)
        posterior = tfd.MultivariateNormalTriL(loc, tf.constant(tril, tf.float32))
        marginals = tfd.Normal(loc, posterior.stddev())
    else:
        marginals = tfd.Laplace(loc, scale)
        posterior = tfd.Independent(marginals, 1)
        one = [
            scipy.stats.laplace(m, d) for m, d in zip(means, deviations, strict=True)
        ]
        return (
            posterior,
            marginals,
            [lambda z, n=n: n.pdf(z).prod(-1) for n in one],
            one,
        )
    joint = [
        scipy.stats.multivariate_normal(m, c).pdf
        for m, c in zip(means, covariances, strict=True)
    ]
    one = [
        scipy.stats.norm(m, np.sqrt(np.diag(c)))
        for m, c in zip(means, covariances, strict=True)
    ]
    return posterior, marginals, joint, one


@pytest.mark.parametrize("family", ["diagonal", "full", "Laplace"])
def test_stratified_on_the_whole_set_is_the_mixture(family):
    posterior, marginals, joint, one = of_family(family)
    z = posterior.sample(seed=[1, 2])
    expected = np.log(np.mean([density(z.numpy()) for density in joint], axis=0))
    np.testing.assert_allclose(
        log_aggregate_posterior(posterior.log_prob, z, 12),
        expected,
        rtol=1e-4,
        atol=1e-5,
    )
    expected = np.log(np.mean([n.pdf(z.numpy()) for n in one], axis=0))
    actual = log_aggregate_posterior(marginals.log_prob, z, 12)
    assert actual.shape == [12, 2]
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def batches_with(first, size=4):
    """All batches of `size` of the 12 that begin with `first`, [165, 4]."""
    others = [n for n in range(12) if n != first]
    return [(first, *rest) for rest in itertools.combinations(others, size - 1)]


@tf.function
def log_q_of_diagonal(loc, scale, z):
    return log_aggregate_posterior(
        tfd.MultivariateNormalDiag(loc, scale).log_prob, z, 12
    )


@pytest.mark.parametrize(("own", "place"), [(0, 0), (5, 2), (11, 3)])
def test_stratified_is_unbiased_over_all_batches(own, place):
    """Exactly: the mean of q(z_i) over every batch that holds i is the mixture's."""
    means, deviations = grid_of_posteriors()
    z_own = means[own] + deviations[own] * [0.7, -0.4]
    densities, logs = [], []
    for batch in batches_with(own):
        rows = list(batch[1:])
        rows.insert(place, own)  # The own posterior may stand in any row.
        arrays = (means[rows], deviations[rows], np.tile(z_own, (4, 1)))
        log_q = log_q_of_diagonal(*(tf.constant(a, tf.float32) for a in arrays))[place]
        logs.append(float(log_q))
        densities.append(math.exp(log_q))
    exact = np.mean(
        [
            scipy.stats.norm(m, d).pdf(z_own).prod()
            for m, d in zip(means, deviations, strict=True)
        ]
    )
    np.testing.assert_allclose(np.mean(densities), exact, rtol=1e-5)
    assert np.mean(logs) < math.log(exact), "Jensen: the logarithm is biased down"


def test_stratified_weights_are_symmetric_and_sum_to_one():
    weights = np.exp(log_weights(5, 100))
    np.testing.assert_allclose(weights, weights.T)
    np.testing.assert_allclose(weights.sum(1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(np.diag(weights), 1 / 100, rtol=1e-6)
    np.testing.assert_allclose(weights[0, 1:], 99 / (100 * 4), rtol=1e-6)


def test_batch_equals_set_and_batch_of_one():
    np.testing.assert_allclose(np.exp(log_weights(7, 7)), 1 / 7, rtol=1e-6)
    np.testing.assert_allclose(log_weights(1, 50), [[-math.log(50)]], rtol=1e-6)
    assert float(log_weights(1, 1)[0, 0]) == 0.0


def test_weighted_offset_where_all_overlap_is_log_n():
    posterior = tfd.MultivariateNormalDiag(tf.zeros([8, 3]), tf.ones([8, 3]))
    z = posterior.sample(seed=[1, 2])
    actual = log_aggregate_posterior(posterior.log_prob, z, 500, "weighted")
    np.testing.assert_allclose(actual, posterior.log_prob(z) - math.log(500), rtol=1e-5)
    exact = log_aggregate_posterior(posterior.log_prob, z, 500)
    np.testing.assert_allclose(exact, posterior.log_prob(z), rtol=1e-5)


def test_weighted_offset_where_all_are_far_apart_is_log_b():
    loc = tf.constant(100.0 * np.arange(8)[:, None] * np.ones((1, 3)), tf.float32)
    posterior = tfd.MultivariateNormalDiag(loc, tf.ones([8, 3]))
    z = posterior.sample(seed=[1, 2])
    # Of the N, as far apart as these, only the own one counts.
    truth = posterior.log_prob(z) - math.log(500)
    actual = log_aggregate_posterior(posterior.log_prob, z, 500, "weighted")
    np.testing.assert_allclose(actual, truth - math.log(8), rtol=1e-4)
    np.testing.assert_allclose(
        log_aggregate_posterior(posterior.log_prob, z, 500), truth, rtol=1e-4
    )


def correlated_set(n=2000, size=10):
    """N narrow posteriors whose means are correlated normals: TC about 4.4 nats."""
    rng = np.random.default_rng(0)
    pairs = np.kron(np.eye(size // 2), [[1.0, 0.9], [0.9, 1.0]])
    means = rng.multivariate_normal(np.zeros(size), pairs, n)
    deviations = rng.uniform(0.25, 0.45, (n, size))
    return means, deviations, means + deviations * rng.normal(size=(n, size))


def exact_total_correlation(means, deviations, z):
    """Mean over z of log q(z) - sum_j log q(z_j), by loops of numpy."""
    total = 0.0
    for row in z:
        logs = scipy.stats.norm.logpdf(row, means, deviations)
        joint = scipy.special.logsumexp(logs.sum(1)) - np.log(len(means))
        product = scipy.special.logsumexp(logs, axis=0) - np.log(len(means))
        total += (joint - product.sum()) / len(z)
    return total


def test_total_correlation_of_2000_by_batches_of_64():
    """The figure of the reference: truth 4.4; weighted about 70 too high."""
    means, deviations, z = correlated_set()
    exact = exact_total_correlation(means, deviations, z[:500])
    rng = np.random.default_rng(1)
    actual = {"stratified": [], "weighted": []}
    for _ in range(40):
        rows = rng.choice(2000, 64, replace=False)
        loc = tf.constant(means[rows], tf.float32)
        scale = tf.constant(deviations[rows], tf.float32)
        sample = tf.constant(z[rows], tf.float32)
        for name, values in actual.items():
            joint = log_aggregate_posterior(
                tfd.MultivariateNormalDiag(loc, scale).log_prob, sample, 2000, name
            )
            product = log_aggregate_posterior(
                tfd.Normal(loc, scale).log_prob, sample, 2000, name
            )
            values.append(
                float(tf.reduce_mean(joint - tf.reduce_sum(product, axis=-1)))
            )
    stratified, weighted = np.mean(actual["stratified"]), np.mean(actual["weighted"])
    assert 3.5 < exact < 5.5
    assert abs(stratified - exact) < 1.0
    # With marginals that overlap and a joint that does so in part.
    low, high = 9 * math.log(2000), 10 * math.log(2000) - math.log(64)
    assert low - 1.0 < weighted - exact < high + 1.0


@pytest.mark.parametrize("estimator", ["stratified", "weighted"])
def test_gradient_is_finite_far_from_all_other_posteriors(estimator):
    loc = tf.Variable([[0.0, 0.0], [1e3, -1e3], [5.0, 5.0]])
    with tf.GradientTape() as tape:
        posterior = tfd.MultivariateNormalDiag(loc, 0.01 * tf.ones([3, 2]))
        z = posterior.sample(seed=[1, 2])
        log_q = log_aggregate_posterior(posterior.log_prob, z, 9, estimator)
    assert np.isfinite(log_q).all()
    assert np.isfinite(tape.gradient(log_q, loc)).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_examples": 0}, "num_examples must be at least 1; received 0"),
        ({"num_examples": 2.5}, "num_examples must be int"),
        ({"num_examples": 5, "estimator": "stratfied"}, "Did you mean stratified"),
    ],
)
def test_bad_arguments(options, words):
    posterior = tfd.MultivariateNormalDiag(tf.zeros([3, 2]), tf.ones([3, 2]))
    with pytest.raises((checks.ArgumentError, checks.ArgumentTypeError), match=words):
        log_aggregate_posterior(posterior.log_prob, tf.zeros([3, 2]), **options)
