"""Posteriors that are not Gaussian, and the Laplace prior."""

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.latents import LocationScaleLatents
from tf_disentangle.priors import LaplacePrior, StandardNormalPrior

SEED = tf.constant([4, 2])
LAWS = {
    "laplace": scipy.stats.laplace,
    "logistic": scipy.stats.logistic,
    "student_t": scipy.stats.t,
}


def space(family, prior=None, size=2):
    df = 5.0 if family == "student_t" else None
    return LocationScaleLatents(size, family, df, prior)


def oracle(family, loc, scale):
    shape = (5.0,) if family == "student_t" else ()
    return LAWS[family](*shape, loc=loc, scale=scale)


def raw_of(latents, batch=3):
    rng = np.random.default_rng(0)
    return (0.5 * rng.normal(size=(batch, latents.num_parameters))).astype("float32")


def integral_kl(q, p):
    def integrand(z):
        return q.pdf(z) * (q.logpdf(z) - p.logpdf(z))

    points = [q.mean(), 0.0]
    return scipy.integrate.quad(integrand, -60, 60, points=points, limit=500)[0]


@pytest.mark.parametrize("family", LAWS)
def test_posterior_is_the_product_of_scipys_laws(family):
    latents = space(family)
    raw = raw_of(latents)
    posterior = latents.posterior(raw)
    expected = oracle(family, raw[:, :2], np.exp(raw[:, 2:]))
    z = posterior.sample(SEED, 5000)
    np.testing.assert_allclose(
        posterior.log_prob(z), expected.logpdf(z).sum(-1), rtol=2e-3, atol=1e-3
    )
    np.testing.assert_allclose(
        posterior.marginal_log_prob(z), expected.logpdf(z), rtol=2e-3, atol=1e-3
    )
    uniform = expected.cdf(z)
    for i, j in np.ndindex(3, 2):
        assert scipy.stats.kstest(uniform[:, i, j], "uniform").pvalue > 1e-4
    covariance = posterior.covariance()
    expected = np.einsum("bi,ij->bij", expected.var(), np.eye(2))
    np.testing.assert_allclose(covariance, expected, rtol=1e-4)
    np.testing.assert_array_equal(posterior.code(), raw[:, :2])


def test_laplace_pair_has_a_closed_form_that_needs_no_sample():
    latents = space("laplace", LaplacePrior(0.8))
    raw = raw_of(latents)
    posterior = latents.posterior(raw)
    nowhere = tf.fill([3, 2], np.nan)
    expected = [
        [
            integral_kl(scipy.stats.laplace(m, np.exp(s)), scipy.stats.laplace(0, 0.8))
            for m, s in zip(row[:2], row[2:], strict=True)
        ]
        for row in raw.astype("float64")
    ]
    np.testing.assert_allclose(
        posterior.marginal_kl(nowhere), expected, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        posterior.kl(nowhere, SEED)["kl"], np.sum(expected, 1), rtol=1e-4
    )


@pytest.mark.parametrize("family", LAWS)
def test_other_pairs_are_estimated_without_bias(family):
    latents = space(family, StandardNormalPrior(), size=1)
    raw = raw_of(latents)
    posterior = latents.posterior(np.repeat(raw, 20_000, axis=0))
    sample = posterior.sample(seed=SEED)
    estimates = posterior.kl(sample, SEED)["kl"].numpy().reshape(3, -1)
    for values, (m, s) in zip(estimates, raw.astype("float64"), strict=True):
        expected = integral_kl(oracle(family, m, np.exp(s)), scipy.stats.norm())
        error = values.std() / np.sqrt(values.size)
        assert abs(values.mean() - expected) < 4.5 * error


@pytest.mark.parametrize("family", LAWS)
def test_gradients_reach_location_and_scale(family):
    latents = space(family)
    raw = tf.constant(raw_of(latents))
    with tf.GradientTape() as tape:
        tape.watch(raw)
        z = latents.posterior(raw).sample(seed=SEED)
        loss = tf.reduce_sum(z**2)
    gradient = tape.gradient(loss, raw).numpy()
    assert np.isfinite(gradient).all() and (gradient != 0).all()


@pytest.mark.parametrize("family", LAWS)
def test_samples_and_kl_compile(family):
    """Under XLA the draws differ, and stay finite with finite gradients."""
    latents = space(family)

    @tf.function(jit_compile=True)
    def kl_and_gradient(raw):
        with tf.GradientTape() as tape:
            tape.watch(raw)
            posterior = latents.posterior(raw)
            kl = posterior.kl(posterior.sample(seed=SEED), SEED)["kl"]
        return kl, tape.gradient(kl, raw)

    for values in kl_and_gradient(tf.constant(raw_of(latents))):
        assert np.isfinite(values).all()


def test_bfloat16_parameters_become_a_float32_distribution():
    latents = space("laplace")
    posterior = latents.posterior(tf.cast(raw_of(latents), tf.bfloat16))
    assert posterior.distribution.dtype == tf.float32


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: LocationScaleLatents(2, "laplce"), "Did you mean laplace?"),
        (lambda: LocationScaleLatents(2, "student_t", 2.0), "df must be greater than"),
        (lambda: LocationScaleLatents(2, "student_t"), "df must be int or float"),
        (lambda: LocationScaleLatents(2, "laplace", 5.0), "df must be None for lap"),
        (lambda: LaplacePrior(0.0), "scale must be greater than 0.0; received 0"),
        (lambda: LaplacePrior("b"), "scale must be int or float"),
    ],
)
def test_errors(build, words):
    with pytest.raises((checks.ArgumentError, checks.ArgumentTypeError), match=words):
        build()
