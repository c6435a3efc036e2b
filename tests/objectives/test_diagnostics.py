"""Diagnostics: what they are equal to, and where they are absent."""

import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from tests.objectives.one_batch import critic, encoder_outputs, inference_of
from tf_disentangle.latents import GaussianLatents, Posterior
from tf_disentangle.objectives import DIAGNOSTICS, diagnostics
from tf_disentangle.objectives.diagnostics import gaussian_total_correlation
from tf_disentangle.priors import StandardNormalPrior

THREE = ("mutual_information", "total_correlation", "dimension_kl")


def test_three_parts_sum_to_the_kl_at_the_sample():
    latents = GaussianLatents(3, "full")
    inference = inference_of(latents, encoder_outputs(latents, 20))
    actual = diagnostics(inference)
    assert set(actual) == {*THREE, "gaussian_total_correlation"}
    assert all(value.shape == [] for value in actual.values())
    log_ratio = inference.posterior.log_prob(
        inference.sample
    ) - latents.prior.distribution().log_prob(inference.sample)
    total = sum(float(actual[name]) for name in THREE)
    assert total == pytest.approx(float(tf.reduce_mean(log_ratio)), rel=1e-5)


def test_information_of_posteriors_far_apart_is_log_n():
    latents = GaussianLatents(2)
    raw = np.zeros((10, 4), np.float32)
    raw[:, 0] = 50.0 * np.arange(10)
    actual = diagnostics(inference_of(latents, tf.constant(raw), num_examples=1000))
    assert float(actual["mutual_information"]) == pytest.approx(np.log(1000), rel=1e-5)


def test_collapsed_posteriors_have_none():
    latents = GaussianLatents(4)
    actual = diagnostics(inference_of(latents, tf.zeros([200, 8]), num_examples=1000))
    for name in THREE:
        assert abs(float(actual[name])) < 1e-5
    assert float(actual["gaussian_total_correlation"]) < 0.1


def test_gaussian_total_correlation_of_a_known_normal():
    rng = np.random.default_rng(0)
    correlation = np.array([[1.0, 0.6, 0.2], [0.6, 1.0, -0.3], [0.2, -0.3, 1.0]])
    codes = rng.multivariate_normal(np.zeros(3), correlation, 50_000) * [1, 20, 0.01]
    actual = gaussian_total_correlation(tf.constant(codes + 5.0, tf.float32))
    expected = -0.5 * np.log(np.linalg.det(correlation))
    # The standard error of a log-determinant's half is sqrt(L / 2 N) at most.
    assert abs(float(actual) - expected) < 4.5 * np.sqrt(3 / 1e5)
    covariance = np.cov(codes.T)
    by_numpy = 0.5 * (
        np.log(np.diag(covariance)).sum() - np.linalg.slogdet(covariance)[1]
    )
    np.testing.assert_allclose(actual, by_numpy, rtol=1e-4)


def test_gaussian_total_correlation_does_not_see_scale_or_place():
    codes = np.random.default_rng(1).normal(size=(300, 4)) @ np.triu(np.ones((4, 4)))
    plain = gaussian_total_correlation(tf.constant(codes))
    moved = gaussian_total_correlation(tf.constant(codes * [1e-3, 7, -2, 40] + 9))
    np.testing.assert_allclose(plain, moved, rtol=1e-5)


@pytest.mark.parametrize("codes", [np.ones((9, 2)), np.eye(2), np.zeros((1, 3))])
def test_gaussian_total_correlation_of_a_singular_covariance_is_not_finite(codes):
    assert not np.isfinite(gaussian_total_correlation(tf.constant(codes)))


@pytest.mark.parametrize(("images", "is_defined"), [(1, False), (3, False), (4, True)])
def test_gaussian_total_correlation_needs_more_images_than_latents(images, is_defined):
    latents = GaussianLatents(3)
    actual = diagnostics(inference_of(latents, encoder_outputs(latents, images)))
    assert set(actual) == {
        *THREE,
        *(["gaussian_total_correlation"] if is_defined else []),
    }
    assert all(np.isfinite(value) for value in actual.values())


def test_gaussian_total_correlation_is_too_high_for_small_samples():
    """Of independent latents, by what the module's docstring says."""
    count, size = 250, 10
    draws = np.random.default_rng(3).normal(size=(300, count, size))
    actual = np.array([gaussian_total_correlation(tf.constant(z)) for z in draws])
    # Exactly, from the mean log-determinant of a Wishart matrix.
    digamma = scipy.special.digamma((count - 1 - np.arange(size)) / 2)
    expected = 0.5 * (digamma[0] - digamma).sum()
    error = actual.std() / np.sqrt(len(actual))
    assert abs(actual.mean() - expected) < 4.5 * error
    assert expected > 10 * error
    assert expected == pytest.approx(size * (size - 1) / (4 * (count - 1)), rel=0.05)


def test_without_the_number_of_examples_one_is_left():
    latents = GaussianLatents(2)
    inference = inference_of(latents, encoder_outputs(latents), num_examples=None)
    assert set(diagnostics(inference)) == {"gaussian_total_correlation"}


def test_the_critics_view_is_the_mean_logit_of_the_samples():
    latents = GaussianLatents(3)
    inference = inference_of(latents, encoder_outputs(latents), critic=critic)
    actual = diagnostics(inference)
    assert set(actual) == set(DIAGNOSTICS)
    expected = np.sin(inference.sample).sum(axis=1).mean()
    np.testing.assert_allclose(actual["critic_total_correlation"], expected, rtol=1e-5)


class NoDensity(StandardNormalPrior):
    def distribution(self):
        raise NotImplementedError


class NoMarginals(GaussianLatents):
    def posterior(self, parameters):
        return Posterior(self, super().posterior(parameters).distribution)


@pytest.mark.parametrize(
    "latents", [GaussianLatents(2, prior=NoDensity()), NoMarginals(2)]
)
def test_without_a_density_one_is_left(latents):
    inference = inference_of(latents, encoder_outputs(latents))
    assert set(diagnostics(inference)) == {"gaussian_total_correlation"}
