"""Where a metric draws its samples: a grid of images, or the rows of a table.

A metric first draws all that it needs and then asks for the codes, so that each image
is encoded once. From a full grid, and from any set that renders what is asked for,
factors are drawn as the published protocols draw them. From a *table* (given images or
codes, each with a row of factors), rows are drawn. The rows are split first into two
thirds train rows and one third test rows, so that nothing is tested on what it was
fitted to.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tf_disentangle.checks import integer, require, see
from tf_disentangle.interfaces import Dataset, Encoder
from tf_disentangle.metrics.encoding import (
    Encoding,
    FactorEncoder,
    encode_factors,
    encode_images,
)
from tf_disentangle.metrics.tables import ROWS_SPLIT, scored_factors, split_rows

Generator = np.random.Generator
#: Whether draws come from the test part: all or none of them, or bool [n].
Part = np.ndarray | bool


@dataclasses.dataclass(frozen=True, eq=False)
class Draws:
    """Factors of n draws, int64 [n, K], and for a table their rows, int64 [n]."""

    factors: np.ndarray
    rows: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.factors)

    def __getitem__(self, part: slice) -> Draws:
        """Returns some of the draws."""
        rows = None if self.rows is None else self.rows[part]
        return Draws(self.factors[part], rows)

    @staticmethod
    def joined(parts: Sequence[Draws]) -> Draws:
        """Returns the draws of all parts, one after the other."""
        rows = None
        if parts[0].rows is not None:
            rows = np.concatenate([part.rows for part in parts])
        return Draws(np.concatenate([part.factors for part in parts]), rows)


class Source(abc.ABC):
    """What a metric draws from.

    Attributes:
        factor_names: Name of each of the K factors.
        factor_sizes: Number of values of each factor.
        scored: Positions of the factors to score, ascending int64; others still vary.
        note: Note about the factors for the protocol's name.
        split_note: Note for a test part.
        hold_note: Note for where a factor is held fixed.
    """

    factor_names: tuple[str, ...]
    factor_sizes: tuple[int, ...]
    scored: np.ndarray
    note: str
    split_note: str = ""
    hold_note: str = ""

    @abc.abstractmethod
    def sample(self, n: int, rng: Generator, test: Part = False) -> Draws:
        """Draws n samples."""

    @abc.abstractmethod
    def hold(
        self,
        draws: Draws,
        fixed: np.ndarray,
        values: np.ndarray,
        rng: Generator,
        test: Part = False,
    ) -> Draws:
        """Returns draws; in draw i, factor `fixed[i]` has the value `values[i]`."""

    @abc.abstractmethod
    def encode(self, draws: Draws, rng: Generator) -> Encoding:
        """Returns the codes of all draws."""

    def take(self, n: int, rng: Generator, test: bool, is_split: bool) -> Draws:
        """Draws n samples, or takes all of a smaller table.

        Args:
            n: At least 1.
            rng: Generator of the draw.
            test: Whether to draw from the test part.
            is_split: Whether there is a test part; else all rows may be drawn.
        """
        del is_split
        return self.sample(n, rng, test)

    def values_of(self, factor: int, test: bool = False) -> np.ndarray:
        """Returns the values of a factor that can be drawn, ascending."""
        del test
        return np.arange(self.factor_sizes[factor])

    def fixable(self, one_valued: bool = False) -> np.ndarray:
        """Returns those of the scored factors that a vote may fix.

        Args:
            one_valued: Whether to keep factors with one value; fixing these says
                nothing.

        Raises:
            ArgumentError: If none is left.
        """
        sizes = np.asarray(self.factor_sizes)
        kept = self.scored if one_valued else self.scored[sizes[self.scored] > 1]
        rule = "have a factor with two values or more"
        received = f"factor_sizes {tuple(self.factor_sizes)}"
        require(kept.size > 0, "data", rule, received)
        return kept

    @property
    def votes_note(self) -> str:
        """What the protocol's name of a metric must add that holds factors."""
        return f"{self.note}{self.hold_note}{self.split_note}"

    @property
    def scored_names(self) -> tuple[str, ...]:
        """Names of the factors to score."""
        return tuple(self.factor_names[k] for k in self.scored)


