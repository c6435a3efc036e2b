"""Encoding for the metrics that sample: each distinct image once.

Such a metric asks for up to two million images of a set that has fewer, so all factors
are drawn first, the distinct ones are rendered and encoded, and each draw looks up its
codes. For a deterministic set and encoder this gives the very codes that encoding every
draw would give.

Several metrics share the codes through `EncodedFactors`, which stands for `encode`:

    encoded = EncodedFactors(dataset, encode)
    factor_vae_score(dataset, encoded), beta_vae_score(dataset, encoded)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from tqdm import tqdm

from tf_disentangle.checks import (
    ArgumentTypeError,
    integer,
    message,
    require,
)
from tf_disentangle.interfaces import (
    Dataset,
    Encoder,
    RandomEncoder,
)

# Codes that are drawn at once from posteriors; bounds the memory.
_ROWS_PER_DRAW = 2**14

#: Factors [M, K], distinct rows, to codes float32 [M, L].
_Encode = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Encoding:
    """The codes of n draws, each distinct image held once.

    Attributes:
        codes: float32 [M, L], the codes of the M images that were encoded.
        row: int64 [n], for each draw its row of `codes`.
    """

    codes: np.ndarray
    row: np.ndarray

    @property
    def num_latents(self) -> int:
        """L."""
        return self.codes.shape[1]

    def __getitem__(self, draws: slice | np.ndarray) -> np.ndarray:
        """Codes of the selected draws, float32 [..., L]."""
        return self.codes[self.row[draws]]


class EncodedFactors:
    """An encoder that remembers the codes of a grid set's images.

    Given to a metric in place of `encode`, it encodes only what no metric before has
    asked for; draws, scores and random streams are those of `encode` itself. Codes
    are kept as float32 [M, L] with an index of the grid, 29 MB + 6 MB for all 737,280
    images of dSprites and ten latents. Nothing is kept for a set that declares
    "stochastic_images", with `encode_once=False`, or beyond `max_bytes`: then each
    metric encodes for itself.

    Attributes:
        encode: The encoder.
        num_encoded: Images encoded and kept so far.
    """

    def __init__(
        self, dataset: Dataset, encode: Encoder, *, max_bytes: int = 2**28
    ) -> None:
        """Starts empty.

        Args:
            dataset: The set whose factors will be encoded.
            encode: Images uint8 [B, H, W, C] to codes [B, L], the same codes for the
                same image.
            max_bytes: What may be kept, at least 0.
        """
        require(
            not isinstance(encode, EncodedFactors),
            "encode",
            "be an encoder, not another EncodedFactors",
            type(encode).__name__,
        )
        self.dataset, self.encode = dataset, encode
        self.max_bytes = integer(max_bytes, "max_bytes", at_least=0)
        self.num_encoded = 0
        self._codes = np.empty((0, 0), np.float32)
        self._row: np.ndarray | None = None  # int32 [grid], -1 where not encoded

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Encodes images without keeping anything."""
        return self.encode(images)

    def _look_up(self, factors: np.ndarray, encode: _Encode) -> Encoding | None:
        """Codes of factors [n, K], encoding the missing; None beyond `max_bytes`."""
        sizes = tuple(self.dataset.factor_sizes)
        grid = math.prod(sizes)
        if not self._may_keep(grid, 0) or grid > np.iinfo(np.int32).max:
            return None
        keys = np.ravel_multi_index(tuple(factors.T), sizes)
        if self._row is None:
            self._row = np.full(grid, -1, np.int32)
        wanted = np.zeros(grid, bool)
        wanted[keys] = True
        missing = np.flatnonzero(wanted & (self._row < 0))
        total = self.num_encoded + len(missing)
        if not self._may_keep(grid, total * self._codes.shape[1]):
            return None
        if len(missing):
            codes = encode(np.stack(np.unravel_index(missing, sizes), axis=1))
            if not self._may_keep(grid, total * codes.shape[1]):
                # The first codes, whose width nobody knew: all of them are new.
                return Encoding(codes, np.searchsorted(missing, keys))
            self._keep(missing, codes)
        return Encoding(self._codes, self._row[keys])

    def _may_keep(self, grid: int, num_numbers: int) -> bool:
        return 4 * (grid + num_numbers) <= self.max_bytes

    def _keep(self, keys: np.ndarray, codes: np.ndarray) -> None:
        if self.num_encoded:
            require(
                codes.shape[1] == self._codes.shape[1],
                "encode(images)",
                f"return {self._codes.shape[1]} latents as in its first call",
                codes.shape[1],
            )
            codes = np.concatenate([self._codes, codes])
        self._row[keys] = np.arange(self.num_encoded, len(codes), dtype=np.int32)
        self._codes, self.num_encoded = codes, len(codes)


