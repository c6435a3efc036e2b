"""Disentanglement, completeness and informativeness.

For each factor, a classifier that sees all latents tells how important latent d is for
factor k: R [L, K], each column with sum 1. Then

    D_d = 1 - H_K(R_d. / sum_k R_dk)      a latent that serves one factor has 1
    C_k = 1 - H_L(R_.k / sum_d R_dk)      a factor that one latent serves has 1
    disentanglement = sum_d rho_d D_d,    rho_d = sum_k R_dk / sum R
    completeness    = sum_k sigma_k C_k,  sigma_k = sum_d R_dk / sum R

with H_K the entropy to base K. Informativeness is the classifiers' mean accuracy, so
that higher is better; the paper uses errors of regressions instead.

References:
    Eastwood and Williams (2018), A Framework for the Quantitative Evaluation of
    Disentangled Representations, ICLR 2018, section 2.
    Locatello et al. (2019), Challenging Common Assumptions, arXiv 1811.12359.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_disentangle.checks import integer, one_of
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics.estimators.predictors import WITH_IMPORTANCES, fit_predictor
from tf_disentangle.metrics.protocol import array_protocol
from tf_disentangle.metrics.samples import Samples, check_split, one_hot, varied_factors

# The study's code adds it to every importance before it takes an entropy.
_TINY = 1e-11


@dataclasses.dataclass(frozen=True, eq=False)
class DCIScore:
    """Result of `dci_score`.

    Attributes:
        score: Disentanglement, in [0, 1], higher is better.
        completeness: In [0, 1], higher is better.
        informativeness_train: Mean train accuracy over factors, in [0, 1].
        informativeness_test: Mean test accuracy over factors, in [0, 1].
        importance: float64 [L, K], R; a column has sum 1, or 0 if no latent helps.
        latent_scores: float64 [L], disentanglement of each latent.
        factor_scores: float64 [K], completeness of each factor; NaN for a factor with
            one value in the train part, which is left out of everything.
        train_accuracy: float64 [K], NaN for the same.
        test_accuracy: float64 [K], NaN for the same.
        protocol: Its name, with any value that was overridden.
    """

    score: float
    completeness: float
    informativeness_train: float
    informativeness_test: float
    importance: np.ndarray
    latent_scores: np.ndarray
    factor_scores: np.ndarray
    train_accuracy: np.ndarray
    test_accuracy: np.ndarray
    protocol: str


def dci_score(
    codes: np.ndarray,
    factors: np.ndarray,
    test_codes: np.ndarray | None = None,
    test_factors: np.ndarray | None = None,
    *,
    predictor: str = "gradient_boosting",
    seed: int = 0,
    protocol: str = "dlib",
    columns: Sequence[CodeColumn] | None = None,
) -> DCIScore:
    """Computes DCI, by importances of latents (Eastwood & Williams, 2018).

    It measures how few factors each latent is important for, and how few latents are
    important for each factor.

    The study's classifier draws the order in which each node of a tree tries the
    latents, which decides between equally good cuts; `seed` is its `random_state`. For
    continuous codes, the scores vary by about 1e-3 at most between seeds
    (`docs/protocols.md`). The same scikit-learn solver serves both "sklearn" protocols.

    Conventions where the definition leaves a choice: a factor with one value in the
    train part is left out; where one factor is left, each latent that helps has
    disentanglement 1, and where there is one latent, completeness is 1; where no latent
    helps any factor both are 0; a value that only the test part has counts as an error;
    a categorical column enters as one feature per category, whose importances are
    added ("one-hot").

    Args:
        codes: Numbers [N, L]; see `samples` for what is accepted.
        factors: Labels [N, K].
        test_codes: Numbers [M, L]; None holds out a third of the rows.
        test_factors: Labels [M, K].
        predictor: The classifier: "gradient_boosting" is the study's; "sklearn" the
            same by scikit-learn's code; "random_forest" gives other scores and is
            named in the protocol.
        seed: Seed of the classifiers and of the split, in [0, 2^32).
        protocol: Key of `ARRAY_PROTOCOLS`. The "verbatim" ones refuse a factor with one
            value, and give NaN where the entropy's base is 1, as the study's code does.
        columns: What the L columns hold; None treats all as continuous.

    Raises:
        ArgumentError: If the arrays break a rule of `samples`, no factor has two values
            in the train part, or a name is unknown.
    """
    train, test, note = check_split(
        codes, factors, test_codes, test_factors, seed=seed, columns=columns
    )
    one_of(predictor, list(WITH_IMPORTANCES), "predictor")
    integer(seed, "seed", at_least=0)
    choice = array_protocol(protocol, "one-hot", train.categorical)
    name = choice.name + note
    if predictor != "gradient_boosting":
        name += f", predictor={predictor}"
    varied = varied_factors(train, all_must=choice.verbatim)
    importance, accuracy = _importance(train, test, varied, predictor, seed)
    kept = importance[:, varied]
    latent_scores = disentanglement_per_latent(kept, verbatim=choice.verbatim)
    factor_scores = np.full(train.num_factors, np.nan)
    factor_scores[varied] = completeness_per_factor(kept, verbatim=choice.verbatim)
    return DCIScore(
        score=weighted_mean(latent_scores, kept.sum(axis=1)),
        completeness=weighted_mean(factor_scores[varied], kept.sum(axis=0)),
        informativeness_train=float(accuracy[0, varied].mean()),
        informativeness_test=float(accuracy[1, varied].mean()),
        importance=importance,
        latent_scores=latent_scores,
        factor_scores=factor_scores,
        train_accuracy=accuracy[0],
        test_accuracy=accuracy[1],
        protocol=name,
    )


def _importance(
    train: Samples, test: Samples, varied: np.ndarray, predictor: str, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns R [L, K] and the accuracies [2, K] on the train and the test part."""
    (features, latent), (test_features, _) = one_hot(train), one_hot(test)
    importance = np.zeros((train.num_latents, train.num_factors))
    accuracy = np.full((2, train.num_factors), np.nan)
    for k in np.flatnonzero(varied):
        labels = train.factors[:, k]
        fitted = fit_predictor(predictor, features, labels, seed=seed)
        np.add.at(importance[:, k], latent, np.abs(fitted.importances))
        accuracy[0, k] = np.mean(fitted.train_predictions == labels)
        accuracy[1, k] = np.mean(fitted.predict(test_features) == test.factors[:, k])
    return importance, accuracy


