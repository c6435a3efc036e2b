"""Checks of the arrays that metrics take: codes [N, L] and factors [N, K].

Every metric of arrays passes its arguments through `check_samples` or `check_split`, so
that all of them accept the same input and refuse it in the same words:

- Codes are numbers, all finite, at most 1e60 in size (in float32 1e15), so that no
  product of variances overflows. float32 stays float32 (the edges of bins depend on
  it), shorter floats become float32, other types float64. A constant latent is allowed.
- Codes that come without factors look transposed, and are refused, if there are ten
  times as many latents as rows, or more latents than rows and than 100.
- Factors are whole numbers of any type, negative ones too, or text. They are labels:
  each factor's distinct values become 0, 1, ... in ascending order, over the train and
  the test part together. Where a metric takes continuous factors, numbers stay as they
  are. A pandas.DataFrame is taken column by column, with labels of any type.
- A categorical column (`interfaces.CodeColumn.kind`) holds labels as a factor does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_disentangle.checks import ArgumentTypeError, message, require, require_type
from tf_disentangle.interfaces import CodeColumn, Dataset
from tf_disentangle.metrics.tables import (
    ROWS_SPLIT,
    relabelled,
    require_row_per_image,
    require_rows,
    split_rows,
    with_labels,
)

# Metrics multiply two variances in float64 and sum squares in the dtype of the codes.
_LARGEST = {
    np.dtype(np.float64): np.float64(1e60),
    np.dtype(np.float32): np.float64(1e15),
}
#: Floats that numpy does not know, by name; they fit into float32.
SMALL_FLOATS = frozenset({"bfloat16", "float8_e4m3fn", "float8_e5m2"})


@dataclasses.dataclass(frozen=True, eq=False)
class Samples:
    """Codes and factors of N images, checked and labelled.

    Attributes:
        codes: float32 or float64 [N, L]; a categorical column holds 0, 1, ...
        factors: int64 [N, K], labels 0, 1, ...; float64 if they are continuous.
        num_values: Number of labels of each of the K factors, including those that only
            the other part of a split has; 0 for continuous factors.
        num_categories: The same for each of the L columns; 0 for a continuous column.
    """

    codes: np.ndarray
    factors: np.ndarray
    num_values: tuple[int, ...]
    num_categories: tuple[int, ...]

    def rows(self, chosen: np.ndarray) -> Samples:
        """Returns some of the rows, with the labels of all."""
        codes, factors = self.codes[chosen], self.factors[chosen]
        return dataclasses.replace(self, codes=codes, factors=factors)

    @property
    def num_latents(self) -> int:
        """L."""
        return self.codes.shape[1]

    @property
    def num_factors(self) -> int:
        """K."""
        return self.factors.shape[1]

    @property
    def categorical(self) -> np.ndarray:
        """Which of the L columns hold a category, bool [L]."""
        return np.asarray(self.num_categories) > 0


def check_samples(
    codes: Any,
    factors: Any,
    *,
    columns: Sequence[CodeColumn] | None = None,
    continuous_factors: bool = False,
) -> Samples:
    """Checks codes and factors of the same images.

    Args:
        codes: Numbers [N, L], N at least 2.
        factors: Whole numbers [N, K]; any finite numbers if `continuous_factors`.
        columns: What the L columns hold; None treats all as continuous.
        continuous_factors: Whether factors are quantities, not labels.

    Raises:
        ArgumentError: For NaN or infinity (names the latents), another number of rows,
            transposed arrays, factors or categories that are not whole numbers, and
            `columns` of another length.
        ArgumentTypeError: If the arrays do not hold numbers.
    """
    (samples,) = _check([(codes, factors)], [""], columns, continuous_factors)
    return samples


def check_split(
    codes: Any,
    factors: Any,
    test_codes: Any = None,
    test_factors: Any = None,
    *,
    seed: int = 0,
    columns: Sequence[CodeColumn] | None = None,
    continuous_factors: bool = False,
) -> tuple[Samples, Samples, str]:
    """Checks a train and a test part, labelled together.

    A value that only one of the parts has keeps its own label. Without a test part the
    given rows are split by the seed: two thirds to train, one third to test.

    Args:
        codes: Numbers [N, L], as in `check_samples`.
        factors: As in `check_samples`.
        test_codes: Codes of other images, [M, L]; None splits the rows.
        test_factors: Factors of these, [M, K]; None if and only if `test_codes` is.
        seed: Seed of the split, at least 0.
        columns: As in `check_samples`.
        continuous_factors: As in `check_samples`.

    Returns:
        Both parts, and a note to add to the protocol's name.

    Raises:
        As `check_samples`, and ArgumentError where L or K differs between the parts,
        one half of a test part is missing, or fewer than 6 rows are to be split.
    """
    given = (test_codes is not None, test_factors is not None)
    rule = "be passed both or neither"
    require(len(set(given)) == 1, "test_codes and test_factors", rule, given)
    options = (columns, continuous_factors)
    if all(given):
        pairs = [(codes, factors), (test_codes, test_factors)]
        train, test = _check(pairs, ["", "test_"], *options)
        return train, test, ""
    (samples,) = _check([(codes, factors)], [""], *options)
    rows = split_rows(np.arange(len(samples.codes)), seed)
    train, test = (samples.rows(part) for part in rows)
    return train, test, ROWS_SPLIT


def check_codes(
    codes: Any,
    *,
    columns: Sequence[CodeColumn] | None = None,
    argument: str = "codes",
    rows_counted: bool = False,
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Checks codes that come without factors.

    Args:
        codes: Numbers [N, L], N at least 2.
        columns: As in `check_samples`.
        argument: What an error calls the codes.
        rows_counted: Whether it is known that there is one row per image, so that many
            latents for few images are not a mistake.

    Returns:
        `codes` and `num_categories` as in `Samples`.

    Raises:
        As `check_samples`.
    """
    codes = _number_matrix(codes, argument, "L")
    if not rows_counted:
        require_row_per_image(codes, argument)
    is_category = categorical_columns(columns, codes.shape[1])
    (codes,), num_categories = _label_categories([codes], is_category, [argument])
    return codes, num_categories


