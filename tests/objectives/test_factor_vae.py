"""FactorVAE and CFactorVAE: limits, what the critic learns, what a permutation is."""

import itertools

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tests.objectives.one_batch import (
    assert_same,
    encoder_outputs,
    inference_of,
    terms_and_gradient,
)
from tf_disentangle import checks
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.objectives import (
    ConstantSchedule,
    CriticPenalty,
    CriticTotalCorrelation,
    Inference,
    annealed_vae,
    cfactor_vae,
    critic_total_correlation,
    elbo,
    factor_vae,
)
from tf_disentangle.objectives.factor_vae import permute_latents
from tf_disentangle.priors import InverseWishartPrior

HIERARCHICAL = GaussianLatents(2, "full", InverseWishartPrior(9.0))


@pytest.mark.parametrize("latents", [None, HIERARCHICAL], ids=["plain", "hierarchical"])
def test_gamma_zero_is_the_elbo(latents):
    assert_same(factor_vae(0.0), elbo(), latents)
    assert_same(cfactor_vae(0.0, ConstantSchedule(0.0)), elbo(), latents)


@pytest.mark.parametrize("capacity", [0.3, 100.0])
def test_cfactor_vae_with_gamma_zero_is_annealed_vae_at_a_nat_per_nat(capacity):
    capacity = ConstantSchedule(capacity)
    assert_same(cfactor_vae(0.0, capacity), annealed_vae(1.0, capacity))


def test_gamma_weighs_the_mean_logit_in_value_and_gradient():
    _, loss, gradient = terms_and_gradient(factor_vae(0.0))
    _, two, twice = terms_and_gradient(factor_vae(2.0))
    _, five, five_times = terms_and_gradient(factor_vae(5.0))
    latents = GaussianLatents(2)
    sample = inference_of(latents, encoder_outputs(latents)).sample.numpy()
    logits = np.sin(sample).sum(axis=1)  # the critic of one_batch
    np.testing.assert_allclose(two - loss, 2 * logits.mean(), rtol=1e-4)
    np.testing.assert_allclose(five - loss, 5 * logits.mean(), rtol=1e-4)
    np.testing.assert_allclose(
        (five_times - gradient) / 5, (twice - gradient) / 2, rtol=1e-3, atol=1e-6
    )
    # d logit / d z = cos z, and z = mu + sigma eps.
    expected = 2 * np.cos(sample) / len(sample)
    np.testing.assert_allclose((twice - gradient)[:, :2], expected, atol=1e-5)


def correlated(rho, count=40_000):
    """Normal codes of correlation rho, and the log ratio of their densities."""
    rng = np.random.default_rng(0)
    codes = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], count)

    def log_ratio(z):
        x, y = z[:, :1], z[:, 1:]
        quadratic = (rho**2 * (x**2 + y**2) - 2 * rho * x * y) / (1 - rho**2)
        return -0.5 * np.log(1 - rho**2) - 0.5 * quadratic

    latents, count = GaussianLatents(2), tf.constant(0, tf.int64)
    codes = tf.constant(codes, tf.float32)
    inference = Inference(latents, None, codes, count, tf.constant([0, 0]))
    return inference, log_ratio


@pytest.mark.parametrize("rho", [0.0, 0.5, -0.9])
def test_the_exact_ratio_gives_the_total_correlation_of_normals(rho):
    inference, log_ratio = correlated(rho)
    actual = critic_total_correlation(inference._replace(critic=log_ratio)).numpy()
    exact = -0.5 * np.log(1 - rho**2)
    assert abs(actual.mean() - exact) <= 4.5 * actual.std() / np.sqrt(len(actual))


def test_the_exact_ratio_is_where_the_critics_loss_is_least():
    """Its derivative along other functions vanishes, up to sampling noise."""
    inference, log_ratio = correlated(0.7)
    penalty = CriticTotalCorrelation()
    directions = [tf.ones_like, lambda z: z**2, tf.sin, tf.identity]
    directions = [lambda z, f=f: f(z[:, :1] * z[:, 1:]) for f in directions]
    for direction in [*directions, log_ratio]:
        slope = tf.Variable(0.0)
        with tf.GradientTape() as tape:

            def critic(z, slope=slope, direction=direction):
                return log_ratio(z) + slope * direction(z)

            loss = penalty.critic_loss(
                inference._replace(critic=critic), inference.sample, [1, 2]
            )
        # The per-sample derivatives have a deviation of order 1, at most 3.
        assert abs(float(tape.gradient(loss, slope))) < 4.5 * 3 / np.sqrt(40_000)


def test_a_critic_that_knows_nothing_pays_log_two():
    inference, _ = correlated(0.7, 50)
    inference = inference._replace(critic=lambda z: 0 * z[:, :1])
    loss = CriticTotalCorrelation().critic_loss(inference, inference.sample, [1, 2])
    np.testing.assert_allclose(loss, np.log(2), rtol=1e-6)


def test_the_critics_loss_leaves_the_codes_alone():
    inference, log_ratio = correlated(0.7, 50)
    with tf.GradientTape() as tape:
        tape.watch(inference.sample)
        loss = CriticTotalCorrelation().critic_loss(
            inference._replace(critic=log_ratio), inference.sample, [1, 2]
        )
    assert tape.gradient(loss, inference.sample) is None


