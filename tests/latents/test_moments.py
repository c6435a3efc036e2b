"""Moments by plain operations equal those of TFP's distributions, in every space."""

import numpy as np
import pytest
import tensorflow as tf

from tests.serving.portable import PLAIN, operations
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.latents import (
    LATENTS,
    CategoricalLatents,
    GaussianLatents,
    JointLatents,
    Latents,
    LocationScaleLatents,
    MeanFieldLatents,
)
from tf_disentangle.priors import InverseWishartPrior, MeanFieldInverseWishartPrior


def full():
    return GaussianLatents(3, "full", InverseWishartPrior(nu=20.0))


def mean_field(covariance):
    return MeanFieldLatents(3, covariance, MeanFieldInverseWishartPrior(nu=20.0))


SPACES = {
    "diagonal": lambda: GaussianLatents(3),
    "full": full,
    "identity": lambda: GaussianLatents(3, "identity"),
    "mean_field": lambda: mean_field("full"),
    "mean_field_diagonal": lambda: mean_field("diagonal"),
    "laplace": lambda: LocationScaleLatents(3, "laplace"),
    "logistic": lambda: LocationScaleLatents(3, "logistic"),
    "student_t": lambda: LocationScaleLatents(3, "student_t", df=3.5),
    "categorical": lambda: CategoricalLatents([4, 2]),
    "joint": lambda: JointLatents(GaussianLatents(3), CategoricalLatents([4, 2])),
    "joint_full": lambda: JointLatents(full(), CategoricalLatents([3])),
}


def test_every_latent_space_has_a_row():
    """A new one fails here."""
    assert {type(make()) for make in SPACES.values()} == set(LATENTS.values())


def parameters_of(latents):
    rng = np.random.default_rng(0)
    values = rng.normal(scale=2.0, size=(50, latents.num_parameters))
    return tf.constant(values, tf.float32)


def check(moments, posterior, is_full):
    """Compares moments with what TFP says of the same encoder outputs."""
    kinds = [column.num_values is None for column in posterior.latents.columns]
    assert (moments.mean is not None) == (moments.stddev is not None) == any(kinds)
    assert (moments.covariance is not None) == is_full
    assert (moments.codes is not None) == (not all(kinds))
    if any(kinds):
        stddev = posterior.stddev().numpy()[:, kinds]
        np.testing.assert_array_equal(moments.mean, posterior.mean())
        np.testing.assert_allclose(moments.stddev, stddev, rtol=1e-5)
    if is_full:
        np.testing.assert_allclose(
            moments.covariance, posterior.covariance(), rtol=1e-5, atol=1e-5
        )
    np.testing.assert_array_equal(moments.code, posterior.code())
    expected = posterior.probabilities()
    assert list(moments.probabilities) == list(expected)
    for name, probabilities in moments.probabilities.items():
        np.testing.assert_allclose(probabilities, expected[name], rtol=1e-6)
    names = {f"probabilities_{name}" for name in expected}
    fields = ("mean", "stddev", "covariance", "codes")
    names |= {name for name in fields if getattr(moments, name) is not None}
    assert set(moments.named()) == names


@pytest.mark.parametrize("name", SPACES)
def test_equals_tfp(name):
    latents = SPACES[name]()
    parameters = parameters_of(latents)
    is_full = name in ("full", "mean_field", "joint_full")
    check(latents.moments(parameters), latents.posterior(parameters), is_full)
    spec = tf.TensorSpec([None, latents.num_parameters])
    traced = tf.function(lambda x: latents.moments(x).named(), input_signature=[spec])
    assert operations(traced) <= PLAIN


def test_deviations_of_draws():
    """TFP's formula is checked too: by what it draws."""
    for name in ("full", "laplace", "student_t"):
        latents = SPACES[name]()
        parameters = parameters_of(latents)[:4]
        draws = latents.posterior(parameters).sample(tf.constant([0, 1]), 200_000)
        moments = latents.moments(parameters)
        error = 5 * moments.stddev.numpy() / np.sqrt(2e5)
        np.testing.assert_array_less(abs(draws.numpy().mean(0) - moments.mean), error)
        stddev = draws.numpy().std(axis=0)
        np.testing.assert_allclose(stddev, moments.stddev, rtol=0.03)


class Mixed(JointLatents):
    """A user's own space, which gives a posterior and no moments."""

    moments = Latents.moments


class Alone(CategoricalLatents):
    moments = Latents.moments


class Numbers(GaussianLatents):
    moments = Latents.moments


@pytest.mark.parametrize(
    "make",
    [
        lambda: Mixed(GaussianLatents(2), CategoricalLatents([3])),
        lambda: Alone([3, 2]),
        lambda: Numbers(2),
    ],
)
def test_a_space_without_moments_of_its_own_asks_its_posterior(make):
    latents = make()
    parameters = parameters_of(latents)
    check(latents.moments(parameters), latents.posterior(parameters), False)
    assert isinstance(latents.columns[0], CodeColumn)
