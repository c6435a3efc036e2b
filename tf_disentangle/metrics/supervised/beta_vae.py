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
from tf_disentangle.interfaces import CodeColumn, Dataset, Encoder
from tf_disentangle.metrics.draws import (
    fixable_factors,
    require_factors,
    rows_note,
    sample_factors,
    scored_factors,
    with_values,
)
from tf_disentangle.metrics.encoding import Encoding, encode_factors
from tf_disentangle.metrics.estimators.logistic import fit_logistic
from tf_disentangle.metrics.protocol import (
    BETA_VAE_PROTOCOLS,
    BetaVAEProtocol,
    named_protocol,
)
from tf_disentangle.metrics.samples import categorical_columns

# Codes that are gathered at once when differences are taken; bounds the memory.
_CODES_PER_BLOCK = 2**20


@dataclasses.dataclass(frozen=True, eq=False)
class BetaVAEScore:
    """Result of `beta_vae_score`.

    Attributes:
        score: Accuracy on the test votes, in [0, 1], higher is better; about 1/K for
            codes that know nothing.
        train_score: Accuracy on the votes that made the classifier.
        test_votes: int64 [K, K], test votes by predicted (row) and true (column)
            factor.
        factor_names: Names of the K factors that were scored.
        protocol: Name of the protocol, with any value that was overridden.
    """

    score: float
    train_score: float
    test_votes: np.ndarray
    factor_names: tuple[str, ...]
    protocol: str


def beta_vae_score(
    dataset: Dataset,
    encode: Encoder,
    *,
    seed: int = 0,
    protocol: str = "dlib-sklearn1.9",
    batch_size: int | None = None,
    num_train_votes: int | None = None,
    num_test_votes: int | None = None,
    scale_codes: bool | None = None,
    factors: Sequence[str] | None = None,
    columns: Sequence[CodeColumn] | None = None,
    encode_once: bool | None = None,
    encode_batch_size: int = 256,
    progress: bool | None = None,
) -> BetaVAEScore:
    """Scores how well the shared factor of pairs is read from their codes.

    It is a weak test: a code that shows all but one of the factors still scores about
    1, since the factor without a latent is known by the others' differences. The
    FactorVAE score was made for that reason.

    Conventions where the definition leaves a choice: a factor with one value is never
    drawn; the difference of a categorical column is 0 for equal categories and 1 for
    others ("differs"). The score depends on the scale of the latents, since the
    classifier is regularised; `scale_codes` removes that, and is not in the study.

    Args:
        dataset: A set with known factors.
        encode: Images uint8 [B, H, W, C] to codes [B, L]; float32 is kept of them.
            An `EncodedFactors` shares codes between metrics.
        seed: Of all draws, at least 0.
        protocol: Key of `BETA_VAE_PROTOCOLS`: "dlib-sklearn1.9" classifies by
            multinomial logistic regression, as the study's code does today, "dlib"
            factor against the rest by liblinear, as it did in 2018; in the "verbatim"
            ones factors with one value are drawn too.
        batch_size: Pairs per vote, at least 1. This and the next three override the
            protocol's value, and the result's protocol says so.
        num_train_votes: At least 1.
        num_test_votes: At least 1.
        scale_codes: Whether to divide each latent's differences by its standard
            deviation.
        factors: Names of the factors to share and to score; the others still vary, and
            the result's protocol says so. None is all.
        columns: What the L columns hold; None takes all as continuous.
        encode_once: None encodes each distinct image once, unless the set declares
            "stochastic_images". Give False where `encode` is itself random.
        encode_batch_size: Images per call of `encode`.
        progress: Whether to show a bar on stderr; None shows it on a terminal only.

    Returns:
        The score on both parts and which factors were taken for which.

    Raises:
        ArgumentError: If the set has no factors, a number breaks its rule, the protocol
            or a factor is unknown, or the codes are not [B, L] and finite.
    """
    choice = named_protocol(
        BETA_VAE_PROTOCOLS,
        protocol,
        batch_size=batch_size,
        num_train_votes=num_train_votes,
        num_test_votes=num_test_votes,
        scale_codes=scale_codes,
    )
    require_factors(dataset)
    chosen, note = scored_factors(dataset, factors)
    rng = np.random.default_rng(integer(seed, "seed", at_least=0))
    # All draws come before the first image, so that each image is encoded once.
    num_votes = choice.num_train_votes + choice.num_test_votes
    candidates = fixable_factors(dataset, chosen, choice.verbatim)
    shared, pairs = draw_pairs(dataset, num_votes, choice.batch_size, rng, candidates)
    encoding = encode_factors(
        dataset,
        encode,
        pairs.reshape(-1, pairs.shape[-1]),
        rng=rng,
        encode_once=encode_once,
        batch_size=encode_batch_size,
        progress=progress,
    )
    categorical = categorical_columns(columns, encoding.num_latents)
    features = mean_differences(encoding, choice.batch_size, categorical)
    if choice.scale_codes:
        features = features / _deviation(encoding, categorical)
    if categorical.any():
        note += ", categorical=differs"
    names = tuple(dataset.factor_names[k] for k in chosen)
    note += rows_note(dataset)
    choice = dataclasses.replace(choice, name=choice.name + note)
    return _score(features, np.searchsorted(chosen, shared), names, choice)


def draw_pairs(
    dataset: Dataset,
    num_votes: int,
    batch_size: int,
    rng: np.random.Generator,
    candidates: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Draws the factor that each vote shares, and the factors of its pairs.

    The second image of a pair takes the shared factor's value of the first, after the
    joint draw: in a set with correlated factors the others are not conditioned on it.

    Returns:
        `shared` int64 [V] and `pairs` int64 [2, V, B, K].
    """
    shared = rng.choice(candidates, size=num_votes)
    factors = sample_factors(dataset, 2 * num_votes * batch_size, rng)
    pairs = factors.reshape(2, num_votes, batch_size, -1)
    fixed = shared.repeat(batch_size)
    first, second = pairs.reshape(2, num_votes * batch_size, -1)
    values = first[np.arange(len(first)), fixed]
    pairs[1] = with_values(dataset, second, fixed, values, rng).reshape(pairs[1].shape)
    return shared, pairs


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
    block = max(1, _CODES_PER_BLOCK // (batch_size * encoding.num_latents))
    for start in range(0, len(first), block):
        part = slice(start, start + block)
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
