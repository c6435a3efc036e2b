"""Unsupervised disentanglement ranking: a disentangled model is found again.

Models that disentangle agree on their latents up to order, sign and scale; each
entangled one differs in its own way. Let R_ij [a, b] measure how strongly latent a of
model i and latent b of model j are related:

    UDR_ij = 1/(d_i + d_j) ( sum_b max_a R_ab^2 / sum_a R_ab
                           + sum_a max_b R_ab^2 / sum_b R_ab )

where the sums run over the informative latents, d_i and d_j in number; the score of a
model is the median over the others. R is |w| of a Lasso that predicts one model's
standardised latents from the other's, or |Spearman's correlation|.

References:
    Duan et al. (2020), Unsupervised Model Selection for Variational Disentangled
    Representation Learning, arXiv 1905.12614.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_disentangle.checks import integer, one_of, real, require
from tf_disentangle.metrics.samples import check_codes
from tf_disentangle.progress import progress_bar

_SIMILARITIES = ("lasso", "spearman")
_WEIGHTINGS = ("latents", "axes")
_STUDY_KL = 0.01  # Nats; the reference sets a latent with at most this to 0.


@dataclasses.dataclass(frozen=True, eq=False)
class UDRScore:
    """Result of `udr_score`.

    Attributes:
        score: Median of the models' scores, in [0, 1] but for Lasso weights above 1;
            higher is better.
        model_scores: float64 [M], by which to choose: higher is better.
        ranking: int64 [M], the models from the best to the worst.
        pairs: float64 [M, M], UDR_ij; row i predicts column j; the diagonal is NaN.
        similarities: R_ij by (i, j), float64 [L_i, L_j], uninformative latents 0.
        informative: bool [L_i] of each model.
        protocol: "udr" or "dlib", with the similarity and any overridden value.
    """

    score: float
    model_scores: np.ndarray
    ranking: np.ndarray
    pairs: np.ndarray
    similarities: dict[tuple[int, int], np.ndarray]
    informative: tuple[np.ndarray, ...]
    protocol: str


def udr_score(
    codes: Sequence[np.ndarray],
    kl_per_latent: Sequence[np.ndarray] | None = None,
    *,
    similarity: str = "lasso",
    weighting: str = "latents",
    kl_threshold: float = 0.01,
    alpha: float = 0.1,
    max_iter: int = 10_000,
    progress: bool | None = None,
) -> UDRScore:
    """Ranks models by how well each is found again in the others.

    Compare models that differ in their seed only ("UDR"), or all of a sweep ("A2A").

    Args:
        codes: Codes [N, L_i] of M models, at least 2, for the same N images in the same
            order; L_i may differ.
        kl_per_latent: For each model the mean KL(q(z_d|x) || p(z_d)) [L_i] in nats, at
            least 0. None takes every latent as informative. A constant latent never is.
        similarity: "lasso" or "spearman".
        weighting: "latents" is the sum above, as in the paper. "axes" follows the
            reference code: rows and columns are averaged separately, then the two
            averages are averaged, and latents of at most 0.01 nats are set to 0
            whatever the threshold. The two differ where the models have different
            numbers of informative latents, and for other thresholds.
        kl_threshold: Nats that an informative latent exceeds, at least 0.
        alpha: Weight of the Lasso's penalty, above 0, for standardised latents.
        max_iter: Maximal number of rounds of the Lasso, at least 1; the reference code
            has 1,000.
        progress: Whether to show a bar on stderr; None shows it on a terminal only.

    Returns:
        A score for each model. A model without informative latents scores 0, and so
        does every pair that it is in.

    Raises:
        ArgumentError: If there are fewer than 2 models, their rows or the KLs do not
            fit, or a number is invalid.
    """
    one_of(similarity, _SIMILARITIES, "similarity")
    one_of(weighting, _WEIGHTINGS, "weighting")
    real(kl_threshold, "kl_threshold", at_least=0.0)
    real(alpha, "alpha", above=0.0)
    integer(max_iter, "max_iter", at_least=1)
    checked = _checked_codes(codes)
    informative = _informative(checked, kl_per_latent, kl_threshold)
    used = informative
    if weighting == "axes":
        used = _informative(checked, kl_per_latent, _STUDY_KL)
    ready = [_standardised(*pair) for pair in zip(checked, used, strict=True)]
    count = len(ready)
    pairs, similarities = np.full((count, count), np.nan), {}
    order = [(i, j) for i in range(count) for j in range(count) if i != j]
    for i, j in progress_bar(order, desc="udr", unit="pair", shown=progress):
        if similarity == "lasso":
            matrix = lasso_similarity(ready[i], ready[j], alpha, max_iter)
        else:
            matrix = spearman_similarity(ready[i], ready[j])
        similarities[i, j] = matrix
        kept = matrix[np.ix_(informative[i], informative[j])]
        pairs[i, j] = relative_strength(kept, weighting)
    # A model's column: how well the others predict it, as in the reference.
    scores = np.nanmedian(pairs, axis=0)
    changed = {
        "kl_threshold": (kl_threshold, 0.01),
        "alpha": (alpha, 0.1),
        "max_iter": (max_iter, 10_000),
    }
    name = "udr" if weighting == "latents" else "dlib"
    parts = [f"{k}={v}" for k, (v, usual) in changed.items() if v != usual]
    return UDRScore(
        score=float(np.median(scores)),
        model_scores=scores,
        ranking=np.argsort(-scores, kind="stable"),
        pairs=pairs,
        similarities=similarities,
        informative=informative,
        protocol=", ".join([name, similarity, *parts]),
    )


def _checked_codes(codes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Returns the codes of at least 2 models, all with the same number of rows."""
    remedy = "Give a list with the codes of each model."
    require(len(codes) >= 2, "codes", "be of at least 2 models", len(codes), remedy)
    checked = [check_codes(c, argument=f"codes[{i}]")[0] for i, c in enumerate(codes)]
    rows = [len(c) for c in checked]
    same = "be of the same images, in the same order"
    require(len(set(rows)) == 1, "codes", same, f"rows {rows}")
    return checked


