"""CHyVAE's two terms and the marginal of z: values."""

import json
import pathlib

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle.checks import ArgumentError
from tf_disentangle.distributions import (
    InverseWishart,
    expected_gaussian_kl,
    marginal_student_t,
)

tfd = tfp.distributions
SEED = tf.constant([3, 5], tf.int32)
GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "chyvae_terms.json"


def scaled_identity(p, multiplier):
    return tf.linalg.LinearOperatorScaledIdentity(
        p, tf.constant(multiplier, tf.float64), is_positive_definite=True
    )


def gaussian(p, *batch, seed=0):
    """Random (mu, L), float64."""
    rng = np.random.default_rng(seed)
    tril = np.tril(rng.normal(size=(*batch, p, p)), -1) * 0.2
    return rng.normal(size=(*batch, p)), tril + np.eye(p) * rng.uniform(0.2, 1, p)


def dense(posterior):
    return InverseWishart(posterior.df, scale=posterior.scale_operator.to_dense())


@pytest.mark.parametrize("case", json.loads(GOLDEN.read_text())["cases"])
def test_golden_numbers(case):
    p = len(case["mu"])
    psi = scaled_identity(p, case["psi_scale"])
    prior = InverseWishart(df=case["nu"], scale_operator=psi)
    posterior = prior.conditioned_on(case["z"])
    kl = tfd.kl_divergence(posterior, prior)
    np.testing.assert_allclose(kl, case["kl_iw"], rtol=1e-10)
    kl = expected_gaussian_kl(case["mu"], case["L"], posterior)
    np.testing.assert_allclose(kl, case["expected_gaussian_kl"], rtol=1e-10)


@pytest.mark.parametrize("nu", [2.5, 8.0, 300.0])
def test_expected_kl_is_the_mean_over_independent_covariances(nu):
    n, (mu, tril) = 20_000, gaussian(3)
    prior = InverseWishart(df=nu, scale=nu * (tril @ tril.T + 0.3 * np.eye(3)))
    posterior = prior.conditioned_on(np.array([1.0, -0.4, 2.0]))
    sigma = posterior.sample(n, seed=SEED)
    kl = tfd.kl_divergence(
        tfd.MultivariateNormalTriL(mu, tril),
        tfd.MultivariateNormalTriL(np.zeros(3), tf.linalg.cholesky(sigma)),
    ).numpy()
    expected = expected_gaussian_kl(mu, tril, posterior)
    assert abs(kl.mean() - expected) < 5 * kl.std() / np.sqrt(n)


@pytest.mark.parametrize("nu", [11.5, 200.0, 100_000.0])
@pytest.mark.parametrize("form", ["scaled identity", "scale_tril", "scale"])
def test_rank_one_form_equals_the_dense_one_in_float64(form, nu):
    p, excess = 10, max(nu - 11, 1)
    sigma_0 = gaussian(p, seed=9)[1]
    kwargs = {
        "scaled identity": {"scale_operator": scaled_identity(p, excess)},
        "scale_tril": {"scale_tril": np.sqrt(excess) * sigma_0},
        "scale": {"scale": excess * sigma_0 @ sigma_0.T},
    }[form]
    prior = InverseWishart(df=nu, **kwargs)
    mu, tril = (tf.constant(x) for x in gaussian(p, 7, seed=2))
    z = tf.constant(np.random.default_rng(3).normal(size=(7, p)))

    def values_and_gradients(as_given):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([mu, tril, z])
            posterior = as_given(prior.conditioned_on(z))
            expected = expected_gaussian_kl(mu, tril, posterior)
            kl = tfd.kl_divergence(posterior, prior)
        lower = tf.linalg.band_part(tape.gradient(expected, tril), -1, 0)
        return [
            expected,
            kl,
            tape.gradient(expected, mu),
            lower,
            tape.gradient(expected, z),
            tape.gradient(kl, z),
        ]

    # The dense form's own rounding grows with nu, in float64 too.
    atol = max(1e-13 * nu, 1e-10)
    rank_one = values_and_gradients(lambda posterior: posterior)
    for ours, oracle in zip(rank_one, values_and_gradients(dense), strict=True):
        np.testing.assert_allclose(ours, oracle, rtol=1e-7, atol=atol)


def test_any_linear_operator_serves_as_scale():
    mu, tril = gaussian(3)
    z, variances = np.array([0.4, 1.0, -2.0]), np.array([1.0, 2.0, 5.0])
    prior = InverseWishart(
        df=6.0,
        scale_operator=tf.linalg.LinearOperatorDiag(
            variances, is_positive_definite=True
        ),
    )
    other = InverseWishart(df=6.0, scale=np.diag(variances))
    ours, theirs = prior.conditioned_on(z), other.conditioned_on(z)
    np.testing.assert_allclose(
        expected_gaussian_kl(mu, tril, ours), expected_gaussian_kl(mu, tril, theirs)
    )
    np.testing.assert_allclose(
        tfd.kl_divergence(ours, prior), tfd.kl_divergence(theirs, other)
    )


def test_kl_takes_the_fast_form_only_for_its_own_prior():
    scale = np.eye(3)
    prior = InverseWishart(df=6.0, scale=scale)
    other = InverseWishart(df=8.0, scale=3 * scale)
    posterior = prior.conditioned_on(np.ones(3))
    ours = tfd.kl_divergence(posterior, other)
    np.testing.assert_allclose(ours, tfd.kl_divergence(dense(posterior), other))
    assert abs(ours - tfd.kl_divergence(posterior, prior)) > 0.1


