"""BetaVAE score: is the factor that two images share seen in their codes' difference?

One vote: draw a factor k and B pairs of images that agree in it and vary in the others;

    x = 1/B sum_b | z_b - z'_b |,  label k                (Higgins et al., section 3)

The accuracy on fresh votes of a linear classifier from x to k is the score.

References:
    Higgins et al. (2017), beta-VAE: Learning Basic Visual Concepts with a Constrained
    Variational Framework, ICLR.
    Locatello et al. (2019), Challenging Common Assumptions, arXiv 1811.12359.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_disentangle.checks import integer
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics.encoding import Encoding
from tf_disentangle.metrics.estimators.logistic import fit_logistic
from tf_disentangle.metrics.protocol import (
    BETA_VAE_PROTOCOLS,
    BetaVAEProtocol,
    named_protocol,
)
from tf_disentangle.metrics.samples import categorical_columns
from tf_disentangle.metrics.sources import Draws, Source
from tf_disentangle.metrics.votes import blocks, is_test, source_of


@dataclasses.dataclass(frozen=True, eq=False)
class BetaVAEScore:
    """Result of `beta_vae_score`.

    Attributes:
        score: Accuracy on the test votes, in [0, 1], higher is better; about 1/K for
            codes without information.
        train_score: Accuracy on the votes that the classifier was fitted to.
        test_votes: int64 [K, K], test votes by predicted (row) and true (column)
            factor.
        factor_names: Names of the K factors that were scored.
        protocol: Its name, with any value that was overridden.
    """

    score: float
    train_score: float
    test_votes: np.ndarray
    factor_names: tuple[str, ...]
    protocol: str


def beta_vae_score(
    codes: np.ndarray,
    factors: np.ndarray,
    test_codes: np.ndarray | None = None,
    test_factors: np.ndarray | None = None,
    *,
    seed: int = 0,
    protocol: str = "dlib-sklearn1.9",
    batch_size: int | None = None,
    num_train_votes: int | None = None,
    num_test_votes: int | None = None,
    scale_codes: bool | None = None,
    columns: Sequence[CodeColumn] | None = None,
) -> BetaVAEScore:
    """Computes the BetaVAE score: is a pair's factor readable? (Higgins et al., 2017).

    It is a weak test: a code that represents all but one of the factors still scores
    about 1, since the missing factor can be inferred from the differences in the
    others. The FactorVAE score was made for that reason.

    Conventions where the definition leaves a choice: a factor with one value is never
    drawn; the difference of a categorical column is 0 for equal categories and 1 for
    others ("differs"). The score depends on the scale of the latents, since the
    classifier is regularised; `scale_codes` removes that, and is not in the study.

    Pairs are drawn with replacement from the rows, the second among those that have the
    shared value ("fixed=rows"). On a full grid the value is put into a joint draw
    instead.

    Args:
        codes: Numbers [N, L]; see `samples` for what is accepted.
        factors: Labels [N, K].
        test_codes: Numbers [M, L]; None holds out a third of the rows.
        test_factors: Labels [M, K].
        seed: Seed of all draws, at least 0.
        protocol: Key of `BETA_VAE_PROTOCOLS`: "dlib-sklearn1.9" classifies by
            multinomial logistic regression, as the study's code does today, "dlib" by
            one factor against the rest with liblinear, as it did in 2018; under the
            "verbatim" ones, factors with one value are drawn too.
        batch_size: Pairs per vote, at least 1. This and the next three override the
            protocol's value, and the result's protocol says so.
        num_train_votes: At least 1.
        num_test_votes: At least 1.
        scale_codes: Whether to divide each latent's differences by its standard
            deviation.
        columns: What the L columns hold; None treats all as continuous.

    Raises:
        ArgumentError: If the arrays break a rule of `samples`, a number is invalid, no
            factor has two values, or the protocol is unknown.
    """
    choice = named_protocol(
        BETA_VAE_PROTOCOLS,
        protocol,
        batch_size=batch_size,
        num_train_votes=num_train_votes,
        num_test_votes=num_test_votes,
        scale_codes=scale_codes,
    )
    source = source_of(
        codes, factors, test_codes, test_factors, seed=seed, columns=columns
    )
    rng = np.random.default_rng(integer(seed, "seed", at_least=0))
    candidates = source.fixable(choice.verbatim)
    # All draws come before the first code, so that each image is encoded once.
    votes = (choice.num_train_votes, choice.num_test_votes)
    shared, pairs = draw_pairs(source, votes, choice.batch_size, rng, candidates)
    encoding = source.encode(Draws.joined(pairs), rng)
    categorical = categorical_columns(columns, encoding.num_latents)
    features = mean_differences(encoding, choice.batch_size, categorical)
    if choice.scale_codes:
        features = features / _deviation(encoding, categorical)
    name = choice.name + source.votes_note
    if categorical.any():
        name += ", categorical=differs"
    choice = dataclasses.replace(choice, name=name)
    shared = np.searchsorted(source.scored, shared)
    return _score(features, shared, source.scored_names, choice)


def draw_pairs(
    source: Source,
    num_votes: tuple[int, int],
    batch_size: int,
    rng: np.random.Generator,
    candidates: np.ndarray,
) -> tuple[np.ndarray, tuple[Draws, Draws]]:
    """Draws the factor that each vote shares, and its pairs.

    The second image of a pair takes the shared factor's value of the first.

    Args:
        source: What is drawn from.
        num_votes: Numbers of train and of test votes, V in all.
        batch_size: B.
        rng: Generator of all draws.
        candidates: Factors that may be shared.

    Returns:
        `shared` int64 [V]; the first and the second images, V B draws each.
    """
    shared = rng.choice(candidates, size=sum(num_votes))
    test = is_test(*num_votes, batch_size)
    both = source.sample(2 * len(test), rng, np.tile(test, 2))
    first, second = both[: len(test)], both[len(test) :]
    fixed = shared.repeat(batch_size)
    values = first.factors[np.arange(len(first)), fixed]
    return shared, (first, source.hold(second, fixed, values, rng, test))


def mean_differences(
    encoding: Encoding, batch_size: int, categorical: np.ndarray
) -> np.ndarray:
    """Mean absolute difference of the codes of each vote's pairs.

    Args:
        encoding: Codes of 2 V B draws, the first images of all pairs before the second.
        batch_size: B.
        categorical: bool [L]; of these columns the share of pairs that differ.

    Returns:
        float64 [V, L].
    """
    first, second = encoding.row.reshape(2, -1, batch_size)
    result = np.empty((len(first), encoding.num_latents))
    for part in blocks(len(first), batch_size * encoding.num_latents):
        difference = encoding.codes[first[part]] - encoding.codes[second[part]]
        difference = np.abs(difference)
        difference[..., categorical] = difference[..., categorical] != 0
        result[part] = difference.mean(axis=1, dtype=np.float64)
    return result


def _deviation(encoding: Encoding, categorical: np.ndarray) -> np.ndarray:
    """Standard deviation of each latent over all draws, 1 where it is constant."""
    times = np.bincount(encoding.row, minlength=len(encoding.codes)) / len(encoding.row)
    codes = encoding.codes.astype(np.float64)
    deviation = np.sqrt(times @ (codes - times @ codes) ** 2)
    constant = codes.min(axis=0) == codes.max(axis=0)
    return np.where(constant | categorical, 1.0, deviation)


def _score(
    features: np.ndarray,
    labels: np.ndarray,
    factor_names: tuple[str, ...],
    choice: BetaVAEProtocol,
) -> BetaVAEScore:
    """Fits the classifier to the train votes and scores it on the others."""
    train = np.arange(len(labels)) < choice.num_train_votes
    if len(np.unique(labels[train])) > 1:
        model = fit_logistic(features[train], labels[train], solvers=choice.solvers)
        predicted = model.predict(features)
    else:  # One factor: there is nothing to tell apart.
        predicted = np.full(len(labels), labels[0])
    right = predicted == labels
    votes = np.zeros((len(factor_names),) * 2, np.int64)
    np.add.at(votes, (predicted[~train], labels[~train]), 1)
    return BetaVAEScore(
        score=float(right[~train].mean()),
        train_score=float(right[train].mean()),
        test_votes=votes,
        factor_names=factor_names,
        protocol=choice.name,
    )
