"""CHyVAE's three bounds: each is what it says, and they lie in their order."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.distributions import InverseWishart, expected_gaussian_kl
from tf_disentangle.latents import (
    GaussianLatents,
    LocationScaleLatents,
    MeanFieldLatents,
)
from tf_disentangle.priors import (
    InverseWishartPrior,
    MarginalInverseWishartPrior,
    MeanFieldInverseWishartPrior,
    StandardNormalPrior,
)

tfd = tfp.distributions
SEED = tf.constant([7, 1])
SIGMA0 = [[1.0, 0.5, 0.0], [0.5, 2.0, 0.0], [0.0, 0.0, 0.5]]


def raw_of(latents, batch=4):
    rng = np.random.default_rng(0)
    return rng.normal(size=(batch, latents.num_parameters)).astype("float32")


def posterior_of(latents, batch=4):
    return latents.posterior(raw_of(latents, batch))


def mean_and_error(values):
    values = np.asarray(values)
    return values.mean(0), values.std(0) / np.sqrt(len(values))


def structured(latents, posterior, draws):
    @tf.function
    def one(seed):
        return tf.add_n(list(posterior.kl(None, seed).values()))

    return mean_and_error([one(s) for s in tfp.random.split_seed(SEED, draws)])


def marginal(prior, posterior, draws=20_000):
    z = posterior.sample(SEED, draws)
    return mean_and_error(posterior.log_prob(z) - prior.distribution().log_prob(z))


def best_mean_field(prior, posterior):
    """The KL terms at q(Sigma|x) = IW(Psi + S + mu mu^T, nu + 1), in numpy."""
    old = prior.inverse_wishart()
    psi = old.scale_operator.to_dense()
    loc = posterior.mean()[..., tf.newaxis]
    phi = psi + posterior.covariance() + tf.matmul(loc, loc, transpose_b=True)
    q_sigma = InverseWishart(old.df + 1, scale=phi)
    gaussian = expected_gaussian_kl(
        posterior.mean(), tf.linalg.cholesky(posterior.covariance()), q_sigma
    )
    return (gaussian + tfd.kl_divergence(q_sigma, old)).numpy()


@pytest.mark.parametrize("sigma0", [None, SIGMA0])
def test_marginal_form_is_the_same_z_joint_elbo(sigma0):
    """log q(z, Sigma|x) - log p(z, Sigma) with Sigma ~ p(Sigma|z), one z for both.

    By conjugacy it does not depend on the Sigma that is drawn.
    """
    latents = GaussianLatents(3, "full", MarginalInverseWishartPrior(7.0, sigma0))
    posterior = posterior_of(latents)
    z = posterior.sample(seed=SEED)
    hyperprior = latents.prior.inverse_wishart()
    q_sigma = hyperprior.conditioned_on(z)
    sigma = q_sigma.sample(200, seed=SEED + 1)
    prior_z = tfd.MultivariateNormalTriL(scale_tril=tf.linalg.cholesky(sigma))
    joint = posterior.log_prob(z) + q_sigma.log_prob(sigma)
    joint -= prior_z.log_prob(z) + hyperprior.log_prob(sigma)
    kl = posterior.kl(z, None)
    assert set(kl) == {"kl"}
    expected = np.broadcast_to(kl["kl"], joint.shape)
    np.testing.assert_allclose(joint, expected, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("size", [3, 10])
def test_the_bounds_lie_in_order_and_meet_as_nu_grows(size):
    """Structured >= best mean-field >= marginal, all near KL(q || N(0, I)) at last."""
    gaps = {}
    for nu in (size + 2.0, 200.0, 20_000.0):
        latents = GaussianLatents(size, "full", InverseWishartPrior(nu))
        posterior = posterior_of(latents)
        upper, upper_error = structured(latents, posterior, 600)
        lower, lower_error = marginal(latents.prior, posterior)
        error = 4.5 * np.hypot(upper_error, lower_error)
        if nu < 1000:  # Its dense Phi is not accurate in float32 beyond.
            middle = best_mean_field(latents.prior, posterior)
            assert (upper > middle - 4.5 * upper_error).all()
            assert (middle > lower - 4.5 * lower_error).all()
        assert (upper > lower - error).all()
        gaps[nu] = upper - lower
    assert (gaps[size + 2.0] > 0.5).all()
    assert (gaps[size + 2.0] > gaps[200.0]).all()
    assert (abs(gaps[20_000.0]) < error + 0.01).all()


def test_mean_field_form_is_its_own_monte_carlo():
    latents = MeanFieldLatents(3, "full", MeanFieldInverseWishartPrior(8.0, SIGMA0))
    raw = raw_of(latents)
    raw[:, GaussianLatents(3, "full").num_parameters] = 1.0  # Sigma has a variance.
    posterior = latents.posterior(raw)
    q_sigma = posterior.distribution.covariance_posterior
    hyperprior = latents.prior.inverse_wishart()
    draws = 20_000
    z = posterior.sample(SEED, draws)
    sigma = q_sigma.sample(draws, seed=SEED + 1)
    prior_z = tfd.MultivariateNormalTriL(scale_tril=tf.linalg.cholesky(sigma))
    sampled = {
        "kl_gaussian": posterior.log_prob(z) - prior_z.log_prob(z),
        "kl_covariance": q_sigma.log_prob(sigma) - hyperprior.log_prob(sigma),
    }
    parts = posterior.kl(None, None)
    assert set(parts) == set(sampled)
    for name, values in sampled.items():
        mean, error = mean_and_error(values)
        assert (abs(mean - parts[name].numpy()) < 4.5 * error).all(), name


def test_no_mean_field_posterior_is_better_than_the_known_best():
    latents = MeanFieldLatents(3, "full", MeanFieldInverseWishartPrior(8.0))
    posterior = posterior_of(latents)
    best = best_mean_field(latents.prior, posterior)
    total = tf.add_n(list(posterior.kl(None, None).values())).numpy()
    assert (total > best + 1e-3).all()
    # The encoder can reach it: minimised over its outputs for Sigma alone.
    raw = tf.Variable(raw_of(latents))
    count = GaussianLatents(3, "full").num_parameters
    optimizer = keras.optimizers.Adam(0.1)
    optimizer.build([raw])

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            total = tf.add_n(list(latents.posterior(raw).kl(None, None).values()))
            loss = tf.reduce_sum(total)
        gradient = tape.gradient(loss, raw)
        mask = tf.cast(tf.range(latents.num_parameters) >= count, tf.float32)
        optimizer.apply([gradient * mask], [raw])
        return total

    for _ in range(500):
        reached = step()
    np.testing.assert_allclose(reached, best, rtol=2e-3, atol=2e-3)


def test_an_encoder_that_says_nothing_leaves_the_hyperprior():
    for sigma0 in (None, SIGMA0):
        prior = MeanFieldInverseWishartPrior(8.0, sigma0)
        latents = MeanFieldLatents(3, "full", prior)
        posterior = latents.posterior(tf.zeros([2, latents.num_parameters]))
        assert abs(posterior.kl(None, None)["kl_covariance"]).numpy().max() < (1e-3)
        mean = posterior.distribution.covariance_posterior.mean()
        expected = np.broadcast_to(prior.inverse_wishart().mean(), mean.shape)
        np.testing.assert_allclose(mean, expected, rtol=5e-3, atol=5e-3)


def test_mean_field_latents_are_the_gaussian_ones_and_a_covariance():
    latents = MeanFieldLatents(3, "full", MeanFieldInverseWishartPrior(8.0))
    plain = GaussianLatents(3, "full")
    raw = raw_of(latents)
    assert latents.num_parameters == plain.num_parameters + 1 + 9
    ours = latents.posterior(tf.cast(raw, tf.bfloat16))
    theirs = plain.posterior(
        tf.cast(tf.cast(raw, tf.bfloat16), tf.float32)[:, : plain.num_parameters]
    )
    np.testing.assert_allclose(ours.mean(), theirs.mean())
    np.testing.assert_allclose(ours.covariance(), theirs.covariance(), rtol=1e-5)
    for q in (ours.distribution, ours.distribution.covariance_posterior):
        assert q.dtype == tf.float32 and q.batch_shape == [4]


def test_extreme_encoder_outputs_stay_in_range():
    latents = MeanFieldLatents(3, "full", MeanFieldInverseWishartPrior(8.0))
    for value in (-60.0, 30.0):
        posterior = latents.posterior(tf.fill([1, latents.num_parameters], value))
        parts = posterior.kl(None, None)
        assert all(np.isfinite(part).all() for part in parts.values()), value


def refuse(build, words):
    with pytest.raises(checks.ArgumentError, match=words):
        build()


def test_forms_refuse_posteriors_that_they_have_no_form_for():
    refuse(
        lambda: LocationScaleLatents(3, prior=InverseWishartPrior(8.0)),
        "closed form is for Gaussian posteriors.*Use GaussianLatents, or Marginal",
    )
    refuse(
        lambda: GaussianLatents(3, "full", MeanFieldInverseWishartPrior(8.0)),
        r"needs a q\(Sigma\|x\).*Use MeanFieldLatents, or InverseWishartPrior",
    )
    for prior in (None, StandardNormalPrior(), InverseWishartPrior(8.0)):
        refuse(
            lambda prior=prior: MeanFieldLatents(3, "full", prior),
            "prior must be a MeanFieldInverseWishartPrior.*Use GaussianLatents",
        )


@pytest.mark.parametrize(
    "build",
    [
        lambda nu: GaussianLatents(3, "full", MarginalInverseWishartPrior(nu)),
        lambda nu: MeanFieldLatents(3, "full", MeanFieldInverseWishartPrior(nu)),
    ],
)
def test_all_forms_check_nu(build):
    refuse(lambda: build(2.0), "nu must be greater than p - 1 = 2")