def test_batch_shapes_broadcast():
    prior = InverseWishart(df=6.0, scale=np.eye(3))
    mu, tril = gaussian(3)
    z = np.random.default_rng(0).normal(size=(4, 5, 3))
    posterior = prior.conditioned_on(z)
    one_gaussian = expected_gaussian_kl(mu, tril, posterior)
    assert one_gaussian.shape == [4, 5]
    mus = np.broadcast_to(mu, [5, 3])
    np.testing.assert_allclose(expected_gaussian_kl(mus, tril, posterior), one_gaussian)
    alone = expected_gaussian_kl(mu, tril, prior.conditioned_on(z[2, 3]))
    np.testing.assert_allclose(one_gaussian[2, 3], alone)


@pytest.mark.parametrize("nu", [10_000.0, 100_000.0])
def test_regulariser_tends_to_the_standard_gaussian_kl(nu):
    # The gap is of order 1/nu: ten times the degrees, a tenth of it.
    p, n = 10, 2_000
    mu, tril = gaussian(p)
    q = tfd.MultivariateNormalTriL(mu, tril)
    z = q.sample(n, seed=SEED)
    limit = tfd.kl_divergence(q, tfd.MultivariateNormalDiag(np.zeros(p), np.ones(p)))

    def gap(nu):
        prior = InverseWishart(nu, scale_operator=scaled_identity(p, nu - p - 1))
        posterior = prior.conditioned_on(z)
        terms = expected_gaussian_kl(mu, tril, posterior)
        terms += tfd.kl_divergence(posterior, prior)
        return (tf.reduce_mean(terms) - limit).numpy()

    assert abs(gap(nu)) < 0.01 * limit
    np.testing.assert_allclose(gap(10 * nu) / gap(nu), 0.1, rtol=0.02)


def test_regulariser_bounds_the_marginal_kl_from_above():
    # Not the ELBO, a looser bound: the gap is wide at nu = 12 and closes as nu grows.
    p, n = 10, 5_000
    mu, tril = gaussian(p)
    q = tfd.MultivariateNormalTriL(mu, tril)
    z = q.sample(n, seed=SEED)
    gaps = []
    for nu in (12.0, 200.0, 100_000.0):
        prior = InverseWishart(nu, scale_operator=scaled_identity(p, nu - p - 1))
        posterior = prior.conditioned_on(z)
        structured = expected_gaussian_kl(mu, tril, posterior)
        structured += tfd.kl_divergence(posterior, prior)
        marginal = q.log_prob(z) - marginal_student_t(prior).log_prob(z)
        gap = (structured - marginal).numpy()
        # At large nu the noise of log q - log p is wider than the gap itself.
        gaps.append((gap.mean(), gap.std() / np.sqrt(n)))
    assert gaps[0][0] > 1
    assert gaps[0][0] > gaps[1][0] + 5 * gaps[1][1]
    assert abs(gaps[2][0]) < 5 * gaps[2][1] + 1e-3


@pytest.mark.parametrize("p, nu", [(1, 0.7), (3, 2.4), (10, 200.0)])
def test_marginal_is_the_student_t_of_scipy_and_of_bayes_rule(p, nu):
    tril = gaussian(p, seed=4)[1]
    prior = InverseWishart(df=nu, scale_tril=tril)
    marginal = marginal_student_t(prior)
    z = np.random.default_rng(1).normal(size=(6, p))
    df = nu - p + 1
    oracle = scipy.stats.multivariate_t(shape=tril @ tril.T / df, df=df)
    log_prob = marginal.log_prob(z)
    np.testing.assert_allclose(log_prob, np.reshape(oracle.logpdf(z), [6]), 1e-10)
    # p(z) = p(z | Sigma) p(Sigma) / p(Sigma | z), at every Sigma.
    sigma = prior.sample(seed=SEED)
    likelihood = tfd.MultivariateNormalTriL(scale_tril=tf.linalg.cholesky(sigma))
    joint = likelihood.log_prob(z) + prior.log_prob(sigma)
    bayes = joint - prior.conditioned_on(z).log_prob(sigma)
    np.testing.assert_allclose(log_prob, bayes, rtol=1e-8)


def test_marginal_samples_and_batches():
    prior = InverseWishart(df=[[6.0], [9.0]], scale=np.stack([np.eye(2)] * 3))
    marginal = marginal_student_t(prior)
    assert marginal.batch_shape == [2, 3]
    z = marginal.sample(4_000, seed=SEED).numpy()
    assert z.shape == (4_000, 2, 3, 2)
    oracle = scipy.stats.t(df=8, scale=8**-0.5)
    assert scipy.stats.kstest(z[:, 1, 2, 0], oracle.cdf).pvalue > 1e-3


def test_wrong_shapes_are_named():
    posterior = InverseWishart(df=6.0, scale=np.eye(3))
    with pytest.raises(ArgumentError, match=r"loc must have shape \[\.\.\., 3\]"):
        expected_gaussian_kl(np.ones(2), np.eye(3), posterior)
    with pytest.raises(ArgumentError, match="scale_tril must have shape"):
        expected_gaussian_kl(np.ones(3), np.ones(3), posterior)
