"""FactorVAE score: does fixing a factor freeze one latent, always the same one?

One vote: draw a factor k and B images that share its value and vary in the others; the
latent with the smallest variance, relative to its variance over the whole set, votes
for k:

    d* = argmin_d Var_B[z_d] / Var[z_d]                            (Kim & Mnih, fig. 2)

A majority vote c(d) = argmax_k V[d, k] over the training votes is the classifier; its
accuracy on fresh votes is the score.

References:
    Kim and Mnih (2018), Disentangling by Factorising, arXiv 1802.05983.
    Locatello et al. (2019), Challenging Common Assumptions, arXiv 1811.12359.
    Ansari and Soh (2019), Hyperprior Induced Unsupervised Disentanglement of Latent
    Representations, arXiv 1809.04497.
    Mathieu et al. (2019), Disentangling Disentanglement, arXiv 1812.02833.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_disentangle.checks import integer
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics.encoding import Encoding
from tf_disentangle.metrics.protocol import (
    FACTOR_VAE_PROTOCOLS,
    FactorVAEProtocol,
    named_protocol,
)
from tf_disentangle.metrics.samples import (
    Samples,
    categorical_columns,
    check_codes,
    one_hot,
)
from tf_disentangle.metrics.sources import Draws, Source
from tf_disentangle.metrics.votes import blocks, is_test, source_of


@dataclasses.dataclass(frozen=True, eq=False)
class FactorVAEScore:
    """Result of `factor_vae_score`.

    Attributes:
        score: Accuracy on the test votes of the classifier that is fitted to the train
            votes, in [0, 1], higher is better; about 1/K for codes without information
            and 0 if no latent is active.
        train_score: Accuracy of the same classifier on the votes that made it.
        votes: int64 [L, K], train votes of each latent for each factor. Row d is latent
            d of the codes, pruned or not.
        test_votes: int64 [L, K], the same for the test votes.
        assignments: int64 [L], the factor that each latent stands for in the
            classifier; -1 for a latent that won no train vote.
        active: bool [L], False for pruned and for constant latents.
        num_active: Number of active latents.
        factor_names: Names of the K factors that were scored.
        protocol: Its name, with any value that was overridden.
    """

    score: float
    train_score: float
    votes: np.ndarray
    test_votes: np.ndarray
    assignments: np.ndarray
    active: np.ndarray
    num_active: int
    factor_names: tuple[str, ...]
    protocol: str

    @property
    def factor_of_latent(self) -> tuple[str, ...]:
        """The name of each latent's factor, "" without one: notes for traversals."""
        return tuple(self.factor_names[k] if k >= 0 else "" for k in self.assignments)

    @property
    def factor_scores(self) -> np.ndarray:
        """Accuracy on each factor's test votes, float64 [K], in [0, 1].

        It shows which factors are missed; NaN for a factor without a test vote. `score`
        is their mean, weighted by the number of test votes. The first factor also gets
        the votes of latents without train votes.
        """
        right = self.votes.argmax(axis=1)[:, None] == np.arange(self.votes.shape[1])
        with np.errstate(invalid="ignore"):
            return (self.test_votes * right).sum(axis=0) / self.test_votes.sum(axis=0)

    def table(self) -> str:
        """Returns the train votes as text, one row per latent, and `factor_scores`."""
        width = max(8, *map(len, self.factor_names)) + 2
        head = "latent" + "".join(f"{name:>{width}}" for name in self.factor_names)
        lines = [f"{head}  stands for"]
        for latent, votes in enumerate(self.votes):
            cells = "".join(f"{count:>{width}}" for count in votes)
            name = (
                self.factor_of_latent[latent] if self.active[latent] else "(inactive)"
            )
            lines.append(f"z{latent:<5}{cells}  {name}")
        scores = "".join(f"{score:>{width}.2f}" for score in self.factor_scores)
        return "\n".join([*lines, f"score {scores}  of the test votes"])


