"""What is shared by the metrics that draw their own batches of images.

The BetaVAE and FactorVAE scores draw votes, and the strong downstream score draws
held-out combinations; all of them hold one factor fixed while the others vary. Each can
be called with codes and factors, whose rows it then draws from, or with a `Source`,
which `metric.Metric.on_data` passes for a data set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics.encoding import Encoding
from tf_disentangle.metrics.samples import check_samples, check_split
from tf_disentangle.metrics.sources import Source, TableSource
from tf_disentangle.metrics.tables import ROWS_SPLIT, column_names, split_rows

# Codes that are gathered at once; bounds the memory.
_CODES_PER_BLOCK = 2**20


def source_of(
    codes: Any,
    factors: Any,
    test_codes: Any = None,
    test_factors: Any = None,
    *,
    seed: int,
    columns: Sequence[CodeColumn] | None,
) -> Source:
    """Returns what a metric of votes draws from.

    Args:
        codes: Numbers [N, L]; or a `Source`, which is returned as it is.
        factors: Labels [N, K].
        test_codes: Numbers [M, L] of which test batches are drawn; None holds out a
            third of the rows.
        test_factors: Labels [M, K].
        seed: Seed of that split, at least 0.
        columns: What the L columns hold.

    Raises:
        ArgumentError: If the arrays break a rule of `samples`.
    """
    if isinstance(codes, Source):
        return codes
    options: dict[str, Any] = {"names": column_names(factors)}
    if test_codes is None and test_factors is None:
        samples = check_samples(codes, factors, columns=columns)
        codes, table = samples.codes, samples.factors
        parts = split_rows(np.arange(len(codes)), seed)
        options |= {"sizes": samples.num_values, "note": ROWS_SPLIT}
    else:
        train, test, _ = check_split(
            codes, factors, test_codes, test_factors, columns=columns
        )
        codes = np.concatenate([train.codes, test.codes])
        table = np.concatenate([train.factors, test.factors])
        rows = np.arange(len(codes))
        parts = rows[: len(train.codes)], rows[len(train.codes) :]
        options["sizes"] = train.num_values
    return TableSource(table, lambda rows, _: Encoding(codes, rows), parts, **options)


def is_test(num_train: int, num_test: int, batch_size: int = 1) -> np.ndarray:
    """Which draws are of test votes, bool [(num_train + num_test) batch_size]."""
    return np.repeat([False, True], [num_train * batch_size, num_test * batch_size])


def blocks(count: int, codes_each: int) -> Iterator[slice]:
    """Slices of `count` votes, each of a bounded number of codes."""
    size = max(1, _CODES_PER_BLOCK // codes_each)
    return (slice(start, start + size) for start in range(0, count, size))
