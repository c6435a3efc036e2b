"""Likelihoods of images."""

import dataclasses

import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import configs
from tf_disentangle.checks import ArgumentError, ArgumentTypeError
from tf_disentangle.distributions import (
    LIKELIHOODS,
    Bernoulli,
    Laplace,
    Likelihood,
    Normal,
)

SHAPE = (5, 4, 3, 2)


def logits():
    return np.random.default_rng(0).normal(size=SHAPE).astype(np.float32) * 3


def test_binary_images_have_the_log_prob_of_scipy():
    images = np.random.default_rng(1).integers(0, 2, SHAPE)
    oracle = scipy.stats.bernoulli(scipy.special.expit(np.float64(logits())))
    log_prob = Bernoulli().log_prob(np.float32(images), logits())
    expected = oracle.logpmf(images).sum((1, 2, 3))
    np.testing.assert_allclose(log_prob, expected, rtol=1e-5)


def test_grey_images_have_the_mean_over_binary_images():
    # At one grey pixel x: x log p(1) + (1 - x) log p(0).
    likelihood, image = Bernoulli(), np.ones([1, 1, 1, 1], np.float32)
    on = likelihood.log_prob(image, 2 * image)
    off = likelihood.log_prob(0 * image, 2 * image)
    grey = likelihood.log_prob(0.3 * image, 2 * image)
    np.testing.assert_allclose(grey, 0.3 * on + 0.7 * off, rtol=1e-6)


def test_large_logits_stay_finite():
    outputs = tf.constant([[[[300.0]]], [[[-300.0]]]])
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        log_prob = Bernoulli().log_prob(tf.ones([2, 1, 1, 1]), outputs)
    np.testing.assert_allclose(log_prob, [0.0, -300.0])
    np.testing.assert_allclose(tf.squeeze(tape.gradient(log_prob, outputs)), [0, 1])


def test_the_best_mean_is_the_image():
    image = np.random.default_rng(2).uniform(0.05, 0.95, SHAPE).astype(np.float32)
    likelihood, best = Bernoulli(), scipy.special.logit(image)
    np.testing.assert_allclose(likelihood.mean(best), image, rtol=1e-5)
    top = likelihood.log_prob(image, best).numpy()
    for worse in (best + 0.1, best - 0.1):
        assert (likelihood.log_prob(image, worse).numpy() < top).all()


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16, tf.float64])
def test_results_are_float32(dtype):
    likelihood, outputs = Bernoulli(), tf.cast(logits(), dtype)
    image = tf.cast(tf.fill(SHAPE, 0.25), dtype)
    exact = likelihood.log_prob(np.full(SHAPE, 0.25, np.float32), logits())
    log_prob, mean = likelihood.log_prob(image, outputs), likelihood.mean(outputs)
    assert log_prob.dtype == mean.dtype == tf.float32
    # The outputs' own rounding is all that is lost.
    np.testing.assert_allclose(log_prob, exact, rtol=1e-2)
    assert 0 <= tf.reduce_min(mean) <= tf.reduce_max(mean) <= 1


def test_it_is_a_likelihood_without_state():
    assert isinstance(Bernoulli(), Likelihood)
    assert Bernoulli() == Bernoulli()
    with pytest.raises(dataclasses.FrozenInstanceError):
        Bernoulli().scale = 1.0


def test_errors_name_the_remedy():
    with pytest.raises(
        ArgumentTypeError, match=r"'uint8'\. Divide uint8 images by 255"
    ):
        Bernoulli().log_prob(np.zeros(SHAPE, np.uint8), logits())
    text = r"outputs must have the images' shape \(5, 4, 3, 1\); received"
    with pytest.raises(ArgumentError, match=text):
        Bernoulli().log_prob(np.zeros([5, 4, 3, 1], np.float32), logits())