def test_others_are_permuted_and_codes_are_not():
    inference, _ = correlated(0.99, 2000)
    seen = []

    def critic(z):
        seen.append(z.numpy())
        return 0 * z[:, :1]

    others = tf.constant(np.arange(4000).reshape(2000, 2), tf.float32)
    inference = inference._replace(critic=critic)
    CriticTotalCorrelation().critic_loss(inference, others, [1, 2])
    (judged,) = seen
    codes, shuffled = np.split(judged, 2)
    np.testing.assert_array_equal(codes, inference.sample)
    np.testing.assert_array_equal(np.sort(shuffled, axis=0), others)
    assert abs(scipy.stats.pearsonr(*shuffled.T)[0]) < 4.5 / np.sqrt(2000)


def slices(*sizes):
    ends = np.cumsum([0, *sizes])
    return [slice(*pair) for pair in itertools.pairwise(ends)]


def test_permuted_codes_have_each_columns_values_exactly():
    codes = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    actual = permute_latents(tf.constant(codes), slices(1, 1, 1, 1, 1), [3, 4]).numpy()
    np.testing.assert_array_equal(np.sort(actual, axis=0), np.sort(codes, axis=0))
    assert (actual != codes).mean() > 0.9
    again = permute_latents(tf.constant(codes), slices(1, 1, 1, 1, 1), [3, 4])
    np.testing.assert_array_equal(actual, again)
    assert np.any(
        actual != permute_latents(tf.constant(codes), slices(1, 1, 1, 1, 1), [3, 5])
    )


def test_permutations_are_uniform_and_independent_of_each_other():
    """Where row 0 lands, in two columns, over many seeds: a chi-square of 4 x 4."""
    codes = tf.constant(np.arange(8).reshape(4, 2), tf.float32)  # column 0: 0 2 4 6
    draw = tf.function(
        lambda seeds: tf.map_fn(
            lambda s: permute_latents(codes, slices(1, 1), s), seeds, tf.float32
        )
    )
    seeds = tf.stack([tf.range(4000), tf.zeros(4000, tf.int32)], axis=1)
    landed = np.argmin(draw(seeds), axis=1)  # the row that holds the column's first
    counts = np.zeros((4, 4))
    np.add.at(counts, (landed[:, 0], landed[:, 1]), 1)
    assert scipy.stats.chisquare(counts.ravel()).pvalue > 1e-4
    assert scipy.stats.chi2_contingency(counts).pvalue > 1e-4


def test_dependence_goes_also_where_there_is_no_correlation():
    x = np.random.default_rng(0).normal(size=4000)
    codes = tf.constant(np.stack([x, x**2], axis=1), tf.float32)

    def independence(codes):
        """Of being far from 0 and having a large square."""
        far, large = np.abs(codes[:, 0]) > 0.5, codes[:, 1] > 0.5
        table = scipy.stats.contingency.crosstab(far, large)[1]
        return scipy.stats.chi2_contingency(table).pvalue

    assert independence(codes.numpy()) < 1e-100
    assert independence(permute_latents(codes, slices(1, 1), [1, 2]).numpy()) > 1e-4


def test_the_numbers_of_one_latent_stay_together():
    """A one-hot latent between two numbers."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, 500)
    codes = np.column_stack([kind, np.eye(3)[kind], kind]).astype("float32")
    actual = permute_latents(tf.constant(codes), slices(1, 3, 1), [3, 4]).numpy()
    np.testing.assert_array_equal(actual[:, 1:4].sum(axis=1), 1)
    np.testing.assert_array_equal(np.sort(actual, axis=0), np.sort(codes, axis=0))
    moved = actual[:, 1:4].argmax(axis=1)
    for column in (0, 4):
        table = scipy.stats.contingency.crosstab(moved, actual[:, column])[1]
        assert scipy.stats.chi2_contingency(table).pvalue > 1e-4


def test_permuting_is_the_same_in_a_graph_and_compiles():
    codes = tf.constant(np.random.default_rng(0).normal(size=(9, 3)), tf.float32)

    def function(codes, seed):
        return permute_latents(codes, slices(1, 2), seed)

    seed = tf.constant([3, 4])
    expected = function(codes, seed)
    np.testing.assert_array_equal(tf.function(function)(codes, seed), expected)
    compiled = tf.function(function, jit_compile=True)(codes, seed)  # other draws
    np.testing.assert_array_equal(np.sort(compiled, axis=0), np.sort(codes, axis=0))


def test_says_by_its_type_that_it_needs_a_critic():
    assert [type(p) for p in factor_vae().critic_penalties] == [CriticTotalCorrelation]
    assert isinstance(CriticTotalCorrelation(), CriticPenalty)
    assert elbo().critic_penalties == ()
    with pytest.raises(
        checks.ArgumentError, match=r"critic must be there.*models\.build_vae"
    ):
        factor_vae().check(GaussianLatents(2))


def test_values_out_of_range():
    for make in (factor_vae, cfactor_vae, CriticTotalCorrelation):
        with pytest.raises(checks.ArgumentError, match="gamma must be at least 0"):
            make(gamma=-1.0)
    with pytest.raises(checks.ArgumentTypeError, match="capacity must be Schedule"):
        cfactor_vae(capacity=25.0)
