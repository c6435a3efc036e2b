"""What a metric draws from: made of a data set and an encoder, or of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from tf_disentangle.checks import integer, require
from tf_disentangle.interfaces import Dataset, Encoder, PosteriorEncoder
from tf_disentangle.metrics.encoding import (
    EncodedFactors,
    Encoding,
    draw_codes,
    encode_images,
)
from tf_disentangle.metrics.rows import ROWS_SPLIT, split_rows
from tf_disentangle.metrics.sources import (
    FactorEncoder,
    GridSource,
    Source,
    TableSource,
)


def source_of_data(
    data: Dataset,
    encoder: Encoder,
    *,
    seed: int,
    factors: Any = None,
    **encoding: Any,
) -> Source:
    """Returns what a metric draws from a data set and an encoder.

    Args:
        data: A set with known factors. One whose images are all there is ("known_rows",
            and either combinations without an image or several images of one) is a
            table; any other set renders what is drawn.
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
        "Score such a set by a metric that needs no factors.",
    )
    integer(encoding.get("batch_size", 1), "encode_batch_size", at_least=1)
    if not is_table(data):
        return GridSource(data, encoder, factors, **encoding)
    table = np.asarray(data.factors_of(np.arange(len(data))), np.int64)
    # Images of equal factors are the same image, unless they are drawn at random.
    groups = np.arange(len(table))
    if "stochastic_images" not in data.traits:
        groups = np.unique(table, axis=0, return_inverse=True)[1].reshape(-1)

    def codes_of(rows: np.ndarray, rng: np.random.Generator) -> Encoding:
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
    """Whether the images of a set are all there is, each with its row of factors."""
    several = {"stochastic_images", "indexed_images"} <= data.traits
    return "known_rows" in data.traits and (
        "missing_combinations" in data.traits or several
    )


def source_of_codes(
    codes: np.ndarray,
    table: np.ndarray,
    parts: tuple[np.ndarray, np.ndarray],
    **options: Any,
) -> TableSource:
    """Returns the rows of checked codes [N, L] with labels [N, K]: a `TableSource`."""

    def codes_of(rows: np.ndarray, rng: np.random.Generator) -> Encoding:
        del rng
        return Encoding(codes, rows)

    return TableSource(table, codes_of, parts, **options)


def codes_of_images(
    data: Dataset,
    encoder: Encoder,
    n: int,
    rng: np.random.Generator,
    batch_size: int,
) -> tuple[np.ndarray, str]:
    """Codes of training images, for a set without known factors.

    They are drawn with replacement as factors are, or all taken where there are fewer.

    Returns:
        Codes [m, L], and what the protocol's name must add.
    """
    if isinstance(encoder, EncodedFactors):
        encoder = encoder.encoder  # Without factors it has nothing to look up.
    size = min(n, len(data))
    rows = np.arange(size) if size < n else rng.integers(len(data), size=size)
    images = data.images()
    starts = range(0, size, integer(batch_size, "encode_batch_size", at_least=1))
    batches = [images[rows[i : i + batch_size]] for i in starts]
    if isinstance(encoder, PosteriorEncoder) and encoder.sampled:
        known = np.concatenate([encoder.parameters(batch) for batch in batches])
        codes = draw_codes(Encoding(known, np.arange(size)), encoder, rng).codes
    else:
        codes = np.concatenate([np.asarray(encoder(batch)) for batch in batches])
    return codes, ", training images"
