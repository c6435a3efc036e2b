"""What every prior and latent space must do; one that has no row here fails."""

import json

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import configs
from tf_disentangle.latents import (
    LATENTS,
    CategoricalLatents,
    GaussianLatents,
    JointLatents,
    LocationScaleLatents,
    MeanFieldLatents,
)
from tf_disentangle.priors import (
    PRIORS,
    MeanFieldInverseWishartPrior,
    NormalPrior,
    Prior,
)

SIZE = 3
ROWS = {
    "StandardNormalPrior": [{}],
    "InverseWishartPrior": [
        {"nu": 6.0},
        {"nu": 40.0, "sigma0": [[1.0, 0.4, 0.0], [0.4, 2.0, 0.1], [0.0, 0.1, 0.5]]},
    ],
    "MarginalInverseWishartPrior": [{"nu": 6.0}],
    "MeanFieldInverseWishartPrior": [{"nu": 6.0}],
    "InverseGammaPrior": [
        {"concentration": 2.0},
        {"concentration": 3.0, "scale": [1.0, 2.0, 6.0]},
    ],
    "LaplacePrior": [{"scale": 0.7}],
    "NormalPrior": [
        {},
        {"variance": 1.5, "proportions": [4.0, 2.0, 1.0]},
        {"variance": 1.5, "proportions": [4.0, 2.0, 1.0], "trainable": True},
    ],
    "NormalMixturePrior": [
        {"locs": [[0.0, -1.0, 0.0], [0.0, 1.0, 0.5]], "variances": 0.6},
        {
            "locs": [[0.0, -0.5, 0.0], [0.0, 1.0, 0.5]],
            "variances": [[0.5, 1.0, 2.0], [1.0, 0.4, 0.6]],
            "weights": [0.7, 0.3],
        },
    ],
    "SparsePrior": [{"gamma": 0.5}, {"gamma": 0.0}],
    "StudentTProductPrior": [{"df": 3.0}],
    "UniformPrior": [{"bound": 3.0}],
}
# The latents that a prior asks for, where not the Gaussian ones.
SPACES = {"MeanFieldInverseWishartPrior": MeanFieldLatents}
CASES = [(name, options) for name in ROWS for options in ROWS[name]]
SEED = tf.constant([3, 1])


LATENT_ROWS = (
    GaussianLatents(2, "identity"),
    GaussianLatents(3, "full", NormalPrior(2.0, [3, 2, 1], trainable=True)),
    LocationScaleLatents(3, "student_t", 5.0),
    MeanFieldLatents(2, "diagonal", MeanFieldInverseWishartPrior(6.0)),
    CategoricalLatents([3, 2], 0.5, "relaxed"),
    JointLatents(LocationScaleLatents(2, "logistic"), CategoricalLatents([4])),
)


def test_every_prior_and_latent_space_has_a_row():
    assert set(ROWS) == set(PRIORS)
    assert {type(latents).__name__ for latents in LATENT_ROWS} == set(LATENTS)


#: Priors whose KL is compiled by default, those with Cholesky, gamma and logsumexp.
COMPILED = {"InverseWishartPrior", "StudentTProductPrior", "NormalMixturePrior"}


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{len(case[1])}")
def latents(request):
    name, options = request.param
    space = SPACES.get(name, GaussianLatents)
    return space(SIZE, "full", PRIORS[name](**options))


def require_kl(latents):
    if not latents.kl_names:  # UniformPrior
        posterior = posterior_of(latents)
        with pytest.raises(ValueError, match="prior must have an unbounded density"):
            posterior.kl(posterior.mean(), SEED)
        pytest.skip("no finite KL")


def posterior_of(latents, batch=4):
    rng = np.random.default_rng(1)
    raw = rng.normal(size=(batch, latents.num_parameters)).astype("float32")
    return latents.posterior(raw)


def test_samples_are_seeded_and_follow_the_marginals(latents):
    prior = latents.prior
    assert isinstance(prior, Prior) and prior.label
    z = prior.sample(4000, SEED)
    np.testing.assert_array_equal(z, prior.sample(4000, SEED))
    assert not np.array_equal(z, prior.sample(4000, SEED + 1))
    marginals = prior.marginals()
    assert marginals.batch_shape == [SIZE] and marginals.event_shape == []
    uniform = marginals.cdf(z).numpy()
    for i in range(SIZE):
        assert scipy.stats.kstest(uniform[:, i], "uniform").pvalue > 1e-3


