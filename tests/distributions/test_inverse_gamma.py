"""The inverse gamma's KL and the averaged KL to a normal, against quadrature."""

import importlib

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle.distributions import (
    InverseWishart,
    expected_gaussian_kl,
    expected_product_normal_kl,
    inverse_gamma,
)

tfd = tfp.distributions


def ig(a, b, dtype=np.float64):
    return tfd.InverseGamma(dtype(a), dtype(b))


def scaled_identity(multiplier):
    return tf.linalg.LinearOperatorScaledIdentity(
        1, tf.constant(multiplier, tf.float64), is_positive_definite=True
    )


@pytest.mark.parametrize(
    ("new", "old"),
    [((2.0, 3.0), (2.0, 3.0)), ((1.5, 4.0), (3.0, 0.5)), ((7.0, 0.4), (0.8, 2.0))],
)
def test_kl_is_the_integral(new, old):
    p = scipy.stats.invgamma(new[0], scale=new[1])
    q = scipy.stats.invgamma(old[0], scale=old[1])

    def integrand(u):  # s = exp(u)
        s = np.exp(u)
        return p.pdf(s) * s * (p.logpdf(s) - q.logpdf(s))

    expected, _ = scipy.integrate.quad(integrand, -8, 25, limit=400)
    kl = tfd.kl_divergence(ig(*new), ig(*old))
    np.testing.assert_allclose(kl, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("nu", [0.5, 12.0, 13_000.0])
def test_one_latent_is_the_inverse_wishart(nu):
    """IW_1(psi, nu) = IG(nu/2, psi/2), in both terms of the bound."""
    psi, z, loc, scale = 0.7 * nu, 1.3, 0.4, 0.6
    prior = InverseWishart(df=np.float64(nu), scale_operator=scaled_identity(psi))
    posterior = prior.conditioned_on([z])
    ours, before = ig((nu + 1) / 2, (psi + z**2) / 2), ig(nu / 2, psi / 2)
    expected = tfd.kl_divergence(posterior, prior)
    np.testing.assert_allclose(
        tfd.kl_divergence(ours, before), expected, rtol=1e-6, atol=1e-9
    )
    gaussian = tfd.MultivariateNormalDiag([np.float64(loc)], [np.float64(scale)])
    expected = expected_gaussian_kl([loc], [[scale]], posterior)
    variances = tfd.InverseGamma([ours.concentration], [ours.scale])
    np.testing.assert_allclose(
        expected_product_normal_kl(gaussian, variances), expected, rtol=1e-10
    )


@pytest.mark.parametrize("a", [0.3, 5.0, 6500.0, 1e5])
def test_float32_keeps_value_and_gradient_of_an_update(a):
    """In the form that TFP would use, log b' - log b at a = 1e5 is lost."""

    def kl(z, dtype):
        z = tf.constant(z, dtype)
        with tf.GradientTape() as tape:
            tape.watch(z)
            prior = tfd.InverseGamma(tf.constant(a, dtype), tf.constant(a, dtype))
            posterior = tfd.InverseGamma(
                prior.concentration + 0.5, prior.scale + z**2 / 2
            )
            value = tfd.kl_divergence(posterior, prior)
        return value.numpy(), tape.gradient(value, z).numpy()

    z = np.linspace(0.5, 4, 8)
    value, gradient = kl(z, tf.float32)
    expected, expected_gradient = kl(z, tf.float64)
    error = np.abs(value - expected) / np.maximum(1, np.abs(expected))
    assert error.max() < 1e-4
    np.testing.assert_allclose(
        gradient, expected_gradient, rtol=1e-3, atol=1e-3 * abs(expected_gradient).max()
    )


@pytest.mark.parametrize(
    ("posterior", "scipy_posterior"),
    [
        (
            tfd.Independent(tfd.Laplace(np.float64([[0.5]]), 0.3), 1),
            scipy.stats.laplace(0.5, 0.3),
        ),
        (
            tfd.Independent(tfd.StudentT(np.float64(5), np.float64([[0.5]]), 0.3), 1),
            scipy.stats.t(5, 0.5, 0.3),
        ),
    ],
    ids=["laplace", "student_t"],
)
def test_expected_kl_holds_for_any_family(posterior, scipy_posterior):
    a, b = 3.0, 2.0
    second = scipy_posterior.var() + scipy_posterior.mean() ** 2

    def integrand(s):
        kl = np.log(2 * np.pi * s) / 2 + second / (2 * s) - scipy_posterior.entropy()
        return kl * scipy.stats.invgamma(a, scale=b).pdf(s)

    expected, _ = scipy.integrate.quad(integrand, 0, np.inf, limit=400)
    ours = expected_product_normal_kl(
        posterior, tfd.InverseGamma([np.float64(a)], [np.float64(b)])
    )
    np.testing.assert_allclose(ours, [expected], rtol=1e-6)


def test_loading_the_module_again_does_not_fail():
    importlib.reload(inverse_gamma)