def disentanglement_per_latent(
    matrix: np.ndarray, *, verbatim: bool = False
) -> np.ndarray:
    """Returns D_d of each row of a matrix [L, K], at least 0, in [0, 1], float64 [L].

    With K = 1, 1 for each latent that has any importance (NaN if `verbatim`).
    """
    matrix = np.asarray(matrix, np.float64)
    if matrix.shape[1] == 1:
        return np.where(verbatim, np.nan, matrix[:, 0] > 0).astype(np.float64)
    share = matrix + _TINY
    share = share / share.sum(axis=1, keepdims=True)
    entropy = -np.sum(share * np.log(share), axis=1) / np.log(matrix.shape[1])
    entropy[~matrix.any(axis=1)] = 1.0  # But for rounding, as that of what follows.
    return np.clip(1.0 - entropy, 0.0, 1.0)


def completeness_per_factor(
    matrix: np.ndarray, *, verbatim: bool = False
) -> np.ndarray:
    """Returns C_k of each column of a matrix [L, K], at least 0, in [0, 1], [K]."""
    return disentanglement_per_latent(np.transpose(matrix), verbatim=verbatim)


def weighted_mean(scores: np.ndarray, weights: np.ndarray) -> float:
    """Mean of the scores by weights, all equal if their sum is 0."""
    if weights.sum() == 0:
        weights = np.ones_like(weights)
    return float(np.sum(scores * (weights / weights.sum())))