class GridSource(Source):
    """A data set that renders the factors that are drawn."""

    def __init__(
        self, data: Dataset, encoder: Encoder, factors: Any = None, **encoding: Any
    ) -> None:
        """Keeps the arguments.

        Args:
            data: A set with known factors.
            encoder: Images to codes, or a `FactorEncoder`.
            factors: Names of those to score; None is all.
            **encoding: Options of `encode_factors`.
        """
        self.data, self.encoder, self.encoding = data, encoder, encoding
        self.factor_names, self.factor_sizes = data.factor_names, data.factor_sizes
        self.scored, self.note = scored_factors(data.factor_names, factors)
        self.hold_note = ""

    def sample(self, n: int, rng: Generator, test: Part = False) -> Draws:
        """Draws factors as the data set does, train and test part alike."""
        del test
        return Draws(sample_factors(self.data, n, rng))

    def hold(
        self,
        draws: Draws,
        fixed: np.ndarray,
        values: np.ndarray,
        rng: Generator,
        test: Part = False,
    ) -> Draws:
        """Sets the values after the joint draw.

        So in a set with correlated factors, the others are not conditioned on them.
        """
        factors = draws.factors.copy()
        factors[np.arange(len(factors)), fixed] = values
        return Draws(factors)

    def encode(self, draws: Draws, rng: Generator) -> Encoding:
        """Renders and encodes each distinct row of factors once."""
        if isinstance(self.encoder, FactorEncoder):
            codes = self.encoder.codes(draws.factors, rng)
            return Encoding(codes, np.arange(len(draws)))
        factors = draws.factors
        return encode_factors(
            self.data, self.encoder, factors, rng=rng, **self.encoding
        )


class TableSource(Source):
    """Rows of factors, each with a code of its own, split into train and test rows.

    Attributes:
        table: int64 [N, K].
        parts: The train rows and the test rows, in random order.
    """

    def __init__(
        self,
        table: np.ndarray,
        codes_of: Callable[[np.ndarray, Generator], Encoding],
        parts: tuple[np.ndarray, np.ndarray],
        *,
        names: Sequence[str] | None = None,
        sizes: Sequence[int] | None = None,
        factors: Any = None,
        note: str = "",
    ) -> None:
        """Keeps the arguments.

        Args:
            table: Labels 0, 1, ... of N rows, int64 [N, K].
            codes_of: Maps rows [n] to their codes.
            parts: Train rows and test rows.
            names: Names of the factors; factor0, factor1, ... by default.
            sizes: Numbers of values; by default one more than the largest.
            factors: Names of those to score; None is all.
            note: What the protocol's name adds for a test part.
        """
        self.table, self.codes_of, self.parts = table, codes_of, parts
        count = table.shape[1]
        self.factor_names = tuple(names or (f"factor{k}" for k in range(count)))
        self.factor_sizes = tuple(table.max(axis=0) + 1 if sizes is None else sizes)
        self.scored, self.note = scored_factors(self.factor_names, factors)
        self.split_note, self.hold_note = note, ", fixed=rows"
        self._sorted: dict[tuple[int, bool], tuple[np.ndarray, np.ndarray]] = {}

    def sample(self, n: int, rng: Generator, test: Part = False) -> Draws:
        """Draws rows of the part with replacement."""
        rows, test = np.empty(n, np.int64), np.broadcast_to(test, n)
        for part, pool in enumerate(self.parts):
            mine = test == bool(part)
            rows[mine] = pool[rng.integers(len(pool), size=np.count_nonzero(mine))]
        return Draws(self.table[rows], rows)

    def take(self, n: int, rng: Generator, test: bool, is_split: bool) -> Draws:
        """Draws n rows of the part, or takes all of them once if there are fewer."""
        pool = self.parts[int(test)] if is_split else np.concatenate(self.parts)
        rows = pool if len(pool) <= n else pool[rng.integers(len(pool), size=n)]
        return Draws(self.table[rows], rows)

    def hold(
        self,
        draws: Draws,
        fixed: np.ndarray,
        values: np.ndarray,
        rng: Generator,
        test: Part = False,
    ) -> Draws:
        """Draws rows of the part anew, among those that have the value."""
        test = np.broadcast_to(test, len(fixed))
        rows, place = np.empty(len(fixed), np.int64), rng.random(len(fixed))
        for part in (False, True):
            for factor in np.unique(fixed[test == part]):
                mine = (fixed == factor) & (test == part)
                order, starts = self._by_value(int(factor), part)
                first, last = starts[values[mine]], starts[values[mine] + 1]
                rule = "have a row of each value in its part"
                require(np.all(last > first), "factors", rule, f"factor {factor}")
                at = first + (place[mine] * (last - first)).astype(np.int64)
                rows[mine] = order[at]
        return Draws(self.table[rows], rows)

    def values_of(self, factor: int, test: bool = False) -> np.ndarray:
        """Returns the values that the part has."""
        return np.unique(self.table[self.parts[int(test)], factor])

    def encode(self, draws: Draws, rng: Generator) -> Encoding:
        """Returns the codes of the rows, each encoded once."""
        return self.codes_of(draws.rows, rng)

    def _by_value(self, factor: int, test: bool) -> tuple[np.ndarray, np.ndarray]:
        """The part's rows in order of a factor, and where each value begins."""
        if (factor, test) not in self._sorted:
            pool = self.parts[int(test)]
            order = pool[np.argsort(self.table[pool, factor], kind="stable")]
            edges = np.arange(self.factor_sizes[factor] + 1)
            starts = np.searchsorted(self.table[order, factor], edges)
            self._sorted[factor, test] = order, starts
        return self._sorted[factor, test]


