"""The uniform prior of InfoGAN's codes."""

import numpy as np
import pytest
import tensorflow as tf

from tf_disentangle.checks import ArgumentError
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.priors import UniformPrior


def test_density_is_one_over_the_volume_and_0_outside():
    prior = GaussianLatents(2, prior=UniformPrior(1.5)).prior
    z = tf.constant([[0.0, 1.4], [-1.4, 0.0], [0.0, 1.6]])
    expected = [-2 * np.log(3.0)] * 2 + [-np.inf]
    np.testing.assert_allclose(prior.distribution().log_prob(z), expected, rtol=1e-6)
    np.testing.assert_allclose(prior.marginals().log_prob(z[:2]), -np.log(3.0), 1e-6)
    assert prior.label == "z_i ~ U(-1.5, 1.5), independent"


def test_draws_of_infogans_codes_stay_within_one():
    z = GaussianLatents(3, prior=UniformPrior()).prior.sample(5000, [1, 2]).numpy()
    assert -1 <= z.min() < -0.99 and 0.99 < z.max() <= 1


def test_the_bound_is_checked():
    with pytest.raises(ArgumentError, match="bound must be greater than 0"):
        UniformPrior(0.0)
