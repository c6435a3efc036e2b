"""beta-TCVAE: the ELBO with all weights 1, and the three parts on a known mixture."""

import dataclasses
import math

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tests.objectives.one_batch import (
    IMAGES,
    WEIGHTS,
    assert_same,
    encoder_outputs,
    inference_of,
    terms_and_gradient,
)
from tf_disentangle import checks
from tf_disentangle.latents import GaussianLatents, LocationScaleLatents
from tf_disentangle.objectives import (
    DimensionKL,
    MutualInformation,
    TotalCorrelation,
    beta_tcvae,
    beta_vae,
    elbo,
)
from tf_disentangle.objectives.beta_tcvae import (
    dimension_kl,
    mutual_information,
    total_correlation,
)
from tf_disentangle.priors import InverseWishartPrior

ESTIMATORS = ["stratified", "weighted"]
CASES = {
    "diagonal": GaussianLatents(2),
    "full": GaussianLatents(2, "full"),
    "Laplace": LocationScaleLatents(2, "laplace"),
    "hyperprior": GaussianLatents(2, "full", InverseWishartPrior(9.0)),
}


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("case", CASES)
def test_all_weights_one_are_the_elbo_at_the_sample(case, estimator):
    """log q(z) and log q(z_j) cancel, whatever the estimator and the prior."""
    latents = CASES[case]
    terms, loss, _ = terms_and_gradient(beta_tcvae(1.0, estimator=estimator), latents)
    inference = inference_of(latents, encoder_outputs(latents))
    log_ratio = inference.posterior.log_prob(
        inference.sample
    ) - latents.prior.distribution().log_prob(inference.sample)
    expected = tf.reduce_mean(log_ratio - terms.log_likelihood)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def over_seeds(objective, latents, raw, num_seeds=400):
    """Losses [S] and gradients [S, ...] over draws of z."""

    @tf.function
    def one(seed):
        with tf.GradientTape() as tape:
            tape.watch(raw)
            inference = inference_of(latents, raw, seed=seed, num_examples=6)
            outputs = tf.reshape(inference.sample @ WEIGHTS, IMAGES.shape)
            loss = objective(IMAGES, outputs, inference).scalars()["loss"]
        return loss, tape.gradient(loss, raw)

    draws = [one(s) for s in tfp.random.split_seed(tf.constant([8, 9]), num_seeds)]
    losses, gradients = zip(*draws, strict=True)
    return np.array(losses), np.array(gradients)


@pytest.mark.parametrize(
    "case", ["full", pytest.param("diagonal", marks=pytest.mark.slow)]
)
def test_all_weights_one_on_the_whole_set_are_the_elbo_in_expectation(case):
    """In value and gradient, against the closed KL at the same draws."""
    latents = CASES[case]
    raw = encoder_outputs(latents)
    losses, gradients = over_seeds(beta_tcvae(1.0), latents, raw)
    expected, expected_gradients = over_seeds(elbo(), latents, raw)
    for difference in (losses - expected, gradients - expected_gradients):
        error = difference.std(0) / np.sqrt(len(difference))
        assert (abs(difference.mean(0)) <= 4.5 * error + 1e-6).all()
        assert error.max() < 0.1


def test_equal_weights_are_beta_vae_in_expectation():
    latents = CASES["diagonal"]
    raw = encoder_outputs(latents)
    losses, _ = over_seeds(beta_tcvae(4.0, 4.0, 4.0), latents, raw)
    expected, _ = over_seeds(beta_vae(4.0), latents, raw)
    difference = losses - expected
    error = difference.std() / np.sqrt(len(difference))
    assert abs(difference.mean()) < 4.5 * error < 1.0


def test_each_weight_weighs_its_part():
    base, _, gradient = terms_and_gradient(beta_tcvae(2.0, 3.0, 5.0))
    inference = inference_of(GaussianLatents(2), encoder_outputs(GaussianLatents(2)))
    expected = {
        "weighted_mutual_information": 3.0 * mutual_information(inference),
        "weighted_total_correlation": 2.0 * total_correlation(inference),
        "weighted_dimension_kl": 5.0 * dimension_kl(inference),
    }
    assert set(base.penalties) == set(expected)
    for name, value in expected.items():
        assert base.penalties[name].shape == [6]
        np.testing.assert_allclose(base.penalties[name], value, rtol=1e-5)
    # And nothing else: 2, 3, 5 in the other order is another objective.
    _, _, other = terms_and_gradient(beta_tcvae(3.0, 2.0, 5.0))
    assert not np.allclose(gradient, other)


def test_all_weights_zero_leave_the_reconstruction():
    assert_same(beta_tcvae(0.0, 0.0, 0.0), beta_vae(0.0))


def test_penalties_by_themselves_join_any_objective():
    """ELBO + 5 TC is beta-TCVAE with beta = 6, its KL in closed form."""
    parts = (MutualInformation(), TotalCorrelation(6.0), DimensionKL())
    assert beta_tcvae(6.0).penalties == parts
    objective = dataclasses.replace(elbo(), penalties=(TotalCorrelation(5.0),))
    _, loss, _ = terms_and_gradient(objective)
    _, plain, _ = terms_and_gradient(elbo())
    inference = inference_of(GaussianLatents(2), encoder_outputs(GaussianLatents(2)))
    added = 5.0 * tf.reduce_mean(total_correlation(inference))
    np.testing.assert_allclose(loss, plain + added, rtol=1e-5)


# ---- A known mixture: five posteriors over two latents.

