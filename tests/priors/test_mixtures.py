"""Mixtures as priors: densities, KL and marginals against scipy and quadrature."""

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import tensorflow as tf

from tf_disentangle.checks import ArgumentError
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.priors import NormalMixturePrior, SparsePrior

SEED = tf.constant([3, 5])
LOCS = [[0.0, -1.0], [0.0, 1.0], [1.0, 0.0]]
VARIANCES = [[0.5, 1.0], [0.2, 0.4], [1.0, 0.3]]
WEIGHTS = [0.5, 0.2, 0.3]


def sparse_density(x, gamma, spike=0.05, slab=1.0):
    norm = scipy.stats.norm
    return gamma * norm(0, spike).pdf(x) + (1 - gamma) * norm(0, slab).pdf(x)


def mixture_density(z):
    parts = [
        w * scipy.stats.multivariate_normal(m, np.diag(v)).pdf(z)
        for w, m, v in zip(WEIGHTS, LOCS, VARIANCES, strict=True)
    ]
    return sum(parts)


class TestNormalMixture:
    def prior(self):
        prior = NormalMixturePrior(LOCS, VARIANCES, WEIGHTS)
        return GaussianLatents(2, prior=prior).prior

    def test_density_is_scipys_and_integrates_to_one(self):
        z = np.random.default_rng(0).normal(size=(50, 2)).astype("float32")
        log_prob = self.prior().distribution().log_prob(z)
        np.testing.assert_allclose(log_prob, np.log(mixture_density(z)), rtol=1e-4)
        axis = np.linspace(-7, 7, 281, dtype="float32")
        grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
        density = np.exp(self.prior().distribution().log_prob(grid))
        assert density.sum() * 0.05**2 == pytest.approx(1.0, abs=1e-4)

    def test_marginals_are_the_density_integrated(self):
        axis = np.linspace(-7, 7, 1401)
        at = np.float32([0.3, -0.8])
        actual = self.prior().marginals().prob(at)
        first = mixture_density(np.stack([np.full_like(axis, 0.3), axis], -1))
        second = mixture_density(np.stack([axis, np.full_like(axis, -0.8)], -1))
        expected = [np.trapezoid(first, axis), np.trapezoid(second, axis)]
        np.testing.assert_allclose(actual, expected, rtol=1e-4)

    def test_kl_of_a_sample_is_unbiased(self):
        latents = GaussianLatents(2, prior=NormalMixturePrior(LOCS, VARIANCES, WEIGHTS))
        raw = np.tile(np.array([[0.5, -0.4, -0.5, -1.5]], np.float32), (20_000, 1))
        posterior = latents.posterior(raw)
        kl = posterior.kl(posterior.sample(seed=SEED), SEED)["kl"].numpy()
        q = scipy.stats.multivariate_normal([0.5, -0.4], np.diag(np.exp([-0.5, -1.5])))
        axis = np.linspace(-6, 6, 481)
        z = np.stack(np.meshgrid(axis, axis), -1)
        integrand = q.pdf(z) * (q.logpdf(z) - np.log(mixture_density(z)))
        expected = integrand.sum() * (axis[1] - axis[0]) ** 2
        assert abs(kl.mean() - expected) < 4.5 * kl.std() / np.sqrt(len(kl))

    def test_one_variance_and_equal_weights(self):
        prior = GaussianLatents(2, prior=NormalMixturePrior(LOCS, 0.03)).prior
        z = np.array([[0.1, 0.9]], np.float32)
        parts = [scipy.stats.multivariate_normal(m, 0.03 * np.eye(2)) for m in LOCS]
        expected = np.log(np.mean([part.pdf(z[0]) for part in parts]))
        actual = prior.distribution().log_prob(z)[0].numpy()
        assert actual == pytest.approx(expected, rel=1e-5)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"locs": [[0.0] * 3]}, "locs must have 2 numbers for each component"),
            ({"locs": [0.0, 1.0]}, "locs must be a table of numbers"),
            ({"locs": [[0.0, 1.0], [0.0]]}, "locs must be a table of numbers"),
            ({"locs": [[0.0, np.inf]]}, "locs must be a table of numbers"),
            ({"variances": 0.0}, "variances must be one positive number"),
            ({"variances": [[1.0, 1.0]]}, "variances must be one positive number"),
            ({"variances": [1.0, 1.0]}, "variances must be one positive number"),
            ({"weights": [0.5, 0.5]}, "weights must be 3 positive numbers"),
            ({"weights": [0.5, 0.5, 0.5]}, "whose sum is 1"),
            ({"weights": [1.2, -0.1, -0.1]}, "weights must be 3 positive numbers"),
            ({"weights": 1.0}, "weights must be 3 positive numbers"),
            ({"variances": [[1.0], [1.0, 2.0]]}, "variances must be one positive"),
            ({"variances": [1.0, 2.0]}, "variances must be one positive"),
            ({"variances": None}, "variances must be one positive"),
        ],
    )
    def test_values_out_of_range(self, arguments, words):
        with pytest.raises(ArgumentError, match=words):
            GaussianLatents(2, prior=NormalMixturePrior(**{"locs": LOCS, **arguments}))


