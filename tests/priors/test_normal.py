"""The normal prior's variances, fixed and learned."""

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import tensorflow as tf

from tf_disentangle.checks import ArgumentError, ArgumentTypeError
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.priors import NormalPrior, StandardNormalPrior


def posterior_of(latents, scale=1.0):
    rng = np.random.default_rng(0)
    raw = scale * rng.normal(size=(4, latents.num_parameters)).astype("float32")
    return raw, latents.posterior(raw)


def test_the_mean_of_the_variances_is_the_scale():
    latents = GaussianLatents(3, prior=NormalPrior(2.0, [6.0, 2.0, 1.0]))
    variances = latents.prior.variances().numpy()
    np.testing.assert_allclose(variances, [4.0, 4 / 3, 2 / 3], rtol=1e-6)
    assert variances.mean() == pytest.approx(2.0)
    # Proportions count only as such.
    other = GaussianLatents(3, prior=NormalPrior(2.0, [0.6, 0.2, 0.1]))
    np.testing.assert_allclose(other.prior.variances(), variances, rtol=1e-6)


def test_kl_is_the_sum_of_quadratures():
    latents = GaussianLatents(3, prior=NormalPrior(2.0, [6.0, 2.0, 1.0]))
    raw, posterior = posterior_of(latents)
    kl = posterior.kl(tf.fill([4, 3], np.nan), tf.constant([1, 2]))["kl"]
    for b in range(4):
        total = 0.0
        for mean, log_variance, variance in zip(
            raw[b, :3], raw[b, 3:], [4.0, 4 / 3, 2 / 3], strict=True
        ):
            q = scipy.stats.norm(mean, np.exp(0.5 * log_variance))
            p = scipy.stats.norm(0, np.sqrt(variance))
            width = 12 * q.std()
            total += scipy.integrate.quad(
                lambda x, q=q, p=p: q.pdf(x) * (q.logpdf(x) - p.logpdf(x)),
                mean - width,
                mean + width,
            )[0]
        assert kl[b].numpy() == pytest.approx(total, rel=1e-5)


def test_equal_variances_of_one_are_the_standard_normal():
    ours, theirs = GaussianLatents(3, prior=NormalPrior()), GaussianLatents(3)
    _, posterior = posterior_of(ours)
    arguments = posterior.distribution, posterior.mean(), tf.constant([1, 2])
    actual, expected = (x.prior.kl(*arguments)["kl"] for x in (ours, theirs))
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
    assert isinstance(theirs.prior, StandardNormalPrior)


def test_proportions_may_be_large():
    prior = GaussianLatents(2, prior=NormalPrior(2.0, [1e308, 1e308])).prior
    np.testing.assert_allclose(prior.variances(), [2.0, 2.0], rtol=1e-6)


def test_learned_proportions_follow_the_posterior_and_keep_the_scale():
    """KL(q || p) is least where v is proportional to E[z^2], here by hand."""
    latents = GaussianLatents(2, prior=NormalPrior(1.0, [1.0, 1.0], trainable=True))
    (theta,) = latents.trainable_variables
    raw = np.tile(np.log([[1, 1, 0.25, 4.0]]).astype("float32"), (8, 1))
    raw[:, :2] = 0.0
    posterior = latents.posterior(raw)

    def loss():
        kl = posterior.kl(posterior.mean(), tf.constant([1, 2]))["kl"]
        return tf.reduce_mean(kl)

    @tf.function
    def descend():
        with tf.GradientTape() as tape:
            value = loss()
        gradient = tape.gradient(value, theta.value)
        theta.assign_sub(0.05 * gradient)
        return gradient

    assert np.any(descend())
    for _ in range(400):
        descend()
    variances = latents.prior.variances().numpy()
    assert variances.mean() == pytest.approx(1.0)

    def by_hand(share):
        v = np.array([share, 2 - share])
        return 0.5 * np.sum([0.25, 4.0] / v - 1 + np.log(v / [0.25, 4.0]))

    grid = np.linspace(0.01, 1.0, 2000)
    best = grid[np.argmin([by_hand(share) for share in grid])]
    assert variances[0] == pytest.approx(best, abs=0.01)


def test_learned_proportions_are_weights_of_the_model():
    latents = GaussianLatents(3, prior=NormalPrior(2.0, [4, 2, 1], trainable=True))
    fixed = GaussianLatents(3, prior=NormalPrior(2.0, [4, 2, 1]))
    assert [v.shape for v in latents.trainable_variables] == [(3,)]
    assert fixed.variables == []
    np.testing.assert_allclose(latents.prior.variances(), fixed.prior.variances())


def test_labels_and_pictures_tell_the_kinds_apart():
    plain = GaussianLatents(2, prior=NormalPrior(0.03)).prior
    assert plain.label == "z ~ N(0, 0.03 I)"
    assert plain.covariances(tf.constant([0, 0])) == {}
    uneven = GaussianLatents(2, prior=NormalPrior(1.0, [3.0, 1.0])).prior
    (matrix,) = uneven.covariances(tf.constant([0, 0])).values()
    np.testing.assert_allclose(matrix, np.diag([1.5, 0.5]))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"variance": 0.0}, "variance must be greater than 0"),
        ({"proportions": [1.0, 2.0, 3.0]}, "one number for each of the 10 latents"),
        ({"proportions": [1.0] * 9 + [0.0]}, "a list of positive numbers"),
        ({"proportions": [1.0] * 9 + [np.nan]}, "a list of positive numbers"),
        ({"proportions": "pca"}, "a list of positive numbers; received 'pca'"),
        ({"proportions": []}, "a list of positive numbers"),
        ({"trainable": "yes"}, "trainable must be one of"),
    ],
)
def test_values_out_of_range(arguments, words):
    with pytest.raises((ArgumentError, ArgumentTypeError), match=words):
        GaussianLatents(10, prior=NormalPrior(**arguments))
