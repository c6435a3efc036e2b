import numpy as np
import pytest
from scipy import linalg
from sklearn.metrics import mutual_info_score

from tests import representations as known
from tf_disentangle.checks import ArgumentError
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics import unsupervised_scores


def published(codes, num_bins=20):
    """The study's own formulas, step by step."""
    covariance = np.cov(codes.T)
    diagonal = np.diag(covariance)
    correlation = 0.5 * (np.sum(np.log(diagonal)) - np.linalg.slogdet(covariance)[1])
    root = np.real(linalg.sqrtm(covariance * diagonal[:, None]))
    wasserstein = 2 * np.trace(covariance) - 2 * np.trace(root)
    labels = [
        np.digitize(z, np.histogram(z, num_bins)[1][:-1]) for z in np.asarray(codes).T
    ]
    size = len(labels)
    information = [
        mutual_info_score(labels[d], labels[e])
        for d in range(size)
        for e in range(size)
        if d != e
    ]
    return (
        correlation,
        wasserstein,
        wasserstein / np.trace(covariance),
        np.mean(information),
    )


def numbers(result):
    return (
        result.score,
        result.gaussian_wasserstein,
        result.gaussian_wasserstein_normalised,
        result.mutual_information_score,
    )


def mixture(n=2_000, size=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, size)) @ rng.normal(size=(size, size))


def test_equals_the_published_formulas():
    for seed, kind in ((0, np.float64), (1, np.float32)):
        codes = mixture(seed=seed).astype(kind)
        np.testing.assert_allclose(
            numbers(unsupervised_scores(codes)), published(codes), atol=1e-6, rtol=1e-6
        )


def test_equals_the_reference_librarys_values():
    values = known.golden()["values"]
    names = ("gaussian_tc", "gaussian_wasserstein", "gaussian_wasserstein_norm")
    expected = [values[name] for name in (*names, "mi_score")]
    codes = known.golden_samples()[0]
    found = numbers(unsupervised_scores(codes))
    np.testing.assert_allclose(found, expected, atol=1e-6, rtol=0)
    # What docs/protocols.md says of a constant latent.
    after = unsupervised_scores(np.insert(codes, 0, 0.0, axis=1))
    assert after.score == pytest.approx(found[0])
    assert after.mutual_information_score == pytest.approx(0.0854, abs=5e-5)


def test_total_correlation_of_a_known_gaussian():
    rng = np.random.default_rng(0)
    u = rng.normal(size=(200_000, 2))
    codes = np.column_stack([u[:, 0], 0.8 * u[:, 0] + 0.6 * u[:, 1]])
    # The estimate's standard error is rho / sqrt(N) = 0.0018.
    result = unsupervised_scores(codes * [1.0, 1e4])
    assert abs(result.score + 0.5 * np.log(1 - 0.64)) < 0.008


def test_independent_latents_score_about_zero():
    result = unsupervised_scores(np.random.default_rng(0).normal(size=(50_000, 5)))
    # 2 TC N is chi-square with 10 degrees of freedom.
    assert 0 <= result.score < 40 / 2 / 50_000
    assert result.gaussian_wasserstein_normalised < 1e-3
    assert result.mutual_information_score < 19**2 / (2 * 50_000) * 1.5


def test_a_constant_latent_changes_nothing_but_the_mean_information():
    codes = mixture()
    before = unsupervised_scores(codes)
    after = unsupervised_scores(np.insert(codes, 1, 0.1, axis=1))
    assert after.score == pytest.approx(before.score, rel=1e-12)
    assert after.gaussian_wasserstein == pytest.approx(before.gaussian_wasserstein)
    # 12 of then 20 pairs share something.
    expected = before.mutual_information_score * 12 / 20
    assert after.mutual_information_score == pytest.approx(expected)
    assert after.constant.tolist() == [False, True, False, False, False]


def test_the_published_treatment_of_a_constant_latent_by_name():
    codes = np.insert(mixture(), 1, 0.0, axis=1)
    result = unsupervised_scores(codes, protocol="dlib-verbatim")
    assert np.isnan(result.score)
    assert result.protocol == "dlib-verbatim"
    usual = unsupervised_scores(mixture(), protocol="dlib-verbatim")
    np.testing.assert_allclose(numbers(usual), published(mixture()), atol=1e-6)


def test_a_duplicated_latent_has_infinite_total_correlation():
    codes = mixture().astype(np.float32)
    result = unsupervised_scores(np.column_stack([codes, -2 * codes[:, 0]]))
    assert result.score == np.inf
    assert np.isfinite(result.gaussian_wasserstein)


def test_collapsed_and_single_latents():
    for codes in (np.full((50, 3), 0.1, np.float32), np.arange(50)[:, None]):
        assert numbers(unsupervised_scores(codes)) == (0.0, 0.0, 0.0, 0.0)


def test_a_categorical_column_enters_by_its_categories():
    rng = np.random.default_rng(0)
    category = rng.integers(3, size=2_000)
    codes = np.column_stack([mixture()[:, :2], category])
    columns = (CodeColumn("z0"), CodeColumn("z1"), CodeColumn("c0", "categorical"))
    result = unsupervised_scores(codes, columns=columns)
    other = unsupervised_scores(
        np.column_stack([codes[:, :2], np.array([7, 100, -3])[category]]),
        columns=columns,
    )
    np.testing.assert_allclose(numbers(result), numbers(other), rtol=1e-12)
    assert result.score == unsupervised_scores(codes[:, :2]).score
    entropy = result.latent_information[2, 2]
    assert entropy == pytest.approx(mutual_info_score(category, category))


def test_errors():
    codes = mixture()
    with pytest.raises(ArgumentError, match="num_bins must be at least 1"):
        unsupervised_scores(codes, num_bins=0)
    codes[3, 2] = np.nan
    with pytest.raises(ArgumentError, match="z2"):
        unsupervised_scores(codes)
    with pytest.raises(ArgumentError, match="Did you mean dlib"):
        unsupervised_scores(mixture(), protocol="dlbi")