class TestSparse:
    @pytest.mark.parametrize("gamma", [0.0, 0.3, 0.8, 1.0])
    def test_density_and_its_gradient(self, gamma):
        prior = GaussianLatents(3, prior=SparsePrior(gamma)).prior
        # Within what float32 holds of the spike alone, gamma = 1.
        z = np.linspace(-0.3, 0.3, 30, dtype="float32").reshape(10, 3)
        expected = np.log(sparse_density(z.astype(float), gamma)).sum(1)
        with tf.GradientTape() as tape:
            x = tf.constant(z)
            tape.watch(x)
            log_prob = prior.distribution().log_prob(x)
        np.testing.assert_allclose(log_prob, expected, rtol=1e-4, atol=1e-4)
        step, z = 1e-5, z.astype(float)
        slope = np.log(sparse_density(z + step, gamma))
        slope = (slope - np.log(sparse_density(z - step, gamma))) / (2 * step)
        np.testing.assert_allclose(
            tape.gradient(log_prob, x), slope, rtol=1e-3, atol=1e-3
        )

    def test_spike_and_slab_are_settings(self):
        prior = GaussianLatents(1, prior=SparsePrior(0.6, 0.2, 2.0)).prior
        actual = prior.marginals().prob(np.float32([0.5]))[0].numpy()
        assert actual == pytest.approx(sparse_density(0.5, 0.6, 0.2, 2.0), rel=1e-5)

    def test_share_of_latents_that_are_off(self):
        prior = GaussianLatents(4, prior=SparsePrior(0.8)).prior
        z = prior.sample(5000, SEED).numpy()
        inside = scipy.stats.norm.cdf(0.15) * 2 - 1
        near = 0.8 * (scipy.stats.norm.cdf(3) * 2 - 1) + 0.2 * inside
        error = np.sqrt(near * (1 - near) / z.size)
        assert abs((np.abs(z) < 0.15).mean() - near) < 4.5 * error

    def test_kl_of_a_sample_is_unbiased(self):
        latents = GaussianLatents(2, prior=SparsePrior(0.8))
        raw = np.tile(np.array([[0.6, 0.0, -1.0, -5.0]], np.float32), (20_000, 1))
        posterior = latents.posterior(raw)
        kl = posterior.kl(posterior.sample(seed=SEED), SEED)["kl"].numpy()
        expected = 0.0
        for mean, log_variance in ((0.6, -1.0), (0.0, -5.0)):
            q = scipy.stats.norm(mean, np.exp(0.5 * log_variance))
            expected += scipy.integrate.quad(
                lambda x, q=q: (
                    q.pdf(x) * (q.logpdf(x) - np.log(sparse_density(x, 0.8)))
                ),
                mean - 12 * q.std(),
                mean + 12 * q.std(),
                points=[0.0],
                limit=200,
            )[0]
        assert abs(kl.mean() - expected) < 4.5 * kl.std() / np.sqrt(len(kl))

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"gamma": 1.2}, "gamma must be at most 1.0"),
            ({"gamma": -0.1}, "gamma must be at least 0.0"),
            ({"spike": 0.0}, "spike must be greater than 0.0"),
            ({"spike": 0.5, "slab": 0.5}, "slab must be greater than 0.5"),
        ],
    )
    def test_values_out_of_range(self, arguments, words):
        with pytest.raises(ArgumentError, match=words):
            SparsePrior(**arguments)
