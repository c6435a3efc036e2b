"""Gaussian latents: the posterior is the one that the papers' code samples from."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.priors import InverseWishartPrior

tfd = tfp.distributions


def parameters(latents, batch=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(batch, latents.num_parameters)).astype("float32")


def test_diagonal_posterior_is_mean_and_log_variance():
    latents = GaussianLatents(3)
    raw = parameters(latents)
    posterior = latents.posterior(raw)
    np.testing.assert_allclose(posterior.mean(), raw[:, :3])
    stddev = np.exp(raw[:, 3:] / 2)
    np.testing.assert_allclose(posterior.stddev(), stddev, rtol=1e-5)


def test_full_posterior_has_the_published_codes_covariance():
    latents = GaussianLatents(4, covariance="full")
    raw = parameters(latents)
    posterior = latents.posterior(raw)
    for row, covariance in zip(raw, posterior.covariance().numpy(), strict=True):
        tril = np.tril(row[4:].reshape(4, 4).astype("float64"))
        diagonal = np.log1p(np.exp(np.diag(tril))) + 1e-4
        tril[np.diag_indices(4)] = diagonal
        expected = tril @ tril.T + 1e-4 * np.eye(4)
        np.testing.assert_allclose(covariance, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(posterior.code(), raw[:, :4])


def test_bfloat16_parameters_become_a_float32_distribution():
    latents = GaussianLatents(3, covariance="full")
    posterior = latents.posterior(tf.cast(parameters(latents), tf.bfloat16))
    assert posterior.distribution.dtype == tf.float32


def test_kl_is_the_closed_form_and_marginals_sum_to_it_when_diagonal():
    latents = GaussianLatents(3)
    posterior = latents.posterior(parameters(latents))
    sample = posterior.sample(seed=[0, 1])
    mean, variance = posterior.mean().numpy(), posterior.stddev().numpy() ** 2
    expected = 0.5 * (mean**2 + variance - 1 - np.log(variance))
    kl = posterior.kl(sample, seed=[0, 2])
    np.testing.assert_allclose(kl["kl"], expected.sum(1), rtol=1e-5)
    np.testing.assert_allclose(
        posterior.marginal_kl(sample), expected, rtol=1e-4, atol=1e-5
    )


def test_marginal_kl_of_full_covariance_uses_the_marginals():
    latents = GaussianLatents(3, covariance="full")
    posterior = latents.posterior(parameters(latents))
    sample = posterior.sample(seed=[0, 1])
    covariance = posterior.covariance().numpy()
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    expected = 0.5 * (posterior.mean() ** 2 + variance - 1 - np.log(variance))
    marginal = posterior.marginal_kl(sample)
    np.testing.assert_allclose(marginal, expected, rtol=1e-4, atol=1e-5)
    total = posterior.kl(sample, [0, 2])["kl"]
    # The gap is the total correlation of q(z|x), which is positive.
    assert (total.numpy() > marginal.numpy().sum(1)).all()


def test_columns_describe_the_code():
    columns = GaussianLatents(2).columns
    assert [c.name for c in columns] == ["z0", "z1"]
    assert {c.kind for c in columns} == {"continuous"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"num_latents": 0}, "num_latents must be at least 1; received 0"),
        ({"num_latents": 2.5}, "num_latents must be int"),
        ({"covariance": "ful"}, "Did you mean full?"),
        ({"prior": "normal"}, "prior must be Prior"),
        (
            {"num_latents": 10, "prior": InverseWishartPrior(9.0)},
            "nu must be greater than p - 1 = 9",
        ),
    ],
)
def test_errors_name_argument_rule_and_value(arguments, words):
    with pytest.raises((checks.ArgumentError, checks.ArgumentTypeError), match=words):
        GaussianLatents(**arguments)
