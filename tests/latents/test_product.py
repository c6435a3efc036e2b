"""Categorical latents, alone and beside continuous ones: codes, samples, KL."""

import math

import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.latents import CategoricalLatents, GaussianLatents, JointLatents
from tf_disentangle.priors import InverseWishartPrior, NormalPrior, StandardNormalPrior

SEED = tf.constant([3, 1])


def joint(prior=None, covariance="diagonal", **options):
    continuous = GaussianLatents(3, covariance, prior)
    return JointLatents(continuous, CategoricalLatents([4, 2], **options))


def raw(latents, batch=5, seed=0):
    rng = np.random.default_rng(seed)
    return tf.constant(rng.normal(size=(batch, latents.num_parameters)), tf.float32)


def logits_of(values):
    """The last six parameters: of four and of two values."""
    return values.numpy()[:, -6:-2], values.numpy()[:, -2:]


def test_columns_groups_and_sizes():
    latents = joint()
    assert latents.num_parameters == 6 + 6
    assert latents.num_latents == 5 and latents.num_decoded == 9
    names = [(c.name, c.kind, c.group, c.num_values) for c in latents.columns]
    continuous = [(f"z{i}", "continuous", "z", None) for i in range(3)]
    categories = [("c0", "categorical", "c", 4), ("c1", "categorical", "c", 2)]
    assert names == continuous + categories
    assert latents.groups == (
        *(slice(i, i + 1) for i in range(3)),
        slice(3, 7),
        slice(7, 9),
    )
    plain = GaussianLatents(3)
    assert plain.num_decoded == 3 and plain.groups == latents.groups[:3]


