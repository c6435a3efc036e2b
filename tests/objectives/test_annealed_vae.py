"""AnnealedVAE: its limits, and of what the absolute value is taken."""

import numpy as np
import pytest
import tensorflow as tf

from tests.objectives.one_batch import assert_same, terms_and_gradient
from tf_disentangle import checks
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.objectives import (
    CapacityKL,
    ConstantSchedule,
    LinearSchedule,
    annealed_vae,
    beta_vae,
    elbo,
)
from tf_disentangle.priors import InverseWishartPrior

ZERO = ConstantSchedule(0.0)


def test_gamma_one_and_capacity_zero_are_the_elbo():
    assert_same(annealed_vae(1.0, ZERO), elbo())


@pytest.mark.parametrize("beta", [0.0, 0.5, 6.0])
def test_capacity_zero_is_beta_vae(beta):
    assert_same(annealed_vae(beta, ZERO), beta_vae(beta))


def test_capacity_zero_is_beta_vae_with_a_hyperprior_too():
    latents = GaussianLatents(2, "full", InverseWishartPrior(9.0))
    assert_same(annealed_vae(3.0, ZERO), beta_vae(3.0), latents)


def test_absolute_value_of_the_mean_not_mean_of_the_absolute_values():
    kl = {"kl": tf.constant([1.0, 9.0])}
    step = tf.constant(0, tf.int64)
    cost = CapacityKL(ConstantSchedule(4.0), 10.0)(kl, step)
    assert cost.shape == [] and float(cost) == 10.0  # 10 |5 - 4|, not 10 (3 + 5) / 2
    assert float(CapacityKL(ConstantSchedule(7.5), 10.0)(kl, step)) == 25.0


def test_parts_are_summed_before_the_absolute_value():
    kl = {"a": tf.constant([1.0, 2.0]), "b": tf.constant([0.5, 0.5])}
    cost = CapacityKL(ConstantSchedule(5.0), 2.0)(kl, tf.constant(0, tf.int64))
    assert float(cost) == 6.0


def test_below_the_capacity_the_kl_is_pushed_up():
    """There the loss is reconstruction - gamma KL + a constant."""
    high = annealed_vae(2.0, ConstantSchedule(100.0))
    terms, loss, gradient = terms_and_gradient(high)
    kl = float(tf.reduce_mean(terms.kl["kl"]))
    assert kl < 100.0
    scalars = terms.scalars()
    np.testing.assert_allclose(
        loss, scalars["reconstruction"] + 2.0 * (100.0 - kl), rtol=1e-6
    )
    _, _, reconstruction = terms_and_gradient(beta_vae(0.0))
    _, _, weighted = terms_and_gradient(beta_vae(2.0))
    np.testing.assert_allclose(
        gradient, 2 * reconstruction - weighted, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize(("step", "capacity"), [(0, 0.0), (50, 5.0), (900, 10.0)])
def test_capacity_of_the_step(step, capacity):
    objective = annealed_vae(7.0, LinearSchedule(0.0, 10.0, 100))
    assert_same(objective, annealed_vae(7.0, ConstantSchedule(capacity)), step=step)
    terms, _, _ = terms_and_gradient(objective, step=step)
    kl = tf.reduce_mean(terms.kl["kl"])
    np.testing.assert_allclose(terms.kl_term, 7.0 * abs(kl - capacity), rtol=1e-5)


def test_defaults_are_the_studys():
    cost = annealed_vae().kl_term
    assert cost.gamma == 1000.0
    assert cost.capacity == LinearSchedule(0.0, 25.0, 100_000)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: annealed_vae(-1.0), "gamma must be at least 0.0; received -1.0"),
        (lambda: annealed_vae(float("nan")), "gamma must be finite"),
        (lambda: annealed_vae("1"), "gamma must be int or float"),
        (lambda: annealed_vae(capacity=25.0), r"capacity must be Schedule.*Pass an"),
        (lambda: annealed_vae(capacity=LinearSchedule), "capacity must be Schedule"),
        (
            lambda: annealed_vae(capacity=LinearSchedule(-1.0, 5.0, 10)),
            "capacity must never be negative; received -1.0",
        ),
        (
            lambda: annealed_vae(capacity=ConstantSchedule(-2.0)),
            "capacity must never be negative",
        ),
    ],
)
def test_bad_arguments(make, words):
    with pytest.raises((checks.ArgumentError, checks.ArgumentTypeError), match=words):
        make()
