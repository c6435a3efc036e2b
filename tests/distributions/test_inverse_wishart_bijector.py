"""The inverse Wishart in TFP's own form, against our class and finite differences."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle.distributions import InverseWishart, SPDInversion

tfd = tfp.distributions
SEED = tf.constant([2, 9])


def spd(p, *batch, seed=0):
    a = np.random.default_rng(seed).normal(size=(*batch, p, p + 3))
    return a @ np.swapaxes(a, -1, -2) / p


def transformed(df, psi):
    tril = np.linalg.cholesky(np.linalg.inv(psi))
    wishart = tfd.WishartTriL(np.float64(df), scale_tril=tril)
    return tfd.TransformedDistribution(wishart, SPDInversion())


@pytest.mark.parametrize("p", [1, 2, 4])
def test_inverse_and_log_determinants(p):
    bijector, x = SPDInversion(validate_args=True), spd(p, 5)
    y = bijector.forward(x)
    np.testing.assert_allclose(y, np.linalg.inv(x), rtol=1e-9)
    np.testing.assert_array_equal(y, tf.linalg.matrix_transpose(y))
    np.testing.assert_allclose(bijector.inverse(tf.identity(y)), x, rtol=1e-9)
    forward = bijector.forward_log_det_jacobian(x, event_ndims=2)
    assert forward.shape == [5]
    backward = bijector.inverse_log_det_jacobian(tf.identity(y), event_ndims=2)
    np.testing.assert_allclose(forward, -backward, rtol=1e-9)
    # On the lower triangle, by central differences.
    rows, columns = np.tril_indices(p)
    step, jacobian = 1e-6, []
    for i, j in zip(rows, columns, strict=True):
        e = np.zeros((p, p))
        e[i, j] = e[j, i] = step
        change = np.linalg.inv(x + e) - np.linalg.inv(x - e)
        jacobian.append(change[:, rows, columns] / (2 * step))
    expected = np.linalg.slogdet(np.stack(jacobian, axis=1))[1]
    np.testing.assert_allclose(forward, expected, rtol=1e-5)


def test_gradients():
    bijector, x = SPDInversion(), spd(3, 2)
    weight = np.random.default_rng(1).normal(size=(3, 3))

    def value(raw):
        x = raw @ tf.linalg.matrix_transpose(raw)
        log_det = bijector.forward_log_det_jacobian(x, event_ndims=2)
        return tf.reduce_sum(weight * bijector.forward(x)) + tf.reduce_sum(log_det)

    theory, numeric = tf.test.compute_gradient(value, [tf.constant(x)], delta=1e-5)
    np.testing.assert_allclose(theory[0], numeric[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("p", "df"), [(1, 3.5), (3, 4.2), (4, 40.0)])
def test_density_is_our_classs(p, df):
    psi, sigma = spd(p), spd(p, 6, seed=1)
    theirs, ours = transformed(df, psi), InverseWishart(df, scale=psi)
    assert theirs.event_shape == ours.event_shape == [p, p]
    assert theirs.batch_shape == ours.batch_shape == []
    log_prob = theirs.log_prob(sigma)
    np.testing.assert_allclose(log_prob, ours.log_prob(sigma), rtol=1e-9, atol=1e-9)
    oracle = scipy.stats.invwishart(df, psi).logpdf(np.moveaxis(sigma, 0, -1))
    np.testing.assert_allclose(log_prob, np.ravel(oracle), rtol=1e-9, atol=1e-9)
    batch = transformed([df, df + 1], np.stack([psi, 2 * psi]))
    assert batch.batch_shape == [2] and batch.log_prob(sigma[:, None]).shape == [6, 2]


def test_moments_are_our_classs():
    p, df, psi, draws = 3, 12.0, spd(3), 40_000
    ours = InverseWishart(df, scale=psi)
    for distribution in (transformed(df, psi), ours):
        sigma = distribution.sample(draws, seed=SEED).numpy()
        assert sigma.dtype == np.float64
        error = sigma.std(0) / np.sqrt(draws)
        assert (abs(sigma.mean(0) - ours.mean().numpy()) < 4.5 * error).all()
        # Sigma_ii ~ InverseGamma((df - p + 1)/2, Psi_ii/2).
        for i in range(p):
            oracle = scipy.stats.invgamma((df - p + 1) / 2, scale=psi[i, i] / 2)
            assert scipy.stats.kstest(sigma[:, i, i], oracle.cdf).pvalue > 1e-3


def test_asymmetric_matrices_are_refused_when_asked():
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be symmetric"):
        SPDInversion(validate_args=True).forward([[1.0, 0.5], [0.2, 1.0]])