def _informative(
    codes: Sequence[np.ndarray],
    kl_per_latent: Sequence[np.ndarray] | None,
    threshold: float,
) -> tuple[np.ndarray, ...]:
    """Which latents count, bool [L_i] of each model."""
    masks = [np.ptp(c, axis=0) > 0 for c in codes]
    if kl_per_latent is None:
        return tuple(masks)
    rule = f"have one entry for each of the {len(codes)} models"
    require(len(kl_per_latent) == len(codes), "kl_per_latent", rule, len(kl_per_latent))
    for i, kl in enumerate(kl_per_latent):
        kl, name = np.asarray(kl, np.float64), f"kl_per_latent[{i}]"
        rule = f"have shape ({len(masks[i])},)"
        require(kl.shape == masks[i].shape, name, rule, kl.shape)
        require(np.isfinite(kl).all(), name, "be finite", kl)
        masks[i] &= kl > threshold
    return tuple(masks)


def _standardised(codes: np.ndarray, informative: np.ndarray) -> np.ndarray:
    """Codes with mean 0 and variance 1 (ddof 0); uninformative columns are 0."""
    codes = codes.astype(np.float64)
    deviation = np.where(informative, codes.std(axis=0), 1.0)
    return (codes - codes.mean(axis=0)) / deviation * informative


def lasso_similarity(
    first: np.ndarray, second: np.ndarray, alpha: float, max_iter: int = 10_000
) -> np.ndarray:
    """|weights| of the Lasso that predicts `second` [N, B] from `first` [N, A].

    Returns:
        float64 [A, B].
    """
    from sklearn.linear_model import Lasso  # takes a second to import

    model = Lasso(alpha=alpha, max_iter=max_iter)
    weights = model.fit(first, second).coef_
    return np.abs(weights).reshape(second.shape[1], first.shape[1]).T


def spearman_similarity(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """|Spearman's correlation| of columns of [N, A] and [N, B], float64 [A, B].

    A constant column correlates with nothing: 0.
    """
    from scipy import stats  # Half a second of every start.

    ranks = [stats.rankdata(codes, axis=0) for codes in (first, second)]
    ranks = [r - r.mean(axis=0) for r in ranks]
    lengths = [np.sqrt(np.sum(r**2, axis=0)) for r in ranks]
    units = [r / np.where(s > 0, s, 1.0) for r, s in zip(ranks, lengths, strict=True)]
    return np.abs(units[0].T @ units[1])


def relative_strength(similarity: np.ndarray, weighting: str = "latents") -> float:
    """UDR_ij of a matrix [A, B] of informative latents; 0 if there are none.

    A latent that goes together with none of the other model's adds 0.
    """
    if not similarity.size:
        return 0.0
    parts = []
    for axis in (0, 1):
        total = similarity.sum(axis=axis)
        square = similarity.max(axis=axis) ** 2
        parts.append(
            np.divide(square, total, out=np.zeros_like(total), where=total > 0)
        )
    if weighting == "axes":
        return float((parts[0].mean() + parts[1].mean()) / 2)
    return float((parts[0].sum() + parts[1].sum()) / sum(similarity.shape))