def test_code_is_means_and_most_probable_values():
    latents = joint()
    values = raw(latents)
    posterior = latents.posterior(values)
    first, second = logits_of(values)
    expected = np.column_stack(
        [values.numpy()[:, :3], first.argmax(axis=1), second.argmax(axis=1)]
    )
    np.testing.assert_allclose(posterior.code(), expected, rtol=1e-6)
    p = [scipy.special.softmax(a, axis=1) for a in (first, second)]
    actual = posterior.probabilities()
    assert list(actual) == ["c0", "c1"]
    for a, b in zip(actual.values(), p, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    deviations = np.sqrt([1 - (q**2).sum(axis=1) for q in p]).T
    spread = posterior.stddev().numpy()
    np.testing.assert_allclose(spread[:, 3:], deviations, rtol=1e-4)
    np.testing.assert_allclose(spread[:, :3], np.exp(values[:, 3:6] / 2), rtol=1e-5)


def test_codes_to_decoder_inputs_and_back():
    latents = joint()
    codes = np.array([[0.5, -1.0, 2.0, 3.0, 0.0], [0.0, 0.0, 0.0, 1.0, 1.0]], "float32")
    z = latents.to_decoder_input(codes).numpy()
    one_hot = [[0, 0, 0, 1, 1, 0], [0, 1, 0, 0, 0, 1]]
    np.testing.assert_array_equal(z, np.column_stack([codes[:, :3], one_hot]))
    np.testing.assert_array_equal(latents.to_codes(z), codes)
    # A relaxed sample goes to the nearest corner.
    sample = latents.posterior(raw(latents)).sample(seed=SEED)
    assert sample.shape == [5, 9]
    actual = latents.to_codes(sample).numpy()
    np.testing.assert_array_equal(actual[:, :3], sample[:, :3])
    np.testing.assert_array_equal(actual[:, 3], sample.numpy()[:, 3:7].argmax(axis=1))
    latents.validate_codes(actual)


@pytest.mark.parametrize("value", [0.5, 4.0, -1.0, np.nan])
def test_a_value_between_or_beyond_the_categories_is_refused(value):
    codes = np.zeros((2, 5), np.float32)
    codes[1, 3] = value
    with pytest.raises(checks.ArgumentError, match=r"codes\[:, 3\].*0 to 3.*no order"):
        joint().validate_codes(codes)


def test_kl_is_the_sum_of_both_and_the_discrete_one_exact():
    latents = joint()
    values = raw(latents)
    posterior = latents.posterior(values)
    sample = posterior.sample(seed=SEED)
    kl = posterior.kl(sample, SEED)
    assert tuple(kl) == latents.kl_names == ("kl_continuous", "kl_discrete")
    mu, log_variance = values.numpy()[:, :3], values.numpy()[:, 3:6]
    gaussian = 0.5 * (mu**2 + np.exp(log_variance) - 1 - log_variance)
    p = [scipy.special.softmax(a, axis=1) for a in logits_of(values)]
    discrete = np.stack([(q * np.log(q * q.shape[1])).sum(axis=1) for q in p], axis=1)
    np.testing.assert_allclose(kl["kl_continuous"], gaussian.sum(axis=1), rtol=1e-5)
    np.testing.assert_allclose(kl["kl_discrete"], discrete.sum(axis=1), rtol=1e-4)
    per_latent = posterior.marginal_kl(sample)
    np.testing.assert_allclose(
        per_latent, np.hstack([gaussian, discrete]), rtol=1e-4, atol=1e-6
    )
    assert latents.kl_bounds == {"kl_discrete": pytest.approx(math.log(4 * 2))}


def test_the_relaxed_kl_is_the_ratio_of_densities_at_the_sample():
    latents = joint(kl="relaxed")
    assert latents.kl_bounds == {}
    posterior = latents.posterior(raw(latents))
    draws = posterior.sample(SEED, 4_000)
    q, c = posterior.parts[1], draws[..., 3:]
    actual = q.kl(c, SEED)["kl_discrete"].numpy()
    ratio = q.log_prob(c) - latents.prior.parts[1].distribution().log_prob(c)
    np.testing.assert_allclose(actual, ratio, rtol=1e-5, atol=1e-4)
    # At least the categoricals' on average (data processing: the argmax of a sample
    # is a sample of the categorical).
    exact = posterior.marginal_kl(draws[0]).numpy()[:, 3:].sum(axis=1)
    error = actual.std(axis=0) / math.sqrt(len(actual))
    assert (actual.mean(axis=0) > exact - 4 * error).all()


def test_densities_are_products_and_marginals_have_one_column_per_latent():
    latents = joint()
    posterior = latents.posterior(raw(latents))
    z = posterior.sample(seed=SEED)[:, tf.newaxis]
    logs = posterior.marginal_log_prob(z)
    assert logs.shape == [5, 5, 5]  # z_i under x_j, of each latent
    np.testing.assert_allclose(
        tf.reduce_sum(logs, axis=-1), posterior.log_prob(z), rtol=1e-4, atol=1e-4
    )
    prior = latents.prior
    drawn = prior.sample(6, SEED)
    total = tf.reduce_sum(prior.marginal_log_prob(drawn), axis=-1)
    np.testing.assert_allclose(total, prior.distribution().log_prob(drawn), rtol=1e-4)


def test_samples_of_the_prior_are_normal_and_uniform():
    latents = joint()
    z = latents.prior.sample(6_000, SEED)
    codes = latents.to_codes(z).numpy()
    assert abs(codes[:, :3].mean(axis=0)).max() < 4.5 / math.sqrt(6_000)
    for d, n in ((3, 4), (4, 2)):
        shares = np.bincount(codes[:, d].astype(int), minlength=n) / len(codes)
        error = math.sqrt((1 / n) * (1 - 1 / n) / len(codes))
        assert abs(shares - 1 / n).max() < 4.5 * error


def test_chyvae_with_categories_has_the_parts_of_both():
    """The continuous part's KL is what it is alone, for the same draws."""
    latents = joint(InverseWishartPrior(9.0), "full")
    assert latents.kl_names == ("kl_gaussian", "kl_covariance", "kl_discrete")
    values = raw(latents)
    posterior = latents.posterior(values)
    actual = posterior.kl(posterior.sample(seed=SEED), SEED)
    alone = latents.parts[0]
    q = alone.posterior(values[:, : alone.num_parameters])
    expected = q.kl(q.sample(seed=SEED), SEED)
    for name in ("kl_gaussian", "kl_covariance"):
        np.testing.assert_allclose(actual[name], expected[name], rtol=1e-6)
    assert (
        latents.prior.covariances(SEED).keys() == alone.prior.covariances(SEED).keys()
    )


def test_moments_are_those_of_the_continuous_latents():
    latents = joint(covariance="full")
    posterior = latents.posterior(raw(latents))
    q = posterior.parts[0]
    np.testing.assert_array_equal(posterior.mean(), q.mean())
    np.testing.assert_array_equal(posterior.covariance(), q.covariance())
    sample = posterior.sample(seed=SEED)
    np.testing.assert_array_equal(latents.continuous(sample), sample[:, :3])
    alone = CategoricalLatents([4, 2])
    q = alone.posterior(raw(alone))
    assert q.mean().shape == [5, 0]
    assert q.covariance().shape == [5, 0, 0]
    assert alone.continuous(q.sample(seed=SEED)).shape == [5, 0]


def test_a_trainable_prior_is_one_variable():
    latents = joint(NormalPrior(trainable=True))
    assert len(latents.trainable_variables) == 1


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: CategoricalLatents([1]), "sizes must be at least 2"),
        (lambda: CategoricalLatents([]), "sizes must name at least one"),
        (lambda: CategoricalLatents(10), "sizes must be list or tuple.*in a list"),
        (lambda: CategoricalLatents([3], 0.0), "temperature must be greater than 0"),
        (lambda: CategoricalLatents([3], kl="exact"), "kl must be one of"),
        (lambda: JointLatents(StandardNormalPrior()), "continuous must be Latents"),
        (lambda: JointLatents(None, GaussianLatents()), "discrete must be Categor"),
        (lambda: JointLatents(CategoricalLatents()), "continuous must have no categ"),
    ],
)
def test_errors(make, match):
    with pytest.raises((checks.ArgumentError, checks.ArgumentTypeError), match=match):
        make()