def test_bernoulli_has_the_bits_of_tensorflows_cross_entropy():
    """In value and gradient, so that training does not depend on TFP's rounding."""
    images = tf.constant(np.random.default_rng(3).uniform(size=SHAPE), tf.float32)
    outputs = tf.constant(logits())

    def by_tensorflow():
        values = tf.nn.sigmoid_cross_entropy_with_logits(images, outputs)
        return -tf.reduce_sum(values, axis=[1, 2, 3])

    results = []
    for log_prob in (lambda: Bernoulli().log_prob(images, outputs), by_tensorflow):
        with tf.GradientTape() as tape:
            tape.watch(outputs)
            value = log_prob()
        results.append((value, tape.gradient(value, outputs)))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_each_is_a_tfp_distribution_that_can_be_sampled(name):
    likelihood = LIKELIHOODS[name]()
    distribution = likelihood.distribution(logits())
    assert isinstance(distribution, tfp.distributions.Distribution)
    assert distribution.batch_shape == SHAPE[:1]
    assert distribution.event_shape == SHAPE[1:]
    draws = distribution.sample(4000, seed=[1, 2])
    assert draws.dtype == tf.float32
    error = np.abs(draws.numpy().mean(axis=0) - likelihood.mean(logits()))
    assert error.max() < 5 * draws.numpy().std(axis=0).max() / np.sqrt(4000)
    log_prob = likelihood.log_prob(draws[0], logits())
    np.testing.assert_allclose(distribution.log_prob(draws)[0], log_prob, rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "oracle"), [(Normal, scipy.stats.norm), (Laplace, scipy.stats.laplace)]
)
class TestRealValues:
    def data(self):
        rng = np.random.default_rng(4)
        return rng.normal(size=SHAPE).astype(np.float32), rng

    def test_fixed_scale_has_the_density_of_scipy(self, kind, oracle):
        x, _ = self.data()
        expected = oracle(logits(), 0.3).logpdf(x).sum((1, 2, 3))
        np.testing.assert_allclose(kind(0.3).log_prob(x, logits()), expected, rtol=1e-5)
        np.testing.assert_array_equal(kind(0.3).mean(logits()), logits())
        assert kind(0.3).outputs_per_value == 1

    def test_decoded_scales_have_the_density_of_scipy(self, kind, oracle):
        x, rng = self.data()
        raw = rng.normal(size=SHAPE).astype(np.float32)
        outputs = np.concatenate([logits(), raw], axis=-1)
        scale = np.log1p(np.exp(raw.astype(np.float64))) + 1e-6
        expected = oracle(logits(), scale).logpdf(x).sum((1, 2, 3))
        likelihood = kind(scale=None)
        np.testing.assert_allclose(likelihood.log_prob(x, outputs), expected, rtol=1e-5)
        np.testing.assert_array_equal(likelihood.mean(outputs), logits())
        assert likelihood.outputs_per_value == 2

    def test_small_scales_stay_finite_and_keep_the_error(self, kind, oracle):
        outputs = tf.constant([[[[0.5, -200.0]]]])
        with tf.GradientTape() as tape:
            tape.watch(outputs)
            log_prob = kind(scale=None).log_prob(tf.fill([1, 1, 1, 1], 0.5), outputs)
        np.testing.assert_allclose(log_prob, [oracle(0, 1e-6).logpdf(0)], rtol=1e-5)
        assert np.isfinite(tape.gradient(log_prob, outputs)).all()
        x, mean = np.float32(100.0001), np.float32(100.0)
        expected = oracle(np.float64(mean), 1e-4).logpdf(np.float64(x))
        image, outputs = tf.fill([1, 1, 1, 1], x), tf.fill([1, 1, 1, 1], mean)
        actual = kind(1e-4).log_prob(image, outputs)
        np.testing.assert_allclose(actual, [expected], rtol=1e-5)

    def test_it_is_a_likelihood_of_real_values(self, kind, oracle):
        del oracle
        assert isinstance(kind(), Likelihood)
        assert kind().real_valued and not Bernoulli().real_valued
        assert kind(0.5) == kind(0.5) != kind(0.4)
        for likelihood in (kind(0.5), kind(None), Bernoulli()):
            assert configs.deserialize(configs.serialize(likelihood)) == likelihood

    @pytest.mark.parametrize("scale", [0.0, -1.0, float("nan")])
    def test_scale_out_of_range(self, kind, oracle, scale):
        del oracle
        with pytest.raises(ArgumentError, match="scale must be"):
            kind(scale)

    def test_outputs_that_do_not_fit(self, kind, oracle):
        del oracle
        x, _ = self.data()
        with pytest.raises(ArgumentError, match="outputs must have two numbers"):
            kind(None).log_prob(x, x[..., :1])
        with pytest.raises(ArgumentError, match="outputs must have the images' shape"):
            kind(None).log_prob(x, x)
        with pytest.raises(ArgumentTypeError, match="uint8"):
            kind().log_prob(np.zeros(SHAPE, np.uint8), x)
