"""The hyperprior on each variance: conjugacy, the bound and its limits."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.latents import GaussianLatents, LocationScaleLatents
from tf_disentangle.priors import InverseGammaPrior, InverseWishartPrior

tfd = tfp.distributions
SEED = tf.constant([4, 2])


def space(concentration, scale=None, size=3, covariance="full"):
    return GaussianLatents(size, covariance, InverseGammaPrior(concentration, scale))


def posterior_of(latents, batch=4):
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(batch, latents.num_parameters)).astype("float32")
    return latents.posterior(raw)


def structured_less_marginal(latents, draws=1500):
    """Mean over draws of the bound less the exact KL, and its standard error, [B]."""
    posterior, prior = posterior_of(latents), latents.prior.distribution()

    @tf.function
    def one(seed):
        z_seed, seed = tfp.random.split_seed(seed, n=2)
        z = posterior.sample(seed=z_seed)
        parts = posterior.kl(z, seed)
        exact = posterior.log_prob(z) - prior.log_prob(z)
        return tf.add_n(list(parts.values())) - exact

    gaps = np.array([one(seed) for seed in tfp.random.split_seed(SEED, draws)])
    return gaps.mean(0), gaps.std(0) / np.sqrt(draws)


def test_variances_integrate_out_to_a_student_t():
    """log p(z|s) + log p(s) - log p(s|z) is log p(z) at *any* s: conjugacy."""
    prior = space(1.7, [0.5, 1.0, 4.0]).prior
    z = prior.sample(50, SEED)
    s = tf.exp(tf.random.stateless_normal([50, 3], SEED))
    hyperprior = prior.inverse_gamma()
    conditional = tfd.InverseGamma(1.7 + 0.5, hyperprior.scale + z**2 / 2)
    joint = tfd.Normal(0.0, tf.sqrt(s)).log_prob(z) + hyperprior.log_prob(s)
    expected = prior.marginals().log_prob(z)
    np.testing.assert_allclose(
        joint - conditional.log_prob(s), expected, rtol=2e-4, atol=2e-4
    )
    np.testing.assert_allclose(
        prior.distribution().log_prob(z), tf.reduce_sum(expected, -1), rtol=1e-4
    )


def test_the_bound_lies_above_and_closes_as_a_grows():
    gaps = {}
    for a in (2.0, 20.0, 2000.0):
        gaps[a], error = structured_less_marginal(space(a))
        assert (gaps[a] > -4 * error).all()
    assert (gaps[2.0] > gaps[20.0]).all()
    assert (gaps[2.0] > 0.2).all()
    assert (abs(gaps[2000.0]) < 4 * error + 0.01).all()


def test_one_latent_is_chyvae():
    """IW_1(psi, nu) = IG(nu/2, psi/2): the same draw gives the same two terms."""
    nu = 9.0
    wishart = GaussianLatents(1, "full", InverseWishartPrior(nu))
    ours = space(nu / 2, (nu - 2) / 2, size=1)
    posterior = posterior_of(ours)
    expected = wishart.prior.kl(posterior.distribution, None, SEED)
    parts = posterior.kl(None, SEED)
    assert set(parts) == set(expected)
    for name, part in parts.items():
        np.testing.assert_allclose(part, expected[name], rtol=1e-4, atol=1e-5)
    z = posterior.sample(seed=SEED)
    np.testing.assert_allclose(
        ours.prior.distribution().log_prob(z),
        wishart.prior.distribution().log_prob(z),
        rtol=1e-5,
    )


def test_takes_a_posterior_that_is_not_gaussian():
    """With a Laplace q(z|x) too the bound lies above the exact KL."""
    latents = LocationScaleLatents(3, "laplace", prior=InverseGammaPrior(3.0))
    gap, error = structured_less_marginal(latents)
    assert (gap > -4 * error).all() and (gap > 0.05).all()


def test_pictures_are_diagonal_draws():
    pictures = space(2.0).prior.covariances(SEED)
    assert list(pictures) == ["a = 1", "a = 2 (this model)", "a = 10", "a = 100"]
    for matrix in pictures.values():
        np.testing.assert_array_equal(matrix, np.diag(np.diag(matrix)))
    assert abs(np.diag(pictures["a = 100"]) - 1).max() < 0.6


@pytest.mark.parametrize(
    ("concentration", "scale", "words"),
    [
        (0.0, None, "concentration must be greater than 0.0; received 0"),
        (-1.0, None, "concentration must be greater than 0.0"),
        (float("nan"), None, "concentration must be finite"),
        (2.0, 0.0, "scale must be greater than 0.0"),
        (2.0, [1.0, 1.0, -2.0], "scale must be greater than 0.0; received -2"),
        (2.0, [1.0, 1.0], "scale must be one number, or 3 for 3 latents"),
        (2.0, "wide", "scale must be int or float"),
    ],
)
def test_errors(concentration, scale, words):
    with pytest.raises((checks.ArgumentError, checks.ArgumentTypeError), match=words):
        space(concentration, scale)