def test_samples_follow_the_joint_density(latents):
    """E_p[g(z) / p(z)] over a known g is 1, with g inside the prior's support."""
    prior = latents.prior
    assert prior.distribution().event_shape == [SIZE]
    z = prior.sample(40_000, SEED)
    g = tfp.distributions.MultivariateNormalDiag(tf.zeros(SIZE), 0.5 * tf.ones(SIZE))
    ratio = tf.exp(g.log_prob(z) - prior.distribution().log_prob(z)).numpy()
    error = ratio.std() / np.sqrt(len(ratio))
    assert abs(ratio.mean() - 1) < 4.5 * error and error < 0.05


def test_kl_parts_bound_the_kl(latents):
    """Their sum is KL(q || p), or more where a bound is what the paper optimises."""
    require_kl(latents)
    posterior = posterior_of(latents)
    sample = posterior.sample(SEED, 6000)
    prior = latents.prior.distribution()
    log_ratio = (posterior.log_prob(sample) - prior.log_prob(sample)).numpy()

    @tf.function(autograph=False)
    def total(seed):
        parts = posterior.kl(posterior.sample(seed=seed), seed)
        assert set(parts) == set(latents.kl_names)
        return tf.add_n(list(parts.values()))

    totals = np.array([total(seed) for seed in tfp.random.split_seed(SEED, 300)])
    assert totals.shape == (300, 4)
    error = np.hypot(
        log_ratio.std(0) / np.sqrt(len(log_ratio)), totals.std(0) / np.sqrt(300)
    )
    assert (totals.mean(0) > log_ratio.mean(0) - 4.5 * error).all()


def total_and_parameters(latents):
    """Returns (parameters -> the KL, summed over its parts; parameters [4, P])."""
    require_kl(latents)

    def total(raw):
        posterior = latents.posterior(raw)
        sample = posterior.sample(seed=SEED)
        return tf.add_n(list(posterior.kl(sample, SEED + 2).values()))

    rng = np.random.default_rng(2)
    raw = rng.normal(size=(4, latents.num_parameters))
    return total, tf.constant(raw, tf.float32)


def test_kl_is_seeded_has_gradients_and_a_graph(latents):
    total, raw = total_and_parameters(latents)
    with tf.GradientTape() as tape:
        tape.watch(raw)
        value = total(raw)
    gradient = tape.gradient(value, raw).numpy()
    assert np.isfinite(gradient).all() and (gradient[:, : 2 * SIZE] != 0).any()
    graph = tf.function(total, autograph=False)
    np.testing.assert_allclose(graph(raw), value, rtol=1e-5)


@pytest.mark.parametrize(
    "latents",
    [
        pytest.param(case, marks=() if case[0] in COMPILED else pytest.mark.slow)
        for case in CASES
    ],
    ids=lambda case: f"{case[0]}-{len(case[1])}",
    indirect=True,
)
def test_kl_has_a_compiled_graph(latents):
    total, raw = total_and_parameters(latents)
    compiled = tf.function(total, autograph=False, jit_compile=True)(raw)
    # Other draws, still finite.
    assert np.isfinite(compiled).all()


def test_covariances_can_be_pictured(latents):
    for label, matrix in latents.prior.covariances(SEED).items():
        assert isinstance(label, str)
        assert np.allclose(matrix, np.transpose(matrix), rtol=1e-3)
        assert np.linalg.eigvalsh(matrix).min() > -1e-3 * np.abs(matrix).max()


def assert_made_again(latents):
    """Another object of the same settings, by JSON alone, with the same KL."""
    for text in (configs.serialize(latents), configs.serialize(latents.prior)):
        again = configs.deserialize(json.loads(json.dumps(text)))
        assert configs.serialize(again) == text
    config = json.loads(json.dumps(latents.get_config()))
    again = type(latents).from_config(config)
    assert again is not latents and type(again.prior) is type(latents.prior)
    assert again.columns == latents.columns and again.kl_names == latents.kl_names
    assert again.num_parameters == latents.num_parameters
    if not latents.kl_names:
        return
    posteriors = [posterior_of(space) for space in (latents, again)]
    kl = [posterior.kl(posterior.sample(SEED), SEED) for posterior in posteriors]
    for name, part in kl[0].items():
        np.testing.assert_array_equal(part, kl[1][name])


def test_a_prior_is_made_again_from_its_config(latents):
    assert_made_again(latents)


@pytest.mark.parametrize("latents", LATENT_ROWS, ids=lambda x: type(x).__name__)
def test_a_latent_space_is_made_again_from_its_config(latents):
    assert_made_again(latents)
