"""JointVAE's objective: limits in value and gradient, clipping, its combinations."""

import dataclasses
import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

from tests.objectives.one_batch import (
    assert_same,
    encoder_outputs,
    inference_of,
    terms_and_gradient,
)
from tf_disentangle import checks
from tf_disentangle.latents import CategoricalLatents, GaussianLatents, JointLatents
from tf_disentangle.objectives import (
    ConstantSchedule,
    Inference,
    JointCapacityKL,
    LinearSchedule,
    TotalCorrelation,
    WeightedGroups,
    annealed_vae,
    beta_tcvae,
    beta_vae,
    chyvae,
    elbo,
    joint_vae,
)
from tf_disentangle.priors import InverseWishartPrior

STEP = tf.constant(10_000, tf.int64)
RAMP = LinearSchedule(0.0, 5.0, 25_000)
JOINT = JointLatents(GaussianLatents(3), CategoricalLatents([4, 2]))
KL = {"kl_continuous": tf.constant([3.0, 5.0]), "kl_discrete": tf.constant([1.0, 0.5])}


def assert_equal(a, b, latents):
    assert_same(a, b, latents, step=10_000, rtol=1e-5)


@pytest.mark.parametrize("prior", [None, InverseWishartPrior(9.0)])
def test_without_categorical_latents_it_is_annealed_vae(prior):
    latents = GaussianLatents(3, "full", prior)
    assert_equal(joint_vae(30.0, RAMP), annealed_vae(30.0, RAMP), latents)


def test_without_capacities_it_is_beta_vae():
    """A KL is not negative, and the sum of two absolute values then their sum."""
    zero = ConstantSchedule(0.0)
    assert_equal(joint_vae(30.0, zero, zero), beta_vae(30.0), JOINT)


def test_value_by_hand():
    cost = JointCapacityKL(ConstantSchedule(2.0), ConstantSchedule(1.0), 10.0)
    # |4 - 2| + |0.75 - 1|: of batch means.
    assert float(cost(KL, STEP, {"kl_discrete": math.log(8)})) == pytest.approx(22.5)


def test_the_discrete_capacity_is_clipped_at_the_sum_of_logs():
    latents = JOINT
    cost = JointCapacityKL(ConstantSchedule(4.0), ConstantSchedule(50.0), 10.0)
    actual = float(cost(KL, STEP, latents.kl_bounds))
    assert actual == pytest.approx(10 * (math.log(4) + math.log(2) - 0.75))
    assert float(cost(KL, STEP)) == pytest.approx(10 * (50 - 0.75))
    # And the objective hands over the bounds of its latents: certain values pay
    # nothing, whatever the capacity.
    alone = CategoricalLatents([4, 2])
    raw = 1000.0 * tf.one_hot([[0, 4], [1, 5]], 6)
    posterior = alone.posterior(tf.reduce_sum(raw, axis=1))
    sample = posterior.sample(seed=[1, 2])
    inference = Inference(alone, posterior, sample, STEP, tf.constant([3, 4]))
    objective = joint_vae(30.0, discrete_capacity=ConstantSchedule(50.0))
    terms = objective(tf.zeros([2, 1, 1, 1]), tf.zeros([2, 1, 1, 1]), inference)
    assert float(terms.kl_term) == pytest.approx(0.0, abs=1e-4)


def test_without_a_continuous_capacity_that_kl_is_the_elbos():
    """Then gamma = 0 is the ELBO of the continuous latents alone."""
    cost = JointCapacityKL(None, ConstantSchedule(1.0), 10.0)
    assert float(cost(KL, STEP)) == pytest.approx(4.0 + 2.5)
    latents = GaussianLatents(3, "full", InverseWishartPrior(9.0))
    objective = dataclasses.replace(chyvae(), kl_term=cost)
    assert_equal(objective, chyvae(), latents)


def test_weighted_groups():
    actual = WeightedGroups(4.0, 0.5)(KL, STEP)
    np.testing.assert_allclose(actual, [12.5, 20.25], rtol=1e-6)
    objective = dataclasses.replace(elbo(), kl_term=WeightedGroups(2.0, 2.0))
    assert_equal(objective, beta_vae(2.0), JOINT)


def test_beta_tcvae_with_equal_weights_is_the_elbo_of_the_relaxed_variables():
    """log q(z, c) and its marginals cancel: what is left is the relaxed KL."""
    relaxed = JointLatents(GaussianLatents(3), CategoricalLatents([4, 2], kl="relaxed"))
    _, loss, gradient = terms_and_gradient(beta_tcvae(1.0), relaxed)
    # The ELBO with both KL at the sample.
    inference = inference_of(relaxed, encoder_outputs(relaxed))
    sample, prior = inference.sample, relaxed.prior.distribution()
    ratio = inference.posterior.log_prob(sample) - prior.log_prob(sample)
    _, reconstruction, _ = terms_and_gradient(beta_vae(0.0), relaxed)
    np.testing.assert_allclose(
        loss - reconstruction, np.mean(ratio), rtol=1e-4, atol=1e-3
    )
    assert np.isfinite(gradient).all()


def test_total_correlation_of_joint_latents_by_brute_force():
    """On the full batch the estimate is the mixture's own; here in float64 numpy."""
    rng = np.random.default_rng(1)
    raw = tf.constant(rng.normal(size=(5, JOINT.num_parameters)), tf.float32)
    posterior = JOINT.posterior(raw)
    sample = posterior.sample(seed=[5, 6])
    seed = tf.constant([3, 4])
    inference = Inference(JOINT, posterior, sample, STEP, seed, num_examples=5)
    actual = TotalCorrelation(1.0)(inference).numpy()

    values, z = raw.numpy().astype(np.float64), sample.numpy().astype(np.float64)

    def relaxed(y, logits, tau=0.67):
        n = len(y)
        log_y = np.log(y)
        return (
            math.lgamma(n)
            + (n - 1) * math.log(tau)
            + np.sum(logits - (tau + 1) * log_y)
            - n * scipy.special.logsumexp(logits - tau * log_y)
        )

    logs = np.empty((5, 5, 5))  # sample i, image j, latent
    for i in range(5):
        for j in range(5):
            mean, scale = values[j, :3], np.exp(values[j, 3:6] / 2)
            error = (z[i, :3] - mean) / scale
            logs[i, j, :3] = (
                -0.5 * error**2 - np.log(scale) - 0.5 * math.log(2 * math.pi)
            )
            logs[i, j, 3] = relaxed(z[i, 3:7], values[j, 6:10])
            logs[i, j, 4] = relaxed(z[i, 7:], values[j, 10:])
    mixture = scipy.special.logsumexp(logs.sum(axis=-1), axis=1) - math.log(5)
    product = (scipy.special.logsumexp(logs, axis=1) - math.log(5)).sum(axis=-1)
    np.testing.assert_allclose(actual, mixture - product, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: joint_vae(-1.0), "gamma must be at least 0"),
        (lambda: joint_vae(capacity=5.0), r"capacity must be Schedule.*Pass an"),
        (
            lambda: joint_vae(discrete_capacity=ConstantSchedule(-1.0)),
            "discrete_capacity must never be negative",
        ),
        (lambda: WeightedGroups(discrete_beta=-1.0), "discrete_beta must be at least"),
    ],
)
def test_errors(make, match):
    with pytest.raises((checks.ArgumentError, checks.ArgumentTypeError), match=match):
        make()
