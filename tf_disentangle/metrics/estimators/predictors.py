"""Classifiers of one factor from the codes, by name.

- "gradient_boosting": 100 stages of boosted trees of depth 3, scikit-learn's defaults;
  ours, with scikit-learn's results (`metrics.boosting`).
- "sklearn": the same by scikit-learn's own code, about twenty times slower.
- "random_forest": 100 trees of unlimited depth, in the spirit of Eastwood and Williams.
- "logistic_regression": fitted to all values at once, with the best of ten
  regularisations 1e-4 ... 1e4 by the accuracy in five unshuffled folds. It has no
  importances.
- "logistic_regression_ovr": the same, but fitted to each value against the rest, each
  with its own regularisation, which was scikit-learn's default in 2018. Where a value
  is rare, "none of these" is the most accurate answer at any regularisation, so the
  first and strongest one is kept, and the classifier learns little.

Every option is spelled out. If all labels are equal, they are predicted without a fit,
and no latent is important for them.
"""

from __future__ import annotations

import dataclasses
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from tf_disentangle.checks import one_of, require
from tf_disentangle.metrics.estimators.shared_fits import shared

_STAGES, _DEPTH, _RATE = 100, 3, 0.1
_FOLDS, _NUM_REGULARISATIONS = 5, 10


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted classifier of F features.

    Attributes:
        predict: Features [M, F] to labels [M].
        importances: float64 [F], at least 0, sum 1, or all 0; None for a classifier
            without them.
        train_predictions: Labels predicted for the training features, [N].
    """

    predict: Callable[[np.ndarray], np.ndarray]
    importances: np.ndarray | None
    train_predictions: np.ndarray


def fit_predictor(
    name: str, features: np.ndarray, labels: np.ndarray, *, seed: int
) -> Fitted:
    """Fits the classifier `name` of `PREDICTORS`, once inside `sharing_fits()`.

    Args:
        name: A key of `PREDICTORS`.
        features: float [N, F], finite.
        labels: int [N].
        seed: Seed of the classifier's own randomness, in [0, 2^32).

    Raises:
        ArgumentError: If the name is unknown or the seed is out of range.
    """
    require(0 <= seed < 2**32, "seed", "lie in [0, 2^32)", seed)
    fit = PREDICTORS[one_of(name, list(PREDICTORS), "predictor")]
    if np.all(labels == labels[0]):
        zeros = np.zeros(features.shape[1]) if name in WITH_IMPORTANCES else None
        return Fitted(lambda x: np.full(len(x), labels[0]), zeros, labels.copy())
    if name in _SMALL:
        return shared(fit, name, features, labels, seed)
    return fit(features, labels, seed)


def _boosted(features: np.ndarray, labels: np.ndarray, seed: int) -> Fitted:
    from tf_disentangle.metrics.estimators.boosting import fit_boosted_trees

    trees = fit_boosted_trees(features, labels, seed=seed)
    return Fitted(trees.predict, trees.importances, trees.train_predictions)


def _boosted_by_scikit(features: np.ndarray, labels: np.ndarray, seed: int) -> Fitted:
    from sklearn.ensemble import GradientBoostingClassifier

    model = GradientBoostingClassifier(
        loss="log_loss",
        learning_rate=_RATE,
        n_estimators=_STAGES,
        subsample=1.0,
        max_depth=_DEPTH,
        min_samples_split=2,
        min_samples_leaf=1,
        max_features=None,
        random_state=seed,
    ).fit(features, labels)
    return Fitted(model.predict, model.feature_importances_, model.predict(features))


def _forest(features: np.ndarray, labels: np.ndarray, seed: int) -> Fitted:
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(
        n_estimators=100,
        criterion="gini",
        max_depth=None,
        max_features="sqrt",
        bootstrap=True,
        random_state=seed,
    ).fit(features, labels)
    return Fitted(model.predict, model.feature_importances_, model.predict(features))


def _logistic(features: np.ndarray, labels: np.ndarray, seed: int) -> Fitted:
    del seed  # Nothing is drawn: the folds are not shuffled.
    return _fit_linear(_cross_validated(len(features)), features, labels)


def _logistic_ovr(features: np.ndarray, labels: np.ndarray, seed: int) -> Fitted:
    from sklearn.multiclass import OneVsRestClassifier

    del seed
    model = _cross_validated(len(features))
    if len(np.unique(labels)) > 2:
        model = OneVsRestClassifier(model)
    return _fit_linear(model, features, labels)


def _cross_validated(num_samples: int) -> Any:
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.model_selection import KFold

    return LogisticRegressionCV(
        Cs=_NUM_REGULARISATIONS,
        cv=KFold(n_splits=min(_FOLDS, num_samples), shuffle=False),
        solver="lbfgs",
        scoring="accuracy",
        tol=1e-4,
        max_iter=100,
        **_new_arguments(LogisticRegressionCV),
    )


def _fit_linear(model: Any, features: np.ndarray, labels: np.ndarray) -> Fitted:
    from sklearn.exceptions import ConvergenceWarning

    # For ten columns BLAS threads that wait for each other take four times as long.
    with warnings.catch_warnings(), threadpool_limits(1, user_api="blas"):
        # The published scores were made with fits that stop after 100 steps.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Folds without some class, which small samples of many classes have.
        warnings.simplefilter("ignore", UserWarning)
        model.fit(features, labels)
    return Fitted(model.predict, None, model.predict(features))


def _new_arguments(model: Any) -> dict[str, Any]:
    """Arguments that scikit-learn requires since 1.8 and older versions do not know."""
    known = inspect.signature(model).parameters
    if "use_legacy_attributes" not in known:
        return {}
    return {"use_legacy_attributes": False, "l1_ratios": (0.0,)}


#: Functions (features, labels, seed) -> `Fitted`, by name.
PREDICTORS: dict[str, Callable[[np.ndarray, np.ndarray, int], Fitted]] = {
    "gradient_boosting": _boosted,
    "sklearn": _boosted_by_scikit,
    "random_forest": _forest,
    "logistic_regression": _logistic,
    "logistic_regression_ovr": _logistic_ovr,
}

#: Classifiers whose fits are kept for other metrics, since they are small.
_SMALL = ("gradient_boosting", "logistic_regression", "logistic_regression_ovr")

#: Classifiers that say how important each feature is.
WITH_IMPORTANCES = tuple(
    name for name in PREDICTORS if not name.startswith("logistic_regression")
)
