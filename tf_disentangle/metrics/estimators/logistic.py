"""Logistic regression with every argument of the solver spelled out.

The metrics of the study call `LogisticRegression()`. In 2018, that meant liblinear,
each class against the rest, with a regularised intercept; since scikit-learn 0.22 it
means lbfgs, all classes at once, with a free intercept. Today's scikit-learn refuses
liblinear for more than two classes, so the former is written as the same solver inside
`OneVsRestClassifier`, which normalises the classes' probabilities as liblinear's own
one-against-the-rest did.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
from threadpoolctl import threadpool_limits


def fit_logistic(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    solvers: Literal["sklearn-0.20", "sklearn-1.9"],
    regularisation: float = 1.0,
) -> Any:
    """Fits a logistic regression as the scikit-learn of that version would by default.

    Args:
        features: float [N, F], finite.
        labels: int [N], at least two distinct.
        solvers: The version whose defaults to use: "sklearn-0.20" or "sklearn-1.9".
        regularisation: C, the inverse weight of the penalty, above 0.

    Returns:
        A fitted scikit-learn classifier with `classes_`, `predict` and
        `predict_proba`.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    shared = {"C": regularisation, "tol": 1e-4, "max_iter": 100}
    if solvers == "sklearn-1.9":
        model = LogisticRegression(solver="lbfgs", **shared)
    else:
        model = LogisticRegression(
            solver="liblinear",
            dual=False,
            fit_intercept=True,
            intercept_scaling=1,
            random_state=0,  # The primal solver draws nothing; named all the same.
            **shared,
        )
        if len(np.unique(labels)) > 2:
            model = OneVsRestClassifier(model)
    # For ten columns BLAS threads that wait for each other take four times as long.
    with warnings.catch_warnings(), threadpool_limits(1, user_api="blas"):
        # The published scores were made with fits that stop after 100 steps.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(features, labels)
