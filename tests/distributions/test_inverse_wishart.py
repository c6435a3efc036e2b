"""InverseWishart: density, moments, samples and KL against independent oracles."""

import importlib

import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle.checks import ArgumentError, ArgumentTypeError
from tf_disentangle.distributions import InverseWishart, inverse_wishart

tfd = tfp.distributions
SEED = tf.constant([3, 5], tf.int32)


def spd(p, *batch, seed=0):
    """Symmetric positive definite float64 matrices [*batch, p, p]."""
    a = np.random.default_rng(seed).normal(size=(*batch, p, p + 2))
    return a @ np.swapaxes(a, -1, -2) / p


def operator(matrix):
    return tf.linalg.LinearOperatorFullMatrix(
        matrix, is_self_adjoint=True, is_positive_definite=True
    )


def rank_one_operator(matrix, u):
    base = operator(matrix - u[..., :, None] * u[..., None, :])
    return tf.linalg.LinearOperatorLowRankUpdate(base, u[..., None])


@pytest.mark.parametrize("p, df", [(1, 0.5), (3, 2.3), (3, 50.0), (10, 12.0)])
@pytest.mark.parametrize("form", ["scale", "scale_tril", "operator", "rank one"])
def test_log_prob_and_moments_are_those_of_scipy(p, df, form):
    scale, x = spd(p), spd(p, 4, seed=1)
    forms = {
        "scale": {"scale": scale},
        "scale_tril": {"scale_tril": np.linalg.cholesky(scale)},
        "operator": {"scale_operator": operator(scale)},
        "rank one": {
            "scale_operator": rank_one_operator(
                scale, 0.5 * np.linalg.cholesky(scale)[:, 0]
            )
        },
    }
    iw = InverseWishart(df=df, **forms[form])
    oracle = scipy.stats.invwishart(df, scale)
    expected = np.reshape(oracle.logpdf(np.moveaxis(x, 0, -1)), [4])
    np.testing.assert_allclose(iw.log_prob(x), expected, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(iw.mode(), np.reshape(oracle.mode(), [p, p]), 1e-12)
    if df > p + 1:
        np.testing.assert_allclose(iw.mean(), np.reshape(oracle.mean(), [p, p]), 1e-12)


def test_mean_does_not_exist_up_to_df_of_p_plus_1():
    scale = spd(3)
    mean = InverseWishart(df=[4.0, 4.5], scale=scale).mean().numpy()
    assert np.isnan(mean[0]).all()
    np.testing.assert_allclose(mean[1], scale / 0.5)
    strict = InverseWishart(df=4.0, scale=scale, allow_nan_stats=False)
    with pytest.raises(tf.errors.InvalidArgumentError, match="mean exists only for"):
        strict.mean()


@pytest.mark.parametrize("df, jit", [(2.4, False), (7.5, False), (7.5, True)])
def test_samples_follow_the_distribution(df, jit):
    p, n, scale = 3, 20_000, spd(3)
    iw = InverseWishart(df=df, scale=scale)
    draw = tf.function(lambda: iw.sample(n, seed=SEED), jit_compile=jit)
    x = draw().numpy()
    np.testing.assert_array_equal(x, np.swapaxes(x, -1, -2))
    # Sigma_ii ~ InverseGamma((nu - p + 1)/2, Psi_ii/2), whatever the other entries.
    for i in range(p):
        oracle = scipy.stats.invgamma((df - p + 1) / 2, scale=scale[i, i] / 2)
        assert scipy.stats.kstest(x[:, i, i], oracle.cdf).pvalue > 1e-3
    if df < p:  # Some of the matrices are singular to rounding.
        return
    # Sigma^-1 ~ Wishart(Psi^-1, nu).
    precision = np.linalg.inv(x)
    error = precision.mean(0) - df * np.linalg.inv(scale)
    assert (np.abs(error) < 5 * precision.std(0) / np.sqrt(n)).all()
    log_det = np.linalg.slogdet(x)[1]
    multidigamma = scipy.special.digamma(df / 2 - np.arange(p) / 2).sum()
    expected = np.linalg.slogdet(scale)[1] - p * np.log(2) - multidigamma
    assert abs(log_det.mean() - expected) < 5 * log_det.std() / np.sqrt(n)
    error = x.mean(0) - iw.mean().numpy()
    assert (np.abs(error) < 5 * x.std(0) / np.sqrt(n)).all()


def test_samples_of_an_ill_conditioned_posterior_in_float32_are_finite():
    prior = InverseWishart(df=11.5, scale_tril=np.eye(10, dtype=np.float32))
    posterior = prior.conditioned_on(np.full([10], 300.0, np.float32))
    x = posterior.sample(500, seed=SEED).numpy()
    assert np.isfinite(x).all()
    # The posterior of the observed direction: z^T Phi^-1 z is nearly 1.
    u = np.full([10], 10**-0.5)
    oracle = scipy.stats.invgamma((12.5 - 9) / 2, scale=(1 + 300**2 * 10) / 2)
    assert scipy.stats.kstest(x @ u @ u, oracle.cdf).pvalue > 1e-3


@pytest.mark.parametrize("jit", [False, True])
def test_equal_seeds_give_equal_samples(jit):
    iw = InverseWishart(df=5.0, scale=spd(3))

    @tf.function(jit_compile=jit)
    def draw(seed):
        return iw.sample([2, 4], seed=seed)

    first = draw(SEED).numpy()
    np.testing.assert_array_equal(first, draw(SEED))
    assert (first != draw(SEED + 1).numpy()).all()
    assert len(np.unique(first[..., 0, 0])) == 8


def test_samples_are_differentiable_in_scale_and_df():
    df, c = tf.constant(8.0, tf.float64), tf.constant(2.0, tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([df, c])
        scale_tril = tf.sqrt(c) * tf.eye(3, dtype=tf.float64)
        x = InverseWishart(df, scale_tril=scale_tril).sample(20_000, seed=SEED)
        total = tf.reduce_sum(x)
        precision = tf.reduce_mean(tf.linalg.trace(tf.linalg.inv(x)))
    # Sigma is proportional to c; E tr(Sigma^-1) = nu tr(Psi^-1) = 1.5 nu.
    np.testing.assert_allclose(tape.gradient(total, c), total / c, rtol=1e-10)
    np.testing.assert_allclose(tape.gradient(precision, df), 1.5, rtol=0.03)


def test_batches_broadcast_and_equal_their_members():
    df, scale = np.array([[4.0], [9.0]]), spd(3, 5)
    iw = InverseWishart(df=df, scale=scale)
    assert iw.batch_shape == [2, 5]
    assert iw.event_shape == [3, 3]
    assert iw.sample(7, seed=SEED).shape == [7, 2, 5, 3, 3]
    x = spd(3, 6, 1, 1, seed=2)
    log_prob = iw.log_prob(x).numpy()
    assert log_prob.shape == (6, 2, 5)
    posterior = iw.conditioned_on(np.ones([2, 5, 3]))
    kl, mode = tfd.kl_divergence(posterior, iw), iw.mode()
    for i in range(2):
        for j in range(5):
            one = InverseWishart(df=df[i, 0], scale=scale[j])
            np.testing.assert_allclose(log_prob[:, i, j], one.log_prob(x[:, 0, 0]))
            np.testing.assert_allclose(mode[i, j], one.mode())
            one_kl = tfd.kl_divergence(one.conditioned_on(np.ones(3)), one)
            np.testing.assert_allclose(kl[i, j], one_kl)
    # Slices, of posteriors too.
    np.testing.assert_allclose(iw[1, 2:].log_prob(x[0, 0, 0]), log_prob[0, 1, 2:])
    np.testing.assert_allclose(tfd.kl_divergence(posterior[1], iw[1]), kl[1])


def test_conditioning_adds_the_outer_product_and_one_degree():
    scale, z = spd(4), np.random.default_rng(1).normal(size=(6, 4))
    prior = InverseWishart(df=5.0, scale=scale)
    posterior = prior.conditioned_on(z)
    assert isinstance(posterior.scale_operator, tf.linalg.LinearOperatorLowRankUpdate)
    assert posterior.scale_operator.base_operator is prior.scale_operator
    assert posterior.df == 6.0
    dense = scale + z[:, :, None] * z[:, None, :]
    np.testing.assert_allclose(posterior.scale_operator.to_dense(), dense)
    # Bayes' rule: the posterior density over prior times likelihood is constant.
    x = spd(4, 9, 1, seed=3)
    likelihood = tfd.MultivariateNormalTriL(scale_tril=tf.linalg.cholesky(x))
    ratio = posterior.log_prob(x) - prior.log_prob(x) - likelihood.log_prob(z)
    np.testing.assert_allclose(ratio - ratio[:1], np.zeros([9, 6]), atol=1e-10)


@pytest.mark.parametrize("df", [3.5, 40.0])
def test_kl_is_the_mean_log_ratio_of_its_own_samples(df):
    n, prior = 20_000, InverseWishart(df=df, scale=spd(3))
    other = InverseWishart(df=df + 2.5, scale=spd(3, seed=4))
    z = tf.constant([0.3, -1.0, 2.0], tf.float64)
    for a, b in [(prior.conditioned_on(z), prior), (other, prior), (prior, other)]:
        x = a.sample(n, seed=SEED)
        ratio = (a.log_prob(x) - b.log_prob(x)).numpy()
        kl = tfd.kl_divergence(a, b).numpy()
        assert kl > 0
        assert abs(ratio.mean() - kl) < 5 * ratio.std() / np.sqrt(n)


def test_kl_of_equals_is_zero_and_differentiable_in_df():
    iw = InverseWishart(df=6.0, scale=spd(4))
    np.testing.assert_allclose(tfd.kl_divergence(iw, iw), 0.0, atol=1e-12)
    df = tf.constant(6.5, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(df)
        kl = tfd.kl_divergence(InverseWishart(df=df, scale=spd(4)), iw)
    step = 1e-4
    up, down = (
        tfd.kl_divergence(InverseWishart(df=6.5 + d, scale=spd(4)), iw)
        for d in (step, -step)
    )
    slope = (up - down) / (2 * step)
    np.testing.assert_allclose(tape.gradient(kl, df), slope, rtol=1e-6)


def test_two_observations_in_turn_are_two_updates():
    prior = InverseWishart(df=7.0, scale=spd(3))
    first = prior.conditioned_on(np.array([1.0, 2.0, 3.0]))
    second = first.conditioned_on(np.array([-2.0, 0.5, 1.0]))
    dense = InverseWishart(df=9.0, scale=second.scale_operator.to_dense())
    x = spd(3, 4)
    np.testing.assert_allclose(second.log_prob(x), dense.log_prob(x))
    for other in (first, prior):
        np.testing.assert_allclose(
            tfd.kl_divergence(second, other), tfd.kl_divergence(dense, other)
        )


def test_kl_is_registered_after_reloads():
    scale, z, old = spd(3), np.ones(3), InverseWishart(df=5.0, scale=spd(3))
    expected = tfd.kl_divergence(old.conditioned_on(z), old)
    for _ in range(2):
        module = importlib.reload(inverse_wishart)
        new = module.InverseWishart(df=5.0, scale=scale)
        for prior in (old, new):
            kl = tfd.kl_divergence(prior.conditioned_on(z), prior)
            np.testing.assert_allclose(kl, expected)


def test_event_space_bijector_reaches_positive_definite_matrices():
    iw = InverseWishart(df=5.0, scale=spd(3))
    x = iw.experimental_default_event_space_bijector()(tf.zeros([6], tf.float64))
    assert np.linalg.eigvalsh(x).min() > 0


@pytest.mark.parametrize(
    "scale, df, dtype",
    [
        ([[1.0]], 2, tf.float32),
        ([[1]], 2, tf.float32),
        ([[1.0]], np.float64(2), tf.float64),
        (np.eye(2), 3, tf.float64),
        (np.eye(2, dtype=np.float32), 3, tf.float32),
    ],
)
def test_dtype_comes_from_the_parameters(scale, df, dtype):
    iw = InverseWishart(df=df, scale=scale)
    assert iw.dtype == dtype
    assert iw.df.dtype == dtype
    assert iw.sample(seed=SEED).dtype == dtype


@pytest.mark.parametrize(
    "arguments, text",
    [
        (
            {"df": 5.0, "scale": np.eye(10)},
            "df must be greater than p - 1 = 9; received 5.0. Raise df or lower the "
            "dimension p of the scale.",
        ),
        (
            {"df": [3.0, 1.0], "scale": np.eye(2)},
            "df must be greater than p - 1 = 1; received [3.0, 1.0].",
        ),
        (
            {"df": 5.0},
            "exactly one of scale, scale_tril and scale_operator must be given; "
            "received [].",
        ),
        (
            {"df": 5.0, "scale": np.eye(2), "scale_tril": np.eye(2)},
            "received ['scale', 'scale_tril'].",
        ),
        ({"df": 5.0, "scale_tril": np.ones(2)}, "scale_tril must have a known shape"),
        ({"df": 5.0, "scale": np.ones([2, 3])}, "received (2, 3)."),
        (
            {"df": 5.0, "scale_operator": tf.linalg.LinearOperatorDiag([1.0, 2.0])},
            "scale_operator must be self-adjoint and positive definite by its hints; "
            "received (True, None). Pass is_self_adjoint=True and "
            "is_positive_definite=True to the operator.",
        ),
    ],
)
def test_wrong_parameters_are_named(arguments, text):
    with pytest.raises(ArgumentError) as error:
        InverseWishart(**arguments)
    assert text in str(error.value)


def test_other_errors():
    with pytest.raises(ArgumentTypeError, match="scale_operator must be"):
        InverseWishart(df=5.0, scale_operator=np.eye(2))
    prior = InverseWishart(df=5.0, scale=np.eye(3))
    with pytest.raises(ArgumentError, match=r"z must have shape \[\.\.\., 3\]"):
        prior.conditioned_on(np.ones([4, 2]))
    with pytest.raises(ArgumentError, match=r"received \(\)"):
        prior.conditioned_on(1.0)
    with pytest.raises(ArgumentError, match="b must have dimension p = 3; received 2"):
        tfd.kl_divergence(prior, InverseWishart(df=5.0, scale=np.eye(2)))


def test_df_known_only_in_the_graph_is_checked_with_validate_args():
    @tf.function
    def draw(df, validate_args):
        scale = tf.eye(3)
        iw = InverseWishart(df, scale=scale, validate_args=validate_args)
        return iw.sample(seed=SEED)

    assert draw(tf.constant(2.5), True).shape == [3, 3]
    with pytest.raises(tf.errors.InvalidArgumentError, match="df must be greater"):
        draw(tf.constant(2.0), True)
    variable = tf.Variable(5.0)
    iw = InverseWishart(variable, scale=tf.eye(3), validate_args=True)
    variable.assign(1.0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="df must be greater"):
        iw.log_prob(tf.eye(3))
