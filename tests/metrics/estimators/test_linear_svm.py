import warnings

import numpy as np
import pytest
from scipy import optimize
from sklearn.svm import LinearSVC
from tf_disentangle.metrics.estimators.linear_svm import fit_balanced


def problem(num_classes, n=400, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(num_classes, size=n)
    return 0.7 * labels + rng.normal(size=n) - 1.0, labels


def liblinear(feature, labels):
    """Today's default solver, as near to the minimum as it goes."""
    model = LinearSVC(
        C=0.01, class_weight="balanced", dual=False, tol=1e-12, max_iter=100_000
    )
    return model.fit(feature[:, np.newaxis], labels)


class TestAgainstLiblinear:
    @pytest.mark.parametrize("num_classes", [2, 3, 12])
    @pytest.mark.parametrize(("scale", "shift"), [(1, 0), (-0.01, 2), (30, 0), (1, 20)])
    def test_same_minimum(self, num_classes, scale, shift):
        feature, labels = problem(num_classes)
        feature = scale * feature + shift
        ours = fit_balanced(feature, labels, regularisation=0.01)
        theirs = liblinear(feature, labels)
        np.testing.assert_allclose(ours.slope, theirs.coef_[:, 0], rtol=2e-4, atol=1e-7)
        np.testing.assert_allclose(
            ours.intercept, theirs.intercept_, rtol=2e-4, atol=1e-6
        )

    @pytest.mark.parametrize("num_classes", [2, 5])
    def test_same_labels(self, num_classes):
        feature, labels = problem(num_classes, n=2_000)
        ours = fit_balanced(feature, labels, regularisation=0.01)
        new = np.random.default_rng(9).normal(size=5_000)
        expected = liblinear(feature, labels).predict(new[:, np.newaxis])
        np.testing.assert_array_equal(ours.predict(new), expected)

    def test_the_studys_dual_solver_comes_near(self):
        feature, labels = problem(4, n=2_000)
        ours = fit_balanced(feature, labels, regularisation=0.01)
        dual = LinearSVC(C=0.01, class_weight="balanced", dual=True, random_state=0)
        dual.fit(feature[:, np.newaxis], labels)
        np.testing.assert_allclose(ours.slope, dual.coef_[:, 0], rtol=1e-2, atol=1e-3)


def test_against_a_general_optimiser():
    """One class against the rest, with the weights written out."""
    feature, labels = problem(3)
    ours = fit_balanced(feature, labels, regularisation=0.5)
    for c in range(3):
        y = np.where(labels == c, 1, -1)
        weight = np.where(y > 0, 0.5 * len(y) / (3 * np.sum(y > 0)), 0.5)

        def objective(theta, y=y, weight=weight):
            slack = np.maximum(0, 1 - y * (theta[0] * feature + theta[1]))
            return theta @ theta / 2 + np.sum(weight * slack**2)

        best = optimize.minimize(objective, np.zeros(2), method="BFGS", tol=1e-8)
        at = objective(np.array([ours.slope[c], ours.intercept[c]]))
        assert at <= best.fun + 1e-10
        assert at == pytest.approx(best.fun, rel=1e-8)


def test_constant_feature():
    labels = np.array([0] * 5 + [1] * 3 + [2] * 2)
    ours = fit_balanced(np.full(10, 3.0), labels, regularisation=0.01)
    theirs = liblinear(np.full(10, 3.0), labels)
    np.testing.assert_allclose(ours.slope, theirs.coef_[:, 0], rtol=1e-6)
    assert len(np.unique(ours.predict(np.full(4, 3.0)))) == 1


def test_wide_codes_converge_where_the_dual_does_not():
    feature, labels = problem(3, n=2_000)
    feature = 1_000 * feature
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dual = LinearSVC(C=0.01, class_weight="balanced", dual=True, random_state=0)
        dual.fit(feature[:, np.newaxis], labels)
    exact = liblinear(feature, labels)
    ours = fit_balanced(feature, labels, regularisation=0.01)
    np.testing.assert_allclose(ours.slope, exact.coef_[:, 0], rtol=1e-3)
    assert np.max(np.abs(dual.coef_[:, 0] / exact.coef_[:, 0] - 1)) > 1


def test_more_classes_than_are_solved_at_once():
    feature, labels = problem(150, n=1_500)
    ours = fit_balanced(feature, labels, regularisation=0.01)
    assert len(ours.slope) == len(ours.classes) == 150
    theirs = liblinear(feature, labels)
    np.testing.assert_allclose(ours.slope, theirs.coef_[:, 0], rtol=1e-3, atol=1e-7)
