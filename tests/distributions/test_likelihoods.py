"""Likelihoods of images."""

import dataclasses

import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

from tf_disentangle.checks import ArgumentError, ArgumentTypeError
from tf_disentangle.distributions import Bernoulli, Likelihood

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
