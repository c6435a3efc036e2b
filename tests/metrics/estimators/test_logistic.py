import numpy as np
import pytest
from scipy import optimize, special

from tf_disentangle.metrics.estimators.logistic import fit_logistic


def problem(num_classes):
    rng = np.random.default_rng(0)
    labels = rng.integers(num_classes, size=300)
    centres = rng.normal(size=(num_classes, 2))
    return centres[labels] + rng.normal(size=(300, 2)), labels


def one_against_the_rest(features, labels):
    """Probabilities of liblinear's problem: the intercept is regularised."""
    inputs = np.hstack([features, np.ones((len(features), 1))])
    columns = []
    for c in range(labels.max() + 1):
        sign = np.where(labels == c, 1, -1)

        def loss(theta, sign=sign):
            return theta @ theta / 2 + np.sum(np.logaddexp(0, -sign * (inputs @ theta)))

        best = optimize.minimize(loss, np.zeros(3), tol=1e-10)
        columns.append(special.expit(inputs @ best.x))
    return np.stack(columns, axis=1)


def all_at_once(features, labels):
    """Probabilities of the multinomial problem: the intercept is free."""
    count = labels.max() + 1

    def loss(theta):
        weights, intercepts = theta[: 2 * count].reshape(2, count), theta[2 * count :]
        scores = features @ weights + intercepts
        own = scores[np.arange(len(labels)), labels]
        return np.sum(weights**2) / 2 + np.sum(special.logsumexp(scores, axis=1) - own)

    theta = optimize.minimize(loss, np.zeros(3 * count), tol=1e-10).x
    scores = features @ theta[: 2 * count].reshape(2, count) + theta[2 * count :]
    return special.softmax(scores, axis=1)


@pytest.mark.parametrize("num_classes", [3, 5])
def test_the_studys_solver(num_classes):
    features, labels = problem(num_classes)
    model = fit_logistic(features, labels, solvers="sklearn-0.20")
    expected = one_against_the_rest(features, labels)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(features), expected, atol=2e-3)
    assert model.classes_.tolist() == list(range(num_classes))


def test_the_studys_solver_for_two_classes():
    features, labels = problem(2)
    model = fit_logistic(features, labels, solvers="sklearn-0.20")
    expected = one_against_the_rest(features, labels)[:, 1]
    np.testing.assert_allclose(model.predict_proba(features)[:, 1], expected, atol=2e-3)


@pytest.mark.parametrize("num_classes", [3, 5])
def test_todays_solver(num_classes):
    features, labels = problem(num_classes)
    model = fit_logistic(features, labels, solvers="sklearn-1.9")
    expected = all_at_once(features, labels)
    np.testing.assert_allclose(model.predict_proba(features), expected, atol=2e-3)


def test_the_solvers_differ():
    features, labels = problem(5)
    old = fit_logistic(features, labels, solvers="sklearn-0.20").predict_proba(features)
    new = fit_logistic(features, labels, solvers="sklearn-1.9").predict_proba(features)
    assert np.max(np.abs(old - new)) > 0.05


def test_regularisation():
    features, labels = problem(2)
    strong = fit_logistic(
        features, labels, solvers="sklearn-1.9", regularisation=1e-6
    ).predict_proba(features)
    assert np.ptp(strong[:, 1]) < 1e-3


def test_no_warning_where_the_steps_run_out():
    features, labels = problem(5)
    fit_logistic(features * [1e6, 1e-6], labels, solvers="sklearn-1.9")
