"""The objectives' limits, in value and gradient, and their refusals."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.objectives.one_batch import IMAGES, WEIGHTS, assert_same, terms_and_gradient
from tf_disentangle import checks
from tf_disentangle.latents import GaussianLatents, MeanFieldLatents, Posterior
from tf_disentangle.objectives import (
    OBJECTIVES,
    ConstantSchedule,
    CovariancePenalty,
    CyclicSchedule,
    LinearSchedule,
    Objective,
    Penalty,
    WeightedKL,
    annealed_vae,
    beta_tcvae,
    beta_vae,
    chyvae,
    decomposition_vae,
    dip_vae_i,
    elbo,
)
from tf_disentangle.priors import (
    InverseGammaPrior,
    InverseWishartPrior,
    MarginalInverseWishartPrior,
    MeanFieldInverseWishartPrior,
    NormalMixturePrior,
    NormalPrior,
)


def test_elbo_is_likelihood_minus_kl_by_hand():
    terms, loss, _ = terms_and_gradient(elbo())
    latents = GaussianLatents(2)
    rng = np.random.default_rng(2)
    raw = rng.normal(size=(6, 4))
    mean, variance = raw[:, :2], np.exp(raw[:, 2:])
    kl = 0.5 * (mean**2 + variance - 1 - np.log(variance)).sum(1)
    sample = latents.posterior(raw.astype("float32")).sample(seed=[3, 4]).numpy()
    probability = 1 / (1 + np.exp(-(sample @ WEIGHTS)))
    x = IMAGES.reshape(6, 16)
    log_p = (x * np.log(probability) + (1 - x) * np.log(1 - probability)).sum(1)
    np.testing.assert_allclose(terms.elbo(), log_p - kl, rtol=1e-4)
    np.testing.assert_allclose(loss, -(log_p - kl).mean(), rtol=1e-5)


def test_beta_one_is_the_elbo_in_value_and_gradient():
    _, loss, gradient = terms_and_gradient(beta_vae(1.0))
    _, expected, expected_gradient = terms_and_gradient(elbo())
    assert loss == expected
    np.testing.assert_array_equal(gradient, expected_gradient)


def test_beta_weighs_the_kl_alone():
    terms, loss, _ = terms_and_gradient(beta_vae(6.0))
    expected = -terms.log_likelihood + 6.0 * terms.kl["kl"]
    np.testing.assert_allclose(loss, tf.reduce_mean(expected), rtol=1e-6)


def test_beta_zero_leaves_the_reconstruction():
    terms, loss, _ = terms_and_gradient(beta_vae(0.0))
    np.testing.assert_allclose(loss, -tf.reduce_mean(terms.log_likelihood), rtol=1e-6)


def test_chyvae_subtracts_both_kl_terms():
    latents = GaussianLatents(2, "full", InverseWishartPrior(9.0))
    terms, loss, gradient = terms_and_gradient(chyvae(), latents)
    assert set(terms.kl) == {"kl_gaussian", "kl_covariance"}
    total = terms.kl["kl_gaussian"] + terms.kl["kl_covariance"]
    np.testing.assert_allclose(
        loss, tf.reduce_mean(total - terms.log_likelihood), rtol=1e-6
    )
    # The upper triangle of the encoder's matrix is not used, all else is.
    assert (gradient[:, [0, 1, 2, 4, 5]] != 0).all()
    assert (gradient[:, 3] == 0).all()


def test_penalties_per_example_and_per_batch_add_to_the_loss():
    class Mean(Penalty):
        name = "mean_code"

        def __call__(self, inference):
            return 2.0 * tf.reduce_sum(inference.sample, axis=1)

    class Constant(Penalty):
        name = "constant"

        def __call__(self, inference):
            return tf.constant(3.0)

    objective = dataclasses.replace(elbo(), penalties=(Mean(), Constant()))
    terms, loss, _ = terms_and_gradient(objective)
    _, plain, _ = terms_and_gradient(elbo())
    added = tf.reduce_mean(terms.penalties["mean_code"]) + 3.0
    np.testing.assert_allclose(loss, plain + added, rtol=1e-6)
    assert objective.term_names(GaussianLatents(2)) == tuple(terms.scalars())


def test_two_penalties_cannot_share_a_column():
    twice = (CovariancePenalty(1.0, 1.0), CovariancePenalty(2.0, 0.0, "samples"))
    objective = dataclasses.replace(elbo(), penalties=twice)
    with pytest.raises(checks.ArgumentError, match="have different names"):
        objective.check(GaussianLatents(2))
    renamed = dataclasses.replace(twice[1], name="other")
    dataclasses.replace(elbo(), penalties=(twice[0], renamed)).check(GaussianLatents(2))


def test_what_a_penalty_lacks_in_the_latents_shows_at_the_check():
    class NoMarginals(GaussianLatents):
        def posterior(self, parameters):
            return Posterior(self, super().posterior(parameters).distribution)

    latents = NoMarginals(2)
    elbo().check(latents)
    with pytest.raises(
        checks.ArgumentError, match=r"densities that TotalCorrelation needs.*no dens"
    ):
        beta_tcvae().check(latents)


def test_chyvae_needs_a_hyperprior():
    with pytest.raises(checks.ArgumentError, match="Take GaussianLatents with Inverse"):
        chyvae().check(GaussianLatents(2))
    chyvae().check(GaussianLatents(2, "full", InverseWishartPrior(5.0)))


def test_chyvae_refers_priors_of_one_part_to_the_elbo():
    latents = GaussianLatents(2, "full", MarginalInverseWishartPrior(9.0))
    with pytest.raises(
        checks.ArgumentError, match="or elbo with MarginalInverseWishartPrior"
    ):
        chyvae().check(latents)
    elbo().check(latents)


WITHOUT_KL = (beta_tcvae(), beta_vae(0.0), annealed_vae(0.0))
WITH_KL = (chyvae(), beta_vae(ConstantSchedule(0.5)), annealed_vae(1.0))


@pytest.mark.parametrize("objective", [*WITHOUT_KL, *WITH_KL], ids=lambda o: o.name)
def test_a_posterior_that_only_the_kl_trains_needs_a_kl_term(objective):
    latents = MeanFieldLatents(2, prior=MeanFieldInverseWishartPrior(9.0))
    objective.check(GaussianLatents(2, "full", InverseWishartPrior(9.0)))
    if objective in WITH_KL:
        objective.check(latents)
        return
    with pytest.raises(checks.ArgumentError, match=r"minimise the KL.*Use chyvae, el"):
        objective.check(latents)


@pytest.mark.parametrize("step", [0, 3, 5, 9, 10, 12])
def test_weight_of_the_kl_follows_a_schedule(step):
    """Here up in 5 steps, 5 of rest, and again."""
    beta = [0.0, 0.2, 0.4, 0.6, 0.8, *[1.0] * 5][step % 10]
    objective = beta_vae(CyclicSchedule(0.0, 1.0, period=10, rise=0.5))
    assert_same(objective, beta_vae(beta), step=step)
    parts = {"a": tf.constant([2.0, 6.0]), "b": tf.constant([1.0, 0.0])}
    actual = tf.function(objective.kl_term.__call__)(parts, tf.constant(step, tf.int64))
    np.testing.assert_allclose(actual, beta * np.array([3.0, 6.0]), rtol=1e-6)


def test_a_schedule_of_the_weight_is_never_negative():
    with pytest.raises(checks.ArgumentError, match="beta must never be negative"):
        beta_vae(LinearSchedule(-1.0, 1.0, 10))
    with pytest.raises(checks.ArgumentTypeError, match="beta must be int or float"):
        beta_vae(CyclicSchedule)


@pytest.mark.parametrize(
    "prior",
    [
        InverseGammaPrior(1.0, 1e-60),
        NormalMixturePrior([[0.0, 0.0]], 1e-90),
        NormalPrior(1.0, [1e308, 1e-308]),
    ],
    ids=lambda prior: type(prior).__name__,
)
def test_settings_beyond_float32_show_at_the_check(prior):
    latents = GaussianLatents(2, "full", prior)
    with pytest.raises(
        checks.ArgumentError, match=f"finite KL .*received '{type(prior).__name__}, "
    ):
        elbo().check(latents)
    with pytest.raises(checks.ArgumentError, match="nu must be finite in float32"):
        InverseWishartPrior(1e40)


@pytest.mark.parametrize(
    ("objective", "least"),
    [
        (elbo(), 1),
        (beta_tcvae(), 2),
        (dip_vae_i(), 2),
        (decomposition_vae(0.0), 1),
        (decomposition_vae(1.0), 2),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_min_batch_size_is_that_of_the_penalties(objective, least):
    assert objective.min_batch_size == least


def test_a_penalty_cannot_have_the_name_of_a_diagnostic():
    penalty = CovariancePenalty(1.0, 1.0, name="mutual_information")
    objective = dataclasses.replace(elbo(), penalties=(penalty,))
    with pytest.raises(
        checks.ArgumentError, match=r"name of a diagnostic.*'mutual_inf"
    ):
        objective.check(GaussianLatents(2))


@pytest.mark.parametrize("factory", OBJECTIVES.values(), ids=list(OBJECTIVES))
def test_a_likelihood_that_is_none_of_them_is_refused(factory):
    with pytest.raises(checks.ArgumentTypeError, match="likelihood must be Likelihood"):
        factory(likelihood=0)


@pytest.mark.parametrize("beta", [-1.0, float("inf"), "4"])
def test_beta_out_of_range(beta):
    with pytest.raises((checks.ArgumentError, checks.ArgumentTypeError), match="beta"):
        beta_vae(beta)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": 3}, "name must be str"),
        ({"penalties": CovariancePenalty(1.0, 1.0)}, "Put it in a list"),
        (
            {"penalties": [CovariancePenalty]},
            r"penalties must be Penalty.*Pass objects",
        ),
        ({"penalties": [lambda inference: 0.0]}, "penalties must be Penalty"),
        ({"kl_term": WeightedKL}, r"kl_term must be KLTerm.*such as"),
        ({"kl_term": 4.0}, "kl_term must be KLTerm"),
        ({"requires": "kl"}, r"requires must be list or tuple.*Put it in a list"),
    ],
)
def test_an_objective_of_parts_that_are_none(options, words):
    with pytest.raises((checks.ArgumentError, checks.ArgumentTypeError), match=words):
        Objective(**{"name": "mine", **options})


def test_a_list_of_penalties_is_as_good_as_a_tuple():
    penalty = CovariancePenalty(1.0, 1.0)
    assert Objective("a", penalties=[penalty]) == Objective("a", penalties=(penalty,))


def test_weighted_kl_checks_its_weight():
    with pytest.raises(checks.ArgumentError, match=r"beta must be at least 0\.0"):
        WeightedKL(-1.0)
