import numpy as np
import pytest
from scipy import integrate, stats

from tf_disentangle.checks import ArgumentError
from tf_disentangle.metrics import aggregate_posterior_scores
from tf_disentangle.metrics.unsupervised.aggregate import mixture_log_densities


def known_mixture():
    """Two images, one latent: everything follows by quadrature."""
    means, deviations = np.array([[-0.7], [1.2]]), np.array([[0.6], [0.3]])

    def density(z):
        return np.mean(stats.norm.pdf(z, means[:, 0], deviations[:, 0]))

    def integral(f):
        return integrate.quad(f, -8, 8, points=[-0.7, 1.2], limit=200)[0]

    to_prior = integral(lambda z: density(z) * np.log(density(z) / stats.norm.pdf(z)))
    entropy = -integral(lambda z: density(z) * np.log(density(z)))
    within = np.mean(stats.norm.entropy(scale=deviations[:, 0]))
    return means, deviations, to_prior, entropy - within


def test_agrees_with_quadrature_within_its_own_error():
    means, deviations, to_prior, information = known_mixture()
    result = aggregate_posterior_scores(
        means, deviations, num_samples=40_000, progress=False
    )
    errors = result.standard_errors
    assert 0 < errors["score"] < 0.01
    assert abs(result.score - to_prior) < 4 * errors["score"]
    assert (
        abs(result.mutual_information - information)
        < 4 * (errors["mutual_information"])
    )
    # One latent correlates with nothing.
    assert abs(result.total_correlation) < 1e-12
    assert result.dimension_kl == pytest.approx(result.score)
    kl = 0.5 * (means**2 + deviations**2 - 1) - np.log(deviations)
    assert result.kl == pytest.approx(kl.mean())
    assert abs(result.kl - to_prior - information) < 1e-6, "the identity itself"


def test_errors_are_as_often_right_as_they_say():
    means, deviations, to_prior, _ = known_mixture()
    off = []
    for seed in range(200):
        result = aggregate_posterior_scores(
            means, deviations, seed=seed, num_samples=300, progress=False
        )
        off.append((result.score - to_prior) / result.standard_errors["score"])
    # 200 standardised errors: their spread is 1 within 4 / sqrt(400).
    assert 0.8 < np.std(off) < 1.2
    assert abs(np.mean(off)) < 4 / np.sqrt(200)


def test_collapsed_and_separate_posteriors():
    same = aggregate_posterior_scores(
        np.zeros((50, 3)), np.ones((50, 3)), progress=False
    )
    for value in (same.score, same.mutual_information, same.total_correlation, same.kl):
        assert abs(value) < 1e-10
    apart = aggregate_posterior_scores(
        10.0 * np.arange(16)[:, None], np.full((16, 1), 0.1), progress=False
    )
    assert apart.mutual_information == pytest.approx(np.log(16))


def test_total_correlation_of_a_known_gaussian():
    # Means N(0, C) with C_01 = 0.6 and noise 0.5: q(z) is N(0, C + 0.25 I).
    rng = np.random.default_rng(0)
    u = rng.normal(size=(20_000, 2))
    means = np.column_stack([u[:, 0], 0.6 * u[:, 0] + 0.8 * u[:, 1]])
    result = aggregate_posterior_scores(
        means, np.full_like(means, 0.5), num_samples=1_500, progress=False
    )
    expected = -0.5 * np.log(1 - (0.6 / 1.25) ** 2)
    # The 20,000 images are themselves a draw: a standard error of 0.003 beside.
    error = result.standard_errors["total_correlation"]
    assert error < 0.02
    assert abs(result.total_correlation - expected) < 4 * (error + 0.003)


def test_densities_equal_scipys():
    rng = np.random.default_rng(0)
    means, deviations = rng.normal(size=(7, 3)), rng.uniform(0.2, 2, size=(7, 3))
    z = rng.normal(size=(5, 3))
    joint, marginals = mixture_log_densities(z, means, deviations)
    each = stats.norm.pdf(z[:, None], means, deviations)
    np.testing.assert_allclose(joint, np.log(each.prod(axis=2).mean(axis=1)))
    np.testing.assert_allclose(marginals, np.log(each.mean(axis=1)).sum(axis=1))


def test_errors():
    means = np.zeros((4, 2))
    with pytest.raises(ArgumentError, match="not their logarithms"):
        aggregate_posterior_scores(means, np.zeros((4, 2)))
    with pytest.raises(ArgumentError, match="have the shape of means"):
        aggregate_posterior_scores(means, np.ones((4, 3)))