def encode_factors(
    dataset: Dataset,
    encode: Encoder,
    factors: np.ndarray,
    *,
    rng: np.random.Generator,
    encode_once: bool | None = None,
    batch_size: int = 256,
    progress: bool | None = None,
) -> Encoding:
    """Renders and encodes factors, each distinct row once.

    Args:
        dataset: Where the images come from.
        encode: Images uint8 [B, H, W, C] to codes [B, L]; an `EncodedFactors` of
            the same set is asked for the codes that it has.
        factors: int [n, K], n at least 1.
        rng: Drives `render` where the set is stochastic; unused otherwise.
        encode_once: False renders and encodes every draw anew, which a random
            `encode` (codes sampled from the posterior) needs. None: once, unless
            the set declares "stochastic_images". A `interfaces.RandomEncoder` is
            always asked once, and its codes are drawn anew for each draw.
        batch_size: Images per call of `encode`; the last call may be shorter.
        progress: Whether to show a bar on stderr; None shows it on a terminal only.

    Returns:
        The codes of all n draws.

    Raises:
        ArgumentError: If codes are not [B, L] or not finite, or an `EncodedFactors`
            belongs to another set.
    """
    integer(batch_size, "encode_batch_size", at_least=1)
    stochastic = "stochastic_images" in dataset.traits
    cache = encode if isinstance(encode, EncodedFactors) else None
    if cache is not None:
        rule = "be the set that the EncodedFactors was made for"
        require(cache.dataset is dataset, "dataset", rule, dataset)
        encode = cache.encode

    def encode_rows(rows: np.ndarray) -> np.ndarray:
        return _encode_rows(dataset, encode, rows, rng, batch_size, progress)

    is_random = isinstance(encode, RandomEncoder)
    numbered = stochastic and "indexed_images" in dataset.traits
    if encode_once is None or is_random:
        encode_once = numbered or not stochastic
    if encode_once and numbered:
        encoding = _encoded_rows_once(dataset, encode, factors, rng, batch_size)
    elif not encode_once:
        encoding = Encoding(encode_rows(factors), np.arange(len(factors)))
    else:
        encoding = _encoded_once(
            dataset, None if stochastic else cache, factors, encode_rows
        )
    return _draw_codes(encoding, encode, rng) if is_random else encoding


def _encoded_once(
    dataset: Dataset,
    cache: EncodedFactors | None,
    factors: np.ndarray,
    encode: _Encode,
) -> Encoding:
    """Codes of all draws, each distinct row encoded once, or never if it is known."""
    if cache is not None:
        encoding = cache._look_up(factors, encode)
        if encoding is not None:
            return encoding
    first, row = distinct_rows(factors, dataset.factor_sizes)
    return Encoding(encode(factors[first]), row)


def _encoded_rows_once(
    dataset: Dataset,
    encode: Encoder,
    factors: np.ndarray,
    rng: np.random.Generator,
    batch_size: int,
) -> Encoding:
    """Codes of all draws of a set that draws from given images, each encoded once."""
    rows, row = np.unique(dataset.rows_of(factors, rng), return_inverse=True)
    images, parts = dataset.images(), []
    for start in range(0, len(rows), batch_size):
        chosen = rows[start : start + batch_size]
        parts.append(_finite_codes(encode(images[chosen]), len(chosen)))
    return Encoding(np.concatenate(parts), row)


def _draw_codes(
    known: Encoding, encode: RandomEncoder, rng: np.random.Generator
) -> Encoding:
    """Draws a code for each draw from what is known of its image."""
    count = len(known.row)
    starts = range(0, count, _ROWS_PER_DRAW)
    parts = [encode.draw(known[i : i + _ROWS_PER_DRAW], rng) for i in starts]
    codes = np.concatenate(parts)
    return Encoding(_finite_codes(codes, count), np.arange(count))


def _encode_rows(
    dataset: Dataset,
    encode: Encoder,
    factors: np.ndarray,
    rng: np.random.Generator,
    batch_size: int,
    progress: bool | None,
) -> np.ndarray:
    """Codes of each row of factors [M, K], float32 [M, L]."""
    codes: np.ndarray | None = None
    disable = None if progress is None else not progress
    with tqdm(total=len(factors), desc="encode", unit="image", disable=disable) as bar:
        for start in range(0, len(factors), batch_size):
            chosen = factors[start : start + batch_size]
            batch = _finite_codes(encode(dataset.render(chosen, rng)), len(chosen))
            if codes is None:
                codes = np.empty((len(factors), batch.shape[1]), np.float32)
            require(
                batch.shape[1] == codes.shape[1],
                "encode(images)",
                f"return {codes.shape[1]} latents as in its first call",
                batch.shape[1],
            )
            codes[start : start + len(chosen)] = batch
            bar.update(len(chosen))
    return codes


def distinct_rows(
    factors: np.ndarray, factor_sizes: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the distinct rows of factors [n, K].

    Returns:
        `first` [M], the position of the first draw of each distinct row, in the order
        of the grid, and `row` [n] with `factors[first][row] == factors`.
    """
    if math.prod(factor_sizes) <= np.iinfo(np.intp).max:
        keys, axis = np.ravel_multi_index(tuple(factors.T), factor_sizes), None
    else:  # A grid too large to number: compare whole rows, some ten times slower.
        keys, axis = factors, 0
    _, first, row = np.unique(keys, return_index=True, return_inverse=True, axis=axis)
    return first, row.reshape(-1)


def _finite_codes(codes: np.ndarray, num_images: int) -> np.ndarray:
    """Returns codes as float32 [num_images, L], all finite."""
    codes = np.asarray(codes)
    name = "encode(images)"
    require(
        codes.ndim == 2 and len(codes) == num_images and codes.shape[1] > 0,
        name,
        f"return codes of shape [{num_images}, L]",
        codes.shape,
        "Return the transpose." if codes.shape[1:] == (num_images,) else "",
    )
    if not np.issubdtype(codes.dtype, np.number):
        raise ArgumentTypeError(message(name, "return numbers", codes.dtype.name))
    with np.errstate(over="ignore"):  # What overflows float32 is reported below.
        codes = codes.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(codes).all(axis=0))
    require(
        bad.size == 0,
        name,
        "return finite codes",
        "NaN or infinity in " + ", ".join(f"z{latent}" for latent in bad),
        "The encoder has diverged, or its checkpoint is damaged.",
    )
    return codes
