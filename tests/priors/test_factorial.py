"""Priors that are products of univariate distributions: Student-t and uniform."""

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import tensorflow as tf

from tf_disentangle.checks import ArgumentError, ArgumentTypeError
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.priors import StudentTProductPrior, UniformPrior

SEED = tf.constant([3, 5])


class TestStudentT:
    def test_density_is_the_product_of_scipys(self):
        prior = GaussianLatents(3, prior=StudentTProductPrior(4.0, 0.7)).prior
        z = np.random.default_rng(0).normal(size=(50, 3)).astype("float32")
        expected = scipy.stats.t(4.0, scale=0.7).logpdf(z).sum(1)
        np.testing.assert_allclose(
            prior.distribution().log_prob(z), expected, rtol=1e-5
        )

    def test_is_not_the_multivariate_student_t(self):
        prior = GaussianLatents(2, prior=StudentTProductPrior(4.0)).prior
        z = np.array([[3.0, 0.0], [3 / np.sqrt(2), 3 / np.sqrt(2)]], np.float32)
        on_axis, on_diagonal = prior.distribution().log_prob(z).numpy()
        both = scipy.stats.multivariate_t(df=4.0, shape=np.eye(2)).logpdf(z)
        assert on_axis > on_diagonal + 0.3
        assert both[0] == pytest.approx(both[1], abs=1e-6)

    def test_kl_of_a_sample_is_unbiased(self):
        latents = GaussianLatents(2, prior=StudentTProductPrior(3.0))
        raw = np.tile(np.array([[1.0, -0.5, 0.2, -1.0]], np.float32), (20_000, 1))
        posterior = latents.posterior(raw)
        kl = posterior.kl(posterior.sample(seed=SEED), SEED)["kl"].numpy()
        expected = 0.0
        for mean, log_variance in ((1.0, 0.2), (-0.5, -1.0)):
            q, p = (
                scipy.stats.norm(mean, np.exp(0.5 * log_variance)),
                scipy.stats.t(3.0),
            )
            expected += scipy.integrate.quad(
                lambda x, q=q, p=p: q.pdf(x) * (q.logpdf(x) - p.logpdf(x)), -15, 15
            )[0]
        assert abs(kl.mean() - expected) < 4.5 * kl.std() / np.sqrt(len(kl))

    @pytest.mark.parametrize("df", [0.0, -2.0, float("inf")])
    def test_df_out_of_range(self, df):
        with pytest.raises(ArgumentError, match="df must be"):
            StudentTProductPrior(df)
        with pytest.raises(ArgumentTypeError, match="df must be int or float"):
            StudentTProductPrior("nine")


class TestUniform:
    def test_density_is_one_over_the_volume_and_0_outside(self):
        prior = GaussianLatents(2, prior=UniformPrior(1.5)).prior
        z = tf.constant([[0.0, 1.4], [-1.4, 0.0], [0.0, 1.6]])
        expected = [-2 * np.log(3.0)] * 2 + [-np.inf]
        np.testing.assert_allclose(
            prior.distribution().log_prob(z), expected, rtol=1e-6
        )
        np.testing.assert_allclose(
            prior.marginals().log_prob(z[:2]), -np.log(3.0), 1e-6
        )
        assert prior.label == "z_i ~ U(-1.5, 1.5), independent"

    def test_draws_of_infogans_codes_stay_within_one(self):
        z = GaussianLatents(3, prior=UniformPrior()).prior.sample(5000, [1, 2]).numpy()
        assert -1 <= z.min() < -0.99 and 0.99 < z.max() <= 1

    def test_the_bound_is_checked(self):
        with pytest.raises(ArgumentError, match="bound must be greater than 0"):
            UniformPrior(0.0)
