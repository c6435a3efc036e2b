"""The decomposition VAE: its limits, and its two divergences against known values."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.distributions import Normal
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.objectives import (
    AggregateDivergence,
    Inference,
    beta_vae,
    decomposition_vae,
    elbo,
    prior_to_aggregate_kl,
)
from tf_disentangle.priors import NormalPrior, SparsePrior

VECTORS = np.random.default_rng(0).normal(size=(6, 1, 1, 3)).astype("float32")
WEIGHTS = np.random.default_rng(1).normal(size=(2, 3)).astype("float32")


def inference_of(latents, raw, seed=(5, 6)):
    posterior = latents.posterior(raw)
    step = tf.constant(0, tf.int64)
    sample = posterior.sample(seed=[3, 4])
    return Inference(latents, posterior, sample, step, tf.stack(seed))


def loss_and_gradient(objective, latents):
    rng = np.random.default_rng(2)
    raw = tf.constant(rng.normal(size=(6, latents.num_parameters)), tf.float32)
    weights = [v.value for v in latents.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch(raw)
        inference = inference_of(latents, raw)
        outputs = tf.reshape(inference.sample @ WEIGHTS, VECTORS.shape)
        terms = objective(VECTORS, outputs, inference)
        loss = terms.scalars()["loss"]
    return loss.numpy(), [g.numpy() for g in tape.gradient(loss, [raw, *weights])]


@pytest.mark.parametrize("divergence", ["mmd", "kl"])
@pytest.mark.parametrize("beta", [1.0, 3.0])
def test_alpha_zero_is_beta_vae_in_value_and_gradient(beta, divergence):
    latents = GaussianLatents(2, "full", NormalPrior(trainable=True))
    reference = elbo(Normal()) if beta == 1.0 else beta_vae(beta, Normal())
    ours = decomposition_vae(0.0, beta, divergence, Normal())
    value, gradients = loss_and_gradient(ours, latents)
    expected, expected_gradients = loss_and_gradient(reference, latents)
    assert value == expected
    for ours, theirs in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("divergence", ["mmd", "kl"])
def test_alpha_weighs_the_divergence_and_reaches_encoder_and_prior(divergence):
    latents = GaussianLatents(2, "diagonal", NormalPrior(trainable=True))
    losses, gradients = {}, {}
    for alpha in (0.0, 1.0, 3.0):
        objective = decomposition_vae(alpha, 0.0, divergence, Normal())
        losses[alpha], gradients[alpha] = loss_and_gradient(objective, latents)
    one, three = losses[1.0] - losses[0.0], losses[3.0] - losses[0.0]
    assert abs(one) > 1e-3 and three == pytest.approx(3 * one, rel=1e-4)
    for none, some in zip(gradients[0.0], gradients[1.0], strict=True):
        assert np.isfinite(some).all() and np.abs(some - none).max() > 1e-4


def test_mmd_is_that_of_the_sample_and_the_prior():
    """Zero on average for posteriors that are the prior, and not for others."""
    latents = GaussianLatents(2, prior=SparsePrior(0.0))
    penalty = AggregateDivergence(1.0, "mmd")

    @tf.function
    def estimate(raw, i):
        posterior = latents.posterior(raw)
        sample = posterior.sample(seed=tf.stack([7, i]))
        step, seed = tf.constant(0, tf.int64), tf.stack([8, i])
        return penalty(Inference(latents, posterior, sample, step, seed))

    actual = {}
    for mean in (0.0, 1.0):
        raw = tf.tile(tf.constant([[mean, mean, 0, 0]]), (60, 1))
        values = [estimate(raw, i).numpy() for i in tf.range(60)]
        actual[mean] = np.mean(values), np.std(values) / np.sqrt(60)
    assert abs(actual[0.0][0]) < 4.5 * actual[0.0][1]
    assert actual[1.0][0] > 20 * actual[1.0][1]


def test_kl_is_that_of_the_prior_to_the_known_mixture():
    """q(z) is the mixture of the batch's posteriors: quadrature in one dimension."""
    latents = GaussianLatents(1, prior=SparsePrior(0.4, 0.3, 1.0))
    means, scales = np.array([-1.0, 0.2, 0.9]), np.array([0.5, 0.8, 0.6])
    raw = np.stack([means, 2 * np.log(scales)], 1).astype("float32")
    posterior, prior = latents.posterior(raw), latents.prior
    drawn = prior.sample(40_000, tf.constant([1, 2]))
    actual = prior_to_aggregate_kl(posterior, prior, drawn).numpy()
    x = np.linspace(-8, 8, 160_001)
    norm = scipy.stats.norm
    p = 0.4 * norm(0, 0.3).pdf(x) + 0.6 * norm(0, 1).pdf(x)
    q = np.mean([norm(m, s).pdf(x) for m, s in zip(means, scales, strict=True)], 0)
    expected = np.trapezoid(p * np.log(p / q), x)
    spread = np.sqrt(np.trapezoid(p * np.log(p / q) ** 2, x) - expected**2)
    assert abs(actual - expected) < 4.5 * spread / np.sqrt(40_000)
    # The batch's penalty draws as many as it has posteriors, so it is right on average.

    @tf.function
    def penalty(i):
        inference = inference_of(latents, raw, (9, i))
        return AggregateDivergence(2.0, "kl")(inference)

    values = [penalty(i).numpy() for i in tf.range(100)]
    error = 2 * spread / np.sqrt(3 * 100)
    assert abs(np.mean(values) - 2 * expected) < 4.5 * error


def test_a_part_of_the_data_gives_too_much_kl():
    """Jensen: the estimate over batches of a larger set lies above the set's."""
    latents = GaussianLatents(1)
    raw = np.stack([np.linspace(-2, 2, 40), np.full(40, -2.0)], 1).astype("float32")
    drawn = latents.prior.sample(2000, tf.constant([1, 2]))

    def estimate(rows):
        posterior = latents.posterior(raw[rows])
        return prior_to_aggregate_kl(posterior, latents.prior, drawn).numpy()

    whole = estimate(slice(None))
    rng = np.random.default_rng(0)
    parts = [estimate(rng.choice(40, 8, replace=False)) for _ in range(30)]
    assert np.mean(parts) > whole + 4.5 * np.std(parts) / np.sqrt(30)


def test_the_prior_sample_is_not_that_of_the_kl():
    """Both get one seed; the penalty's draws are salted."""
    latents = GaussianLatents(2, prior=SparsePrior())
    inference = inference_of(latents, np.zeros((6, 4), np.float32))
    penalty = AggregateDivergence(1.0, "mmd")(inference)
    same = inference._replace(sample=latents.prior.sample(6, inference.seed))
    assert penalty != AggregateDivergence(1.0, "mmd")(same)
    assert AggregateDivergence(1.0, "mmd")(same) > -6 * 12


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"alpha": -1.0}, "alpha must be at least 0.0"),
        ({"beta": -0.5}, "beta must be at least 0.0"),
        ({"divergence": "mdm"}, "divergence must be one of 'mmd', 'kl'"),
    ],
)
def test_values_out_of_range(arguments, words):
    with pytest.raises(checks.ArgumentError, match=words):
        decomposition_vae(**arguments)
