"""MMD per dimension: against closed forms, a slow loop, and what unbiased means."""

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import tensorflow as tf

from tf_disentangle.checks import ArgumentError
from tf_disentangle.distributions import mmd_per_dimension
from tf_disentangle.distributions.mmd import SCALES, inverse_multiquadratic

SEED = tf.constant([3, 5])


def expected_kernel(mean, deviation):
    """E k(d) for d ~ N(mean, deviation^2): C / (C + d^2) smoothed, Voigt's profile."""
    widths = np.sqrt([2 * s for s in SCALES])
    profiles = scipy.special.voigt_profile(mean, deviation, widths)
    return np.sum(np.pi * widths * profiles)


def mmd_of_normals(m, s, n, t):
    """The closed form for N(m, s^2) and N(n, t^2)."""
    within = expected_kernel(0, np.sqrt(2) * s) + expected_kernel(0, np.sqrt(2) * t)
    return within - 2 * expected_kernel(m - n, np.hypot(s, t))


def test_the_closed_form_is_the_integral():
    def integrand(d):
        density = scipy.stats.norm(0.4, 1.3).pdf(d)
        return density * inverse_multiquadratic(tf.constant(d * d)).numpy()

    value, error = scipy.integrate.quad(integrand, -12, 12)
    assert abs(value - expected_kernel(0.4, 1.3)) < 10 * error + 1e-9


def test_equals_a_slow_loop():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 7, 3))

    def k(a, b):
        return sum(2 * s / (2 * s + (a - b) ** 2) for s in SCALES)

    pairs = [(i, j) for i in range(7) for j in range(7)]
    expected = sum(k(x[i], x[j]) + k(y[i], y[j]) for i, j in pairs if i != j) / 42
    expected -= 2 * sum(k(x[i], y[j]) for i, j in pairs) / 49
    np.testing.assert_allclose(mmd_per_dimension(x, y), expected)


def test_is_unbiased_for_two_normals():
    """The mean over many small samples is the closed form, of every dimension."""
    locs, scales = np.array([0.0, 0.7, -0.3]), np.array([1.0, 1.0, 0.4])

    @tf.function
    def estimate(seed):
        noise = tf.random.stateless_normal([2, 20, 3], seed, dtype=tf.float64)
        return mmd_per_dimension(locs + scales * noise[0], noise[1])

    actual = np.array([estimate(tf.constant([1, i])) for i in range(2000)])
    expected = [mmd_of_normals(m, s, 0, 1) for m, s in zip(locs, scales, strict=True)]
    error = actual.std(0) / np.sqrt(len(actual))
    assert expected[0] == pytest.approx(0, abs=1e-12)
    assert (np.abs(actual.mean(0) - expected) < 4.5 * error).all()
    # Sharp enough to tell the differences from none.
    assert (np.abs(expected)[1:] > 10 * error[1:]).all()


def test_gradient_draws_the_sample_to_the_other():
    y = tf.random.stateless_normal([200, 2], SEED)
    x = y[::-1] + tf.constant([1.0, 0.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_sum(mmd_per_dimension(x, y))
    gradient = tape.gradient(value, x).numpy().sum(0)
    assert gradient[0] > 10 * abs(gradient[1])


def test_one_pair_is_no_estimate():
    one = tf.ones([1, 3])
    np.testing.assert_array_equal(mmd_per_dimension(one, 2 * one), np.zeros(3))


def test_shapes_that_do_not_fit():
    x = np.zeros((4, 2), np.float32)
    with pytest.raises(ArgumentError, match=r"x must have shape \[B, L\]"):
        mmd_per_dimension(x[0], x)
    with pytest.raises(ArgumentError, match=r"y must have the shape of x"):
        mmd_per_dimension(x, x[:3])