MEANS = np.array([[-1.5, -1.0], [-0.5, -0.7], [0.2, 0.4], [1.0, 0.5], [1.6, 1.8]])
DEVIATIONS = np.array([[0.4, 0.6], [0.5, 0.3], [0.7, 0.5], [0.3, 0.4], [0.5, 0.5]])


def by_quadrature():
    """(I, TC, dimension-wise KL, KL(q(z) || p(z)), E KL), on a fine grid."""
    axis = np.linspace(-6.0, 6.0, 1201)
    cell = axis[1] - axis[0]
    one = scipy.stats.norm(MEANS[..., None], DEVIATIONS[..., None]).pdf(axis)
    each = one[:, 0, :, None] * one[:, 1, None, :]
    joint, marginals = each.mean(0), one.mean(0)
    tiny = np.finfo(float).tiny

    def integral(density, log_ratio):
        return float((density * log_ratio).sum() * cell ** np.ndim(density))

    def log(density):
        return np.log(density + tiny)

    normal = scipy.stats.norm.logpdf(axis)
    prior = normal[:, None] + normal[None]
    product = log(marginals[0])[:, None] + log(marginals[1])[None]
    information = np.mean([integral(q, log(q) - log(joint)) for q in each])
    return (
        information,
        integral(joint, log(joint) - product),
        sum(integral(m, log(m) - normal) for m in marginals),
        integral(joint, log(joint) - prior),
        np.mean([integral(q, log(q) - prior) for q in each]),
    )


def closed_kl():
    return 0.5 * np.mean((MEANS**2 + DEVIATIONS**2 - 1 - 2 * np.log(DEVIATIONS)).sum(1))


def test_quadrature_knows_the_identities():
    """E KL = I(x; z) + KL(q(z) || p(z)), and the latter is TC + dimension-wise KL."""
    information, tc, dimension, aggregate, kl = by_quadrature()
    assert kl == pytest.approx(closed_kl(), rel=1e-5)
    assert information + aggregate == pytest.approx(kl, rel=1e-5)
    assert tc + dimension == pytest.approx(aggregate, rel=1e-5)
    assert 0.3 < information < math.log(5) and tc > 0.2


@pytest.fixture(scope="module")
def draws():
    """Each part of the whole set, over 3,000 draws of its five z."""
    latents = GaussianLatents(2)
    raw = np.concatenate([MEANS, 2 * np.log(DEVIATIONS)], axis=1)
    raw = tf.constant(raw, tf.float32)

    @tf.function
    def one(seed):
        inference = inference_of(latents, raw, seed=seed, num_examples=5)
        parts = (mutual_information, total_correlation, dimension_kl)
        return [tf.reduce_mean(part(inference)) for part in parts]

    seeds = tfp.random.split_seed(tf.constant([4, 2]), 3000)
    return np.array([one(seed) for seed in seeds])


def test_parts_are_the_quadratures(draws):
    exact = np.array(by_quadrature()[:3])
    error = draws.std(0) / np.sqrt(len(draws))
    assert (abs(draws.mean(0) - exact) < 4.5 * error).all()
    assert (error < 0.02).all()


def test_expected_kl_is_information_plus_kl_of_the_aggregate(draws):
    total = draws.sum(1)
    error = total.std() / np.sqrt(len(total))
    assert abs(total.mean() - closed_kl()) < 4.5 * error


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_full_posteriors_have_their_own_marginals(estimator):
    """Correlated, all alike: TC is that of one normal; weighted adds (L-1) log N."""
    latents = GaussianLatents(2, "full")
    raw = tf.constant(np.tile([0.3, -0.2, 1.0, 0.0, 1.5, 0.5], (8, 1)), tf.float32)
    tril = latents.posterior(raw).distribution.scale.to_dense()[0].numpy()
    covariance = tril @ tril.T
    exact = 0.5 * np.log(np.diag(covariance).prod() / np.linalg.det(covariance))
    assert exact > 0.2

    @tf.function
    def one(seed):
        return total_correlation(inference_of(latents, raw, seed=seed), estimator)

    seeds = tfp.random.split_seed(tf.constant([1, 2]), 100)
    actual = np.concatenate([one(seed) for seed in seeds])
    offset = math.log(40) if estimator == "weighted" else 0.0
    error = actual.std() / np.sqrt(len(actual))
    assert abs(actual.mean() - exact - offset) < 4.5 * error < 0.2


def test_number_of_examples_must_be_known():
    latents = GaussianLatents(2)
    inference = inference_of(latents, encoder_outputs(latents), num_examples=None)
    with pytest.raises(checks.ArgumentError, match=r"num_examples must be known.*set"):
        TotalCorrelation()(inference)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: beta_tcvae(-1.0), "beta must be at least 0.0; received -1.0"),
        (lambda: beta_tcvae(1.0, alpha=-2.0), "alpha must be at least 0.0"),
        (lambda: beta_tcvae(1.0, gamma=float("nan")), "gamma must be finite"),
        (lambda: beta_tcvae(beta="6"), "beta must be int or float"),
        (lambda: beta_tcvae(estimator="mss"), "estimator must be one of 'stratified'"),
        (lambda: TotalCorrelation(-1.0), "weight must be at least 0.0"),
        (lambda: DimensionKL(estimator="wieghted"), "Did you mean weighted"),
        (lambda: MutualInformation(None), "weight must be int or float"),
    ],
)
def test_bad_arguments(make, words):
    with pytest.raises((checks.ArgumentError, checks.ArgumentTypeError), match=words):
        make()
