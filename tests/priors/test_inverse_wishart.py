"""CHyVAE's prior against Monte Carlo and the large-nu limit."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.priors import InverseWishartPrior

tfd = tfp.distributions

P = 4
SIGMA0 = [[1.0, 0.5, 0, 0], [0.5, 2.0, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 0.5]]


def space(nu, sigma0=None, size=P):
    return GaussianLatents(size, "full", InverseWishartPrior(nu, sigma0))


def posterior_of(latents, batch=3):
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(batch, latents.num_parameters)).astype("float32")
    return latents.posterior(raw)


@pytest.mark.parametrize("sigma0", [None, SIGMA0])
@pytest.mark.parametrize("nu", [6.0, 12.0, 200.0])
def test_psi_makes_sigma0_the_mean_from_p_plus_two_on(nu, sigma0):
    prior = space(nu, sigma0).prior
    expected = np.eye(P) if sigma0 is None else sigma0
    mean = prior.inverse_wishart().mean()
    np.testing.assert_allclose(mean, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("nu", [3.5, 5.0, 5.5])
def test_small_nu_keeps_psi_at_sigma0(nu):
    """Below p + 2 the scale stays; at nu <= p + 1 the mode is what exists."""
    prior = space(nu).prior
    mode = prior.inverse_wishart().mode()
    np.testing.assert_allclose(mode, np.eye(P) / (nu + P + 1), rtol=1e-5)
    assert np.isfinite(prior.sample(50, tf.constant([0, 1]))).all()


@pytest.mark.parametrize("sigma0", [None, SIGMA0])
def test_samples_follow_the_marginal_student_t(sigma0):
    prior = space(8.0, sigma0).prior
    z = prior.sample(20_000, tf.constant([0, 3])).numpy()
    df = 8.0 - P + 1
    scale = np.diag(np.eye(P) if sigma0 is None else sigma0) * 3.0 / df
    for i in range(P):
        oracle = scipy.stats.t(df, scale=np.sqrt(scale[i]))
        assert scipy.stats.kstest(z[:, i], oracle.cdf).pvalue > 1e-3
        grid = np.linspace(-4, 4, 9).astype("float32")
        ours = prior.marginals().log_prob(grid[:, None] * np.ones(P, "float32"))
        np.testing.assert_allclose(ours[:, i], oracle.logpdf(grid), rtol=1e-4)


def test_joint_density_is_the_average_over_covariances():
    prior = space(8.0, SIGMA0).prior
    z = np.array([0.5, -1.0, 0.3, 0.2], "float32")
    sigma = prior.inverse_wishart().sample(40_000, seed=[1, 2]).numpy()
    quadratic = np.einsum("i,nij,j->n", z, np.linalg.inv(sigma), z)
    log = -0.5 * (quadratic + np.linalg.slogdet(2 * np.pi * sigma)[1])
    density = np.exp(log)
    error = density.std() / np.sqrt(len(density))
    ours = np.exp(prior.distribution().log_prob(z))
    assert abs(ours - density.mean()) < 4 * error


def test_structured_kl_is_its_own_monte_carlo():
    """Independent z' -> Phi; Sigma ~ IW(Phi, nu + 1); log ratios averaged."""
    latents = space(9.0)
    posterior = posterior_of(latents, batch=2)
    draws = 4000
    seeds = tfp.random.split_seed(tf.constant([5, 6]), n=4)
    parts = {"kl_gaussian": [], "kl_covariance": []}
    hyperprior = latents.prior.inverse_wishart()
    z_prime = posterior.sample(seeds[0], draws)
    q_sigma = hyperprior.conditioned_on(z_prime)
    sigma = q_sigma.sample(seed=seeds[1])
    z = posterior.sample(seeds[2], draws)
    prior_z = tfd.MultivariateNormalTriL(scale_tril=tf.linalg.cholesky(sigma))
    parts["kl_gaussian"] = posterior.log_prob(z) - prior_z.log_prob(z)
    parts["kl_covariance"] = q_sigma.log_prob(sigma) - hyperprior.log_prob(sigma)
    closed_form = tf.function(lambda seed: posterior.kl(None, seed))
    closed = [closed_form(seed) for seed in tfp.random.split_seed(seeds[3], 400)]
    for name, values in parts.items():
        ours = np.array([c[name] for c in closed])
        values = values.numpy()
        error = np.hypot(
            values.std(0) / np.sqrt(draws), ours.std(0) / np.sqrt(len(ours))
        )
        assert (abs(values.mean(0) - ours.mean(0)) < 4.5 * error).all(), name


def test_large_nu_is_the_standard_normal():
    latents, plain = space(1e5), GaussianLatents(P, "full")
    posterior = posterior_of(latents)
    sample = posterior.sample(seed=[0, 1])
    parts = posterior.kl(sample, seed=tf.constant([0, 2]))
    total = sum(part.numpy() for part in parts.values())
    expected = plain.prior.kl(posterior.distribution, sample, [0, 2])["kl"]
    np.testing.assert_allclose(total, expected, rtol=2e-3)


@pytest.mark.parametrize(
    ("nu", "sigma0", "words"),
    [
        (3.0, None, "nu must be greater than p - 1 = 3 for 4 latents; received 3.0"),
        (3.0 + 1e-10, None, r"nu must be greater than p - 1 = 3 .*received 3\.00000"),
        (float("nan"), None, "nu must be finite"),
        ("many", None, "nu must be int or float"),
        (9.0, [[1.0, 2.0], [2.0, 1.0]], "sigma0 must be a symmetric positive"),
        (9.0, [[1.0, 0.5], [0.0, 1.0]], "sigma0 must be a symmetric positive"),
        (9.0, [[1.0, 0.0], [0.0, 1.0]], r"sigma0 must have shape \[4, 4\]"),
    ],
)
def test_errors(nu, sigma0, words):
    with pytest.raises((checks.ArgumentError, checks.ArgumentTypeError), match=words):
        space(nu, sigma0)


def test_pictures_are_the_papers_and_the_models_own():
    pictures = space(200.0).prior.covariances(tf.constant([0, 1]))
    sigma, *of_nu = pictures
    assert sigma == "\N{GREEK CAPITAL LETTER SIGMA}\N{SUBSCRIPT ZERO}"
    labels = [label.partition(" = ")[2] for label in of_nu]
    assert labels == ["10", "100", "200 (this model)", "1000"]
    (own,) = (m for label, m in pictures.items() if "this model" in label)
    drawn = space(200.0).prior.inverse_wishart().sample(1, seed=tf.constant([0, 1]))
    np.testing.assert_allclose(own, drawn[0], rtol=1e-6)