def factor_vae_score(
    codes: np.ndarray,
    factors: np.ndarray,
    test_codes: np.ndarray | None = None,
    test_factors: np.ndarray | None = None,
    *,
    seed: int = 0,
    protocol: str = "dlib",
    batch_size: int | None = None,
    num_variance_samples: int | None = None,
    num_train_votes: int | None = None,
    num_test_votes: int | None = None,
    prune_threshold: float | None = None,
    student_t_df: float | None = None,
    columns: Sequence[CodeColumn] | None = None,
) -> FactorVAEScore:
    """Computes the FactorVAE score: is one latent fixed per factor? (Kim & Mnih, 2018).

    Conventions where the definition leaves a choice: a constant latent is never active
    (its 0/0 would win every vote); a factor with one value is never voted on, since
    fixing it says nothing; equal variances vote for the first latent and equal votes
    for the first factor; a latent without train votes is read as factor 0 in the test
    votes, as the study's code does. The variance of a categorical column is that of its
    one-hot vector, 1 - sum of squared shares ("gini").

    A batch is drawn with replacement from the rows that have the fixed value
    ("fixed=rows"). On a full grid the value is put into a joint draw instead, so that
    the other factors are not conditioned on it.

    Args:
        codes: Numbers [N, L]; see `samples` for what is accepted.
        factors: Labels [N, K].
        test_codes: Numbers [M, L]; None holds out a third of the rows.
        test_factors: Labels [M, K].
        seed: Seed of all draws, at least 0.
        protocol: Key of `FACTOR_VAE_PROTOCOLS`: "dlib", "chyvae" or "decomposition",
            and the first two with "-verbatim" for what their code does with constant
            latents and factors of one value.
        batch_size: Images per vote, at least 2. This and the next five override the
            protocol's value, and the result's protocol says so.
        num_variance_samples: Images behind the global variance, at least 2.
        num_train_votes: At least 1.
        num_test_votes: At least 1.
        prune_threshold: Standard deviation below which a latent is not active, at
            least 0.
        student_t_df: Degrees of freedom, above 0, of a prior whose latents are
            Student-t: before all else, codes are mapped to N(0, 1) by Phi^-1(F_t(z)),
            as Mathieu et al. do. None maps nothing.
        columns: What the L columns hold; None treats all as continuous.

    Raises:
        ArgumentError: If the arrays break a rule of `samples`, a number is invalid, no
            factor has two values, or the protocol is unknown.
    """
    choice = named_protocol(
        FACTOR_VAE_PROTOCOLS,
        protocol,
        batch_size=batch_size,
        num_variance_samples=num_variance_samples,
        num_train_votes=num_train_votes,
        num_test_votes=num_test_votes,
        prune_threshold=prune_threshold,
        student_t_df=student_t_df,
    )
    source = source_of(
        codes, factors, test_codes, test_factors, seed=seed, columns=columns
    )
    choice = dataclasses.replace(choice, name=choice.name + source.votes_note)
    rng = np.random.default_rng(integer(seed, "seed", at_least=0))
    candidates = source.fixable(choice.verbatim)
    # All draws come before the first code, so that each image is encoded once.
    reference = source.sample(choice.num_variance_samples, rng)
    num_test_votes = 0 if choice.same_votes else choice.num_test_votes
    votes = (choice.num_train_votes, num_test_votes)
    fixed, batches = draw_votes(source, votes, choice.batch_size, rng, candidates)
    encoding = source.encode(Draws.joined([reference, batches]), rng)
    fixed = np.searchsorted(source.scored, fixed)
    return _score(encoding, fixed, source.scored_names, choice, columns)


def _score(
    encoding: Encoding,
    fixed: np.ndarray,
    factor_names: tuple[str, ...],
    choice: FactorVAEProtocol,
    columns: Sequence[CodeColumn] | None,
) -> FactorVAEScore:
    """Counts the votes of codes that come in the order of `factor_vae_score`."""
    num_train, num_reference = choice.num_train_votes, choice.num_variance_samples
    name = choice.name
    starts: np.ndarray | None = None
    if choice.student_t_df is not None:
        is_label = categorical_columns(columns, encoding.num_latents)
        codes = normal_of_student_t(encoding.codes, choice.student_t_df)
        encoding = Encoding(np.where(is_label, encoding.codes, codes), encoding.row)
    if columns is not None:
        encoding, starts = _one_hot_encoding(encoding, columns)
        if encoding.num_latents > len(starts):
            name += ", categorical=gini"
    variance = _variance(encoding[:num_reference], 0, starts)
    active = np.sqrt(variance) >= choice.prune_threshold
    if not choice.verbatim:
        active &= variance > 0
    shape = (len(variance), len(factor_names))
    votes, test_votes = np.zeros((2, *shape), np.int64)
    if active.any():
        draws = np.arange(num_reference, len(encoding.row)).reshape(len(fixed), -1)
        winner = lowest_variance_latent(encoding, draws, variance, active, starts)
        np.add.at(votes, (winner[:num_train], fixed[:num_train]), 1)
        np.add.at(test_votes, (winner[num_train:], fixed[num_train:]), 1)
    if choice.same_votes:
        test_votes = votes
    return FactorVAEScore(
        score=vote_accuracy(votes, test_votes),
        train_score=vote_accuracy(votes, votes),
        votes=votes,
        test_votes=test_votes,
        assignments=np.where(votes.any(axis=1), votes.argmax(axis=1), -1),
        active=active,
        num_active=len(active) if choice.verbatim else int(active.sum()),
        factor_names=factor_names,
        protocol=name,
    )


