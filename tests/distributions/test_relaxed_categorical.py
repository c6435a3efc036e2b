"""The relaxed categorical: density, samples, and the KL that stands for its own."""

import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle.distributions import RelaxedCategorical

tfd = tfp.distributions
LOGITS = np.array([[0.3, -1.0, 2.0, 0.0], [0.0, 0.0, 0.0, 5.0]], np.float32)


def density(y, logits, tau):
    """Equation (22) of Maddison et al., float64."""
    alpha, n = np.exp(np.asarray(logits, np.float64)), len(logits)
    product = np.prod(alpha * y ** (-tau - 1)) / np.sum(alpha * y**-tau) ** n
    return math.factorial(n - 1) * tau ** (n - 1) * product


def test_density_is_that_of_the_paper():
    distribution = RelaxedCategorical(0.67, LOGITS)
    y = np.array([[0.1, 0.2, 0.3, 0.4], [0.7, 0.05, 0.05, 0.2]])
    expected = [math.log(density(v, a, 0.67)) for v, a in zip(y, LOGITS, strict=True)]
    actual = distribution.log_prob(tf.constant(y, tf.float32))
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


@pytest.mark.parametrize("temperature", [0.2, 0.67, 3.0])
def test_density_of_two_values_integrates_to_one(temperature):
    distribution = RelaxedCategorical(temperature, [0.5, -0.4])
    # Over the log-odds t of y, dy = y (1 - y) dt.
    t = np.linspace(-60, 60, 200_001)
    y = np.stack([scipy.special.expit(t), scipy.special.expit(-t)], axis=-1)
    keep = y.min(axis=-1) > 1e-18
    values = np.exp(distribution.log_prob(y[keep].astype("float32"))) * y[keep].prod(
        axis=-1
    )
    assert np.trapezoid(values, t[keep]) == pytest.approx(1.0, abs=2e-3)


def test_the_largest_coordinate_has_the_categoricals_probabilities():
    """The Gumbel-max trick, at any temperature."""
    distribution = RelaxedCategorical(0.67, LOGITS[0])
    y = distribution.sample(20_000, seed=[1, 2]).numpy()
    np.testing.assert_allclose(y.sum(axis=-1), 1.0, rtol=1e-5)
    counts = np.bincount(y.argmax(axis=-1), minlength=4)
    expected = 20_000 * scipy.special.softmax(LOGITS[0].astype(np.float64))
    assert scipy.stats.chisquare(counts, expected).pvalue > 1e-3


def test_the_log_odds_of_two_values_are_logistic():
    """(log y_1 - log y_2) tau - (a_1 - a_2) ~ Logistic(0, 1)."""
    y = RelaxedCategorical(0.67, [0.5, -0.4]).sample(5_000, seed=[3, 4]).numpy()
    odds = 0.67 * (np.log(y[:, 0]) - np.log(y[:, 1])) - 0.9
    assert scipy.stats.kstest(odds, "logistic").pvalue > 1e-3


@pytest.mark.parametrize("scale", [1.0, 30.0, 5000.0])
def test_finite_where_float32_rounds_to_a_corner(scale):
    """TFP's own density is NaN there, which this is for."""
    logits = scale * tf.random.stateless_normal([32, 10], [1, 2])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        distribution = RelaxedCategorical(0.67, logits)
        y = distribution.sample(seed=[5, 6])
        pairwise = distribution.log_prob(y[:, tf.newaxis])
        total = tf.reduce_sum(tf.reduce_logsumexp(pairwise, axis=1))
    assert np.isfinite(pairwise).all()
    assert np.isfinite(tape.gradient(total, logits)).all()
    # A copy: of its own samples TFP keeps the logarithms.
    plain = tfd.RelaxedOneHotCategorical(0.67, logits=logits).log_prob(1.0 * y)
    assert np.isfinite(plain).all() == (scale == 1.0)
    if scale == 1.0:
        np.testing.assert_allclose(distribution.log_prob(y), plain, rtol=1e-5)


def test_the_registered_kl_is_that_of_the_categoricals():
    """Against the exact sum, in value and gradient; bounded by log n."""
    raw = tf.constant(LOGITS)
    with tf.GradientTape() as tape:
        tape.watch(raw)
        uniform = RelaxedCategorical(0.67, tf.zeros(4))
        actual = tfd.kl_divergence(RelaxedCategorical(0.67, raw), uniform)
    p = scipy.special.softmax(LOGITS.astype(np.float64), axis=-1)
    exact = np.sum(p * np.log(4 * p), axis=-1)
    np.testing.assert_allclose(actual, exact, rtol=1e-5)
    assert (actual.numpy() < math.log(4)).all()
    # d/da_k sum p log(4 p) = p_k (log(4 p_k) - KL)
    gradient = p * (np.log(4 * p) - exact[:, np.newaxis])
    np.testing.assert_allclose(tape.gradient(actual, raw), gradient, atol=1e-6)


def test_the_kl_of_certain_categoricals_is_log_n():
    certain = RelaxedCategorical(0.67, [[1000.0, 0.0, 0.0], [0.0, 300.0, 0.0]])
    actual = tfd.kl_divergence(certain, RelaxedCategorical(0.67, tf.zeros(3)))
    np.testing.assert_allclose(actual, math.log(3), rtol=1e-6)


def test_the_kl_is_not_that_of_the_relaxations():
    """It is what it is called: the relaxations' own is larger, and has no bound."""
    q = RelaxedCategorical(0.67, [3.0, -1.0, 0.0])
    p = RelaxedCategorical(0.67, tf.zeros(3))
    y = q.sample(20_000, seed=[7, 8])
    ratio = (q.log_prob(y) - p.log_prob(y)).numpy()
    error = ratio.std() / math.sqrt(len(ratio))
    assert ratio.mean() > float(tfd.kl_divergence(q, p)) + 10 * error


def test_nothing_is_registered_for_tfps_own_class():
    distribution = tfd.RelaxedOneHotCategorical(0.67, logits=tf.zeros(3))
    with pytest.raises(NotImplementedError):
        tfd.kl_divergence(distribution, distribution)