def sample_factors(data: Dataset, n: int, rng: Generator) -> np.ndarray:
    """Draws factors, int64 [n, K], and checks what the set returned.

    The array is the caller's own to change.

    Raises:
        ArgumentError: If the draw is not [n, K] or a value lies outside its factor.
    """
    factors = np.array(data.sample_factors(n, rng), np.int64)
    sizes = np.asarray(data.factor_sizes)
    shape = (n, len(sizes))
    name = "data.sample_factors(n, rng)"
    require(factors.shape == shape, name, f"have shape {shape}", factors.shape)
    if n:
        low, high = factors.min(axis=0), factors.max(axis=0)
        require(
            np.all(low >= 0) and np.all(high < sizes),
            name,
            f"lie in [0, size) for factor sizes {tuple(data.factor_sizes)}",
            f"minima {low.tolist()}, maxima {high.tolist()}",
        )
    return factors


def source_of_data(
    data: Dataset, encoder: Encoder, *, seed: int, factors: Any = None, **encoding: Any
) -> Source:
    """Returns what a metric draws from a data set and an encoder.

    Args:
        data: A set with known factors. It is a table if its images are all there is (it
            has "known_rows", and some combinations have no image or several); any other
            set renders what is drawn.
        encoder: Images to codes.
        seed: Seed of the split of a table's rows, at least 0.
        factors: Names of those to score; None is all.
        **encoding: Options of `encode_factors`.

    Raises:
        ArgumentError: If the set has no factors, or a name is unknown or comes twice.
    """
    require(
        len(data.factor_names) > 0,
        "data",
        "have ground-truth factors",
        f"{type(data).__name__} with factor_names ()",
        f"Score such a set by a metric that needs no factors. {see('which_metric')}",
    )
    integer(encoding.get("batch_size", 1), "encode_batch_size", at_least=1)
    if not is_table(data):
        return GridSource(data, encoder, factors, **encoding)
    table = np.asarray(data.factors_of(np.arange(len(data))), np.int64)
    # Images of equal factors are the same image, unless they are drawn at random.
    groups = np.arange(len(table))
    if "stochastic_images" not in data.traits:
        groups = np.unique(table, axis=0, return_inverse=True)[1].reshape(-1)

    def codes_of(rows: np.ndarray, rng: Generator) -> Encoding:
        if isinstance(encoder, FactorEncoder):
            codes = encoder.codes(table[rows], rng)
            return Encoding(codes, np.arange(len(rows)))
        return encode_images(data, encoder, rows, rng=rng, **encoding)

    return TableSource(
        table,
        codes_of,
        split_rows(groups, seed),
        names=data.factor_names,
        sizes=data.factor_sizes,
        factors=factors,
        note=ROWS_SPLIT,
    )


def is_table(data: Dataset) -> bool:
    """Whether the images of a set are all there is, each with its row of factors.

    Raises:
        ArgumentError: If a set lacks combinations and does not know its images' rows:
            a factor could then be held fixed only by rendering combinations without an
            image.
    """
    lacks = "missing_combinations" in data.traits and "known_rows" not in data.traits
    rule = 'declare the trait "known_rows" beside "missing_combinations"'
    remedy = "Define factors_of(indices)."
    require(not lacks, "data", rule, sorted(data.traits), remedy)
    several = {"stochastic_images", "indexed_images"} <= data.traits
    return "known_rows" in data.traits and (
        "missing_combinations" in data.traits or several
    )