def normal_of_student_t(codes: np.ndarray, df: float) -> np.ndarray:
    """Maps Student-t numbers to normal ones of equal probability, Phi^-1(F_t(z)).

    It uses the tail probability, which keeps its digits where F_t(z) is rounded to 1.
    """
    from scipy import stats  # Half a second of every start.

    tail = stats.t.sf(np.abs(codes), df)
    return (np.sign(codes) * stats.norm.isf(tail)).astype(codes.dtype)


def _one_hot_encoding(
    encoding: Encoding, columns: Sequence[CodeColumn]
) -> tuple[Encoding, np.ndarray]:
    """Categorical columns as one column per category.

    Returns:
        The encoding, and `starts` int64 [L], the first of each latent's columns.
    """
    codes, num_categories = check_codes(
        encoding.codes, columns=columns, rows_counted=True
    )
    features, latent = one_hot(Samples(codes, codes, (), num_categories))
    starts = np.searchsorted(latent, np.arange(codes.shape[1]))
    return Encoding(features, encoding.row), starts


def _variance(codes: np.ndarray, axis: int, starts: np.ndarray | None) -> np.ndarray:
    """Variance along an axis, that of a latent's columns added up.

    The variance of equal codes is 0 exactly, not a rounding error: the sum of equal
    float32 numbers is exact in float64, that of equal float64 numbers is not.
    """
    variance = codes.var(axis=axis, ddof=1, dtype=np.float64)
    if codes.dtype != np.float32:
        variance[codes.max(axis=axis) == codes.min(axis=axis)] = 0.0
    return variance if starts is None else np.add.reduceat(variance, starts, axis=-1)


def draw_votes(
    source: Source,
    num_votes: tuple[int, int],
    batch_size: int,
    rng: np.random.Generator,
    candidates: np.ndarray,
) -> tuple[np.ndarray, Draws]:
    """Draws the factor that each vote fixes, and the batch of each.

    The whole batch takes the value that its first draw has for the fixed factor.

    Args:
        source: What is drawn from.
        num_votes: Numbers of train and of test votes, V in all.
        batch_size: B.
        rng: Generator of all draws.
        candidates: Factors that may be fixed.

    Returns:
        `fixed` int64 [V], and V B draws, one vote after the other.
    """
    fixed = rng.choice(candidates, size=sum(num_votes))
    test = is_test(*num_votes, batch_size)
    draws = source.sample(len(test), rng, test)
    first = draws.factors[::batch_size][np.arange(len(fixed)), fixed]
    values = first.repeat(batch_size)
    return fixed, source.hold(draws, fixed.repeat(batch_size), values, rng, test)


def lowest_variance_latent(
    encoding: Encoding,
    draws: np.ndarray,
    variance: np.ndarray,
    active: np.ndarray,
    starts: np.ndarray | None = None,
) -> np.ndarray:
    """Finds the active latent with the least relative variance in each batch.

    Args:
        encoding: Codes of all draws.
        draws: int [V, B], the draws that make up each batch.
        variance: float64 [L], over the whole set.
        active: bool [L], at least one True; the others never win.
        starts: int64 [L], the first column of the codes of each latent; None where
            each latent has one.

    Returns:
        int64 [V], the first of them where several are equal.
    """
    winner = np.empty(len(draws), np.int64)
    scale = np.where(active, variance, 1.0)
    for block in blocks(len(draws), draws.shape[1] * encoding.num_latents):
        batches = encoding[draws[block]]
        with np.errstate(divide="ignore", invalid="ignore"):
            # An active constant latent, only in "verbatim": 0/0, which argmin takes.
            within = _variance(batches, 1, starts) / scale
        within[:, ~active] = np.inf
        winner[block] = within.argmin(axis=1)
    return winner


def vote_accuracy(train_votes: np.ndarray, votes: np.ndarray) -> float:
    """Accuracy on `votes` [L, K] of the majority classifier of `train_votes` [L, K].

    0.0 where there are no votes, that is, where no latent is active.
    """
    if not votes.any():
        return 0.0
    factor = train_votes.argmax(axis=1)
    return float(votes[np.arange(len(votes)), factor].sum() / votes.sum())
