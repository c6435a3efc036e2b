"""DIP-VAE: the two covariances, the penalty by hand, the limits."""

import numpy as np
import pytest
import tensorflow as tf

from tests.objectives.one_batch import (
    assert_same,
    encoder_outputs,
    inference_of,
    terms_and_gradient,
)
from tf_disentangle import checks
from tf_disentangle.latents import GaussianLatents, LocationScaleLatents
from tf_disentangle.objectives import CovariancePenalty, dip_vae_i, dip_vae_ii, elbo
from tf_disentangle.objectives.dip_vae import (
    code_covariance,
    squared_distance_to_identity,
)

LATENTS = {
    "diagonal": GaussianLatents(3),
    "full": GaussianLatents(3, "full"),
    "Laplace": LocationScaleLatents(3, "laplace"),
}


@pytest.fixture(params=LATENTS)
def inference(request):
    latents = LATENTS[request.param]
    return inference_of(latents, encoder_outputs(latents, 9))


@pytest.mark.parametrize("make", [dip_vae_i, dip_vae_ii])
@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_both_weights_zero_are_the_elbo(make, covariance):
    assert_same(make(0.0, 0.0), elbo(), GaussianLatents(2, covariance))


def test_covariance_of_the_means_is_divided_by_the_batch(inference):
    means = inference.posterior.mean().numpy()
    expected = np.cov(means.T, bias=True)
    np.testing.assert_allclose(
        code_covariance(inference, "means"), expected, rtol=1e-5, atol=1e-6
    )


def test_two_minus_one_is_the_mean_encoder_covariance(inference):
    """With the encoder's covariance estimated from draws of it."""
    actual = code_covariance(inference, "samples") - code_covariance(inference, "means")
    draws = inference.posterior.sample([7, 8], 20_000).numpy()
    products = (draws - draws.mean(0))[..., :, None] * (draws - draws.mean(0))[
        ..., None, :
    ]
    error = products.std(0).mean(0) / np.sqrt(20_000 * draws.shape[1])
    # 4.5 standard errors, somewhat larger where the images' deviations differ.
    assert (abs(actual.numpy() - products.mean((0, 1))) < 6 * error + 1e-6).all()


def test_full_posteriors_keep_their_off_diagonal():
    latents = LATENTS["full"]
    inference = inference_of(latents, encoder_outputs(latents, 9))
    tril = inference.posterior.distribution.scale.to_dense().numpy()
    within = (tril @ tril.transpose(0, 2, 1)).mean(0)
    assert abs(within[np.triu_indices(3, 1)]).max() > 0.05
    actual = code_covariance(inference, "samples") - code_covariance(inference, "means")
    np.testing.assert_allclose(actual, within, rtol=1e-4, atol=1e-5)


def test_it_is_the_covariance_of_the_sampled_codes(inference):
    """The law of total covariance: Cov[z] over images and draws."""
    draws = inference.posterior.sample([9, 8], 20_000).numpy().reshape(-1, 3)
    # The images are the same in all draws: only the posterior's part is estimated.
    expected = np.cov(draws.T, bias=True)
    scale = draws.var(0).max() * 6 / np.sqrt(20_000)
    np.testing.assert_allclose(
        code_covariance(inference, "samples"), expected, atol=scale
    )


def test_penalty_by_hand():
    covariance = np.array([[2.0, 0.5, -1.0], [0.5, 1.0, 0.0], [-1.0, 0.0, 0.25]])
    off = sum(
        covariance[i, j] ** 2 for i in range(3) for j in range(3) if i != j
    )  # 2 (0.25 + 1)
    diagonal = 1.0 + 0.0 + 0.75**2
    actual = squared_distance_to_identity(tf.constant(covariance), 3.0, 7.0)
    np.testing.assert_allclose(actual, 3.0 * off + 7.0 * diagonal, rtol=1e-12)
    assert float(squared_distance_to_identity(tf.eye(4), 3.0, 7.0)) == 0.0


@pytest.mark.parametrize(
    ("make", "of"), [(dip_vae_i, "means"), (dip_vae_ii, "samples")]
)
def test_penalty_is_added_to_the_elbo(make, of):
    latents = GaussianLatents(2, "full")
    terms, loss, gradient = terms_and_gradient(make(4.0, 9.0), latents)
    _, plain, plain_gradient = terms_and_gradient(elbo(), latents)
    raw = encoder_outputs(latents)

    def penalty(raw):
        inference = inference_of(latents, raw)
        covariance = code_covariance(inference, of)
        return squared_distance_to_identity(covariance, 4.0, 9.0)

    np.testing.assert_allclose(loss, plain + penalty(raw), rtol=1e-6)
    np.testing.assert_allclose(
        terms.penalties["weighted_covariance"], penalty(raw), rtol=1e-6
    )
    # The gradient against central differences.
    rng = np.random.default_rng(5)
    for _ in range(4):
        direction = tf.constant(rng.normal(size=raw.shape), tf.float32)
        h = 1e-2
        slope = (penalty(raw + h * direction) - penalty(raw - h * direction)) / (2 * h)
        actual = np.sum((gradient - plain_gradient) * direction.numpy())
        np.testing.assert_allclose(actual, slope, rtol=2e-3, atol=2e-3)


def test_defaults_are_the_studys():
    assert dip_vae_i(5.0).penalties == (CovariancePenalty(5.0, 50.0, "means"),)
    assert dip_vae_ii(5.0).penalties == (CovariancePenalty(5.0, 5.0, "samples"),)


@pytest.mark.parametrize("make", [dip_vae_i, dip_vae_ii])
@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ((-1.0,), "lambda_od must be at least 0.0; received -1.0"),
        ((1.0, -0.5), "lambda_d must be at least 0.0; received -0.5"),
        ((float("inf"),), "lambda_od must be finite"),
        ((1.0, "2"), "lambda_d must be int or float"),
    ],
)
def test_bad_weights(make, weights, words):
    with pytest.raises((checks.ArgumentError, checks.ArgumentTypeError), match=words):
        make(*weights)


def test_bad_kind():
    with pytest.raises(checks.ArgumentError, match="Did you mean means"):
        CovariancePenalty(1.0, 1.0, "mean")