def categorical_columns(
    columns: Sequence[CodeColumn] | None, num_latents: int
) -> np.ndarray:
    """Returns which of the L columns hold a category, bool [L]."""
    if columns is None:
        return np.zeros(num_latents, bool)
    require(
        len(columns) == num_latents,
        "columns",
        f"have one entry for each of the {num_latents} latents",
        len(columns),
    )
    for column in columns:
        require_type(column, CodeColumn, "columns[i]")
    return np.array([column.kind == "categorical" for column in columns])


def varied_factors(samples: Samples, *, all_must: bool = False) -> np.ndarray:
    """Returns which of the K factors take two values or more in the samples, bool [K].

    Raises:
        ArgumentError: If none does, or where `all_must`, if one does not.
    """
    first = samples.factors[:1]
    varied = np.any(samples.factors != first, axis=0)
    require(
        varied.any(),
        "factors",
        "have a factor with two values or more",
        f"the one row {first[0].tolist()} for all {len(samples.factors)} images",
    )
    require(
        varied.all() or not all_must,
        "factors",
        "have two values or more of each factor",
        f"one value of factor {np.flatnonzero(~varied).tolist()}",
        "Without verbatim such factors are left out.",
    )
    return varied


def one_hot(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Writes each categorical column as one 0/1 column per category.

    Returns:
        `features` [N, F] with the dtype of the codes, and `latent` int64 [F], the
        column of the codes that each feature comes from. Without categorical columns
        these are the codes themselves and 0 ... L - 1.
    """
    parts = []
    for codes, count in zip(samples.codes.T, samples.num_categories, strict=True):
        if count:
            parts.append((codes[:, None] == np.arange(count)).astype(codes.dtype))
        else:
            parts.append(codes[:, None])
    latent = np.repeat(np.arange(len(parts)), [part.shape[1] for part in parts])
    return np.concatenate(parts, axis=1), latent


def _check(
    pairs: list[tuple[Any, Any]],
    prefixes: list[str],
    columns: Sequence[CodeColumn] | None,
    continuous_factors: bool,
) -> list[Samples]:
    code_names = [f"{prefix}codes" for prefix in prefixes]
    factor_names = [f"{prefix}factors" for prefix in prefixes]
    codes = [
        _number_matrix(pair[0], code_names[i], "L") for i, pair in enumerate(pairs)
    ]
    tables = with_labels([pair[1] for pair in pairs], factor_names)
    factors = [
        _number_matrix(table, factor_names[i], "K") for i, table in enumerate(tables)
    ]
    for i in range(len(pairs)):
        require_rows(codes[i], factors[i], code_names[i], factor_names[i])
    for parts, names, axis in ((codes, code_names, "L"), (factors, factor_names, "K")):
        width = parts[0].shape[1]
        require(
            all(part.shape[1] == width for part in parts),
            names[-1],
            f"have {axis} = {width} columns, as {names[0]} has",
            parts[-1].shape,
        )
    codes, num_categories = _label_categories(
        codes, categorical_columns(columns, codes[0].shape[1]), code_names
    )
    if continuous_factors:
        num_values = (0,) * factors[0].shape[1]
        factors = [part.astype(np.float64, copy=False) for part in factors]
    else:
        factors, num_values = _label_factors(factors, factor_names)
    return [
        Samples(c, f, num_values, num_categories)
        for c, f in zip(codes, factors, strict=True)
    ]


def _number_matrix(array: Any, argument: str, axis: str) -> np.ndarray:
    """Returns finite numbers [N, axis]; floats as float32 or float64."""
    if isinstance(array, Dataset):
        remedy = "For a data set call metrics.evaluate(data, encoder, ['mig'])."
        rule = f"be an array [N, {axis}]"
        raise ArgumentTypeError(message(argument, rule, array, remedy))
    array = np.asarray(array)
    if array.dtype.name in SMALL_FLOATS:
        array = array.astype(np.float32)
    remedy = "Add an axis: array[:, np.newaxis]." if array.ndim == 1 else ""
    require(array.ndim == 2, argument, f"have shape [N, {axis}]", array.shape, remedy)
    is_number = np.issubdtype(array.dtype, np.integer) or np.issubdtype(
        array.dtype, np.floating
    )
    if not (is_number or array.dtype == np.bool_):
        remedy = "Convert them: codes.astype(numpy.float32)." if axis == "L" else ""
        raise ArgumentTypeError(
            message(argument, "hold real numbers", array.dtype.name, remedy)
        )
    require(len(array) >= 2, argument, "have at least 2 rows", array.shape)
    require(array.shape[1] >= 1, argument, "have at least 1 column", array.shape)
    if not np.issubdtype(array.dtype, np.floating):
        return array if axis == "K" else array.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(array).all(axis=0))
    letter = "z" if axis == "L" else "factor "
    require(
        bad.size == 0,
        argument,
        "be finite",
        "NaN or infinity in " + ", ".join(f"{letter}{column}" for column in bad),
        "The encoder has diverged, or its checkpoint is damaged."
        if axis == "L"
        else "",
    )
    kept = np.dtype(np.float32 if array.dtype.itemsize <= 4 else np.float64)
    largest = _LARGEST[kept]
    large = np.flatnonzero(np.abs(array).max(axis=0) > largest)
    require(
        large.size == 0,
        argument,
        f"be at most {largest:g} in size",
        "larger values in " + ", ".join(f"{letter}{column}" for column in large),
        "Divide them by their standard deviation." if axis == "L" else "",
    )
    return array.astype(kept, copy=False)


def _label_factors(
    parts: list[np.ndarray], names: list[str]
) -> tuple[list[np.ndarray], tuple[int, ...]]:
    """Relabels each factor over all parts."""
    for part, name in zip(parts, names, strict=True):
        if np.issubdtype(part.dtype, np.floating):
            remedy = (
                "Number the values of a few levels by numpy.unique(column, "
                "return_inverse=True)[1]; cut a quantity into bins, as ImageTable does "
                "with num_bins."
            )
            _require_whole(part, name, "factor ", remedy)
    joined = np.concatenate(parts)
    labels = np.empty(joined.shape, np.int64)
    counts = []
    for k, values in enumerate(joined.T):
        labels[:, k], count = relabelled(values)
        counts.append(count)
    return np.split(labels, [len(parts[0])])[: len(parts)], tuple(counts)


def _label_categories(
    parts: list[np.ndarray], is_category: np.ndarray, names: list[str]
) -> tuple[list[np.ndarray], tuple[int, ...]]:
    """Relabels each categorical column over all parts; leaves the others."""
    counts = [0] * len(is_category)
    chosen = np.flatnonzero(is_category)
    if not chosen.size:
        return parts, tuple(counts)
    for part, name in zip(parts, names, strict=True):
        _require_whole(
            part, name, "z", "A categorical column holds the argmax.", chosen
        )
    joined = np.concatenate(parts)
    for d in chosen:
        joined[:, d], counts[d] = relabelled(joined[:, d])
    return np.split(joined, [len(parts[0])])[: len(parts)], tuple(counts)


def _require_whole(
    array: np.ndarray,
    argument: str,
    letter: str,
    remedy: str,
    columns: np.ndarray | None = None,
) -> None:
    """Raises unless the chosen columns hold whole numbers."""
    chosen = np.arange(array.shape[1]) if columns is None else columns
    bad = chosen[np.any(array[:, chosen] != np.rint(array[:, chosen]), axis=0)]
    require(
        bad.size == 0,
        argument,
        "hold whole numbers",
        "fractions in " + ", ".join(f"{letter}{column}" for column in bad),
        remedy,
    )
