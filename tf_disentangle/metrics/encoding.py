"""Encoding for the metrics of a data set: each distinct image once.

A metric may ask for up to two million images of a set that has fewer. So all factors
are drawn first, the distinct ones are rendered and encoded, and each draw looks up its
code. With a deterministic set and encoder, the codes are the same as if every draw were
encoded, up to the rounding of the encoder's matrix products, which may depend on the
batch.

Several metrics share the codes through `EncodedFactors`, which `evaluate` passes in
place of the encoder.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
import math
import time
from collections.abc import Callable
from typing import TypeGuard

import numpy as np

from tf_disentangle.checks import ArgumentTypeError, integer, message, require
from tf_disentangle.interfaces import Dataset, Encoder, PosteriorEncoder
from tf_disentangle.metrics.samples import SMALL_FLOATS
from tf_disentangle.progress import Line, is_notebook, progress_bar

# Codes that are drawn at once from posteriors; bounds the memory.
_ROWS_PER_DRAW = 2**14
# Seconds of encoding beyond which an estimate of the time is printed, and the seconds
# that the estimate is made from.
_LONG, _TIMED = 5.0, 0.5

#: Positions [m] of what is to be encoded, to codes float32 [m, L].
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


class FactorEncoder(abc.ABC):
    """Codes that are made of the factors themselves: no image is rendered."""

    @abc.abstractmethod
    def codes(self, factors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Maps the factors of n draws, int64 [n, K], to codes [n, L]."""

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Not supported: metrics call `codes` instead."""
        raise NotImplementedError("These codes are made of factors, not of images.")


class EncodedFactors:
    """An encoder that remembers the codes of a data set's images.

    When it is passed to a metric in place of the encoder, it encodes only the images
    that no earlier metric has asked for; draws, scores and random streams are the same
    as with the encoder itself. Codes are kept as float32 [M, L] with an index of the
    images, 29 MB + 3 MB for all 737,280 images of dSprites and ten latents. Nothing is
    kept for a set that renders at random ("stochastic_images"), with
    `encode_once=False`, or beyond `max_bytes`: each metric then does its own encoding.

    Attributes:
        data: The data set.
        encoder: The encoder.
        num_encoded: Images encoded and kept so far.
    """

    def __init__(
        self, data: Dataset, encoder: Encoder, *, max_bytes: int = 2**28
    ) -> None:
        """Starts empty.

        Args:
            data: The set whose images will be encoded.
            encoder: Images uint8 [B, H, W, C] to codes [B, L], the same codes for the
                same image.
            max_bytes: Size of the codes that may be kept, at least 0.
        """
        rule = "be an encoder, not another EncodedFactors"
        is_one = isinstance(encoder, EncodedFactors)
        require(not is_one, "encoder", rule, type(encoder).__name__)
        self.data, self.encoder = data, encoder
        self.max_bytes = integer(max_bytes, "max_bytes", at_least=0)
        self.num_encoded = 0
        self._codes = np.empty((0, 0), np.float32)
        self._row: np.ndarray | None = None  # int32 [size], -1 where not encoded

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Encodes images without keeping anything."""
        return self.encoder(images)

    def look_up(self, keys: np.ndarray, size: int, encode: _Encode) -> Encoding | None:
        """Returns the codes of images, encoding the missing ones.

        Args:
            keys: Numbers of the images, int [n] in [0, size).
            size: How many images there are.
            encode: Maps such numbers [m] to codes [m, L].

        Returns:
            The codes; None where they would take more than `max_bytes`.
        """
        if not self._may_keep(size, 0) or size > np.iinfo(np.int32).max:
            return None
        if self._row is None:
            self._row = np.full(size, -1, np.int32)
        asked = np.zeros(size, bool)
        asked[keys] = True
        missing = np.flatnonzero(asked & (self._row < 0))
        total = self.num_encoded + len(missing)
        if not self._may_keep(size, total * self._codes.shape[1]):
            return None
        if len(missing):
            codes = encode(missing)
            if not self._may_keep(size, total * codes.shape[1]):
                # The number of latents is unknown before the first codes.
                return Encoding(codes, np.searchsorted(missing, keys))
            self._keep(missing, codes)
        return Encoding(self._codes, self._row[keys])

    def _may_keep(self, size: int, num_numbers: int) -> bool:
        return 4 * (size + num_numbers) <= self.max_bytes

    def _keep(self, keys: np.ndarray, codes: np.ndarray) -> None:
        if self.num_encoded:
            require(
                codes.shape[1] == self._codes.shape[1],
                "encoder(images)",
                f"return {self._codes.shape[1]} latents as in its first call",
                codes.shape[1],
            )
            codes = np.concatenate([self._codes, codes])
        self._row[keys] = np.arange(self.num_encoded, len(codes), dtype=np.int32)
        self._codes, self.num_encoded = codes, len(codes)


def encode_factors(
    data: Dataset,
    encoder: Encoder,
    factors: np.ndarray,
    *,
    rng: np.random.Generator,
    encode_once: bool | None = None,
    batch_size: int = 256,
    progress: bool | None = None,
) -> Encoding:
    """Renders and encodes factors, each distinct row once.

    Args:
        data: Where the images come from.
        encoder: Images uint8 [B, H, W, C] to codes [B, L]; an `EncodedFactors` of the
            same set supplies the codes that it already has. A sampling
            `PosteriorEncoder` computes the posterior of each image once, and a code is
            sampled from it for each draw.
        factors: int [n, K], n at least 1.
        rng: Drives `render` where the set is stochastic; unused otherwise.
        encode_once: False renders and encodes every draw anew, which is needed if the
            encoder is itself random. None encodes each image once, unless the set
            declares "stochastic_images".
        batch_size: Images per call of the encoder; the last call may be shorter.
        progress: Whether to show a bar on stderr; None shows it on a terminal only.

    Returns:
        The codes of all n draws.

    Raises:
        ArgumentError: If codes are not [B, L] or not finite, or an `EncodedFactors`
            belongs to another set.
    """
    stochastic = "stochastic_images" in data.traits
    if stochastic and "indexed_images" in data.traits and encode_once is not False:
        rows = data.rows_of(factors, rng)
        return encode_images(
            data, encoder, rows, rng=rng, batch_size=batch_size, progress=progress
        )
    sizes = tuple(data.factor_sizes)
    size = math.prod(sizes)
    is_small = size <= np.iinfo(np.intp).max
    if is_small:
        keys = np.ravel_multi_index(tuple(factors.T), sizes)
    else:  # Too large to number: compare rows of factors, some ten times slower.
        distinct, keys = np.unique(factors, axis=0, return_inverse=True)

    def images(keys: np.ndarray) -> np.ndarray:
        if is_small:
            rows = np.stack(np.unravel_index(keys, sizes), axis=1)
        else:
            rows = distinct[keys]
        return data.render(rows, rng)

    encoder, cache = _unwrapped(data, encoder)
    if encode_once is None or _samples(encoder):
        encode_once = not stochastic
    cached = cache if encode_once and not stochastic else None
    encode = functools.partial(_in_batches, encoder, images, batch_size, progress)
    encoding = _encoding(keys.reshape(-1), size, encode, encode_once, cached)
    return draw_codes(encoding, encoder, rng)


def encode_images(
    data: Dataset,
    encoder: Encoder,
    rows: np.ndarray,
    *,
    rng: np.random.Generator,
    encode_once: bool | None = None,
    batch_size: int = 256,
    progress: bool | None = None,
) -> Encoding:
    """Encodes images of `data.images()`, each distinct one once.

    Args:
        data: Where the images come from.
        encoder: As in `encode_factors`.
        rows: Their numbers, int [n], n at least 1.
        rng: Draws the codes of a sampling encoder.
        encode_once: False encodes every draw anew.
        batch_size: As in `encode_factors`.
        progress: As in `encode_factors`.
    """
    encoder, cache = _unwrapped(data, encoder)
    images = data.images()
    encode = functools.partial(
        _in_batches, encoder, images.__getitem__, batch_size, progress
    )
    is_once = encode_once is not False or _samples(encoder)
    encoding = _encoding(rows, len(data), encode, is_once, cache if is_once else None)
    return draw_codes(encoding, encoder, rng)


def _encoding(
    keys: np.ndarray,
    size: int,
    encode: _Encode,
    is_once: bool,
    cache: EncodedFactors | None,
) -> Encoding:
    """Encodes images by their numbers [n] in [0, size): all, or each distinct one."""
    if not is_once:
        return Encoding(encode(keys), np.arange(len(keys)))
    encoding = None if cache is None else cache.look_up(keys, size, encode)
    if encoding is None:
        distinct, row = np.unique(keys, return_inverse=True)
        encoding = Encoding(encode(distinct), row.reshape(-1))
    return encoding


def draw_codes(
    encoding: Encoding, encoder: Encoder, rng: np.random.Generator
) -> Encoding:
    """Draws a code for each draw, where the encoder samples its posterior.

    Args:
        encoding: Codes; of a sampling encoder, the parameters of its posteriors.
        encoder: The encoder.
        rng: Generator of the draws.
    """
    if not _samples(encoder):
        return encoding
    count = len(encoding.row)
    starts = range(0, count, _ROWS_PER_DRAW)
    parts = [encoder.draw(encoding[i : i + _ROWS_PER_DRAW], rng) for i in starts]
    return Encoding(_finite_codes(np.concatenate(parts), count), np.arange(count))


def _unwrapped(
    data: Dataset, encoder: Encoder
) -> tuple[Encoder, EncodedFactors | None]:
    """Returns the encoder itself, and the cache that it came in."""
    if not isinstance(encoder, EncodedFactors):
        return encoder, None
    rule = "be the set that the EncodedFactors was made for"
    require(encoder.data is data, "data", rule, data)
    return encoder.encoder, encoder


def require_posterior(data: object, encoder: object, metric: str) -> None:
    """Refuses arrays, and encoders of codes alone, for a metric of posteriors.

    Args:
        data: Must be a data set.
        encoder: Must be a `PosteriorEncoder`.
        metric: The metric's name, for the error.

    Raises:
        ArgumentTypeError: If `data` is not a data set.
        ArgumentError: If `encoder` is another.
    """
    remedy = f"{metric} is no function of codes: pass a data set and "
    remedy += "models.encoder.ModelEncoder(model)."
    if not isinstance(data, Dataset):
        raise ArgumentTypeError(message("data", "be a data set", data, remedy))
    rule = "be an interfaces.PosteriorEncoder, which knows q(z|x)"
    require(isinstance(encoder, PosteriorEncoder), "encoder", rule, encoder, remedy)


def _samples(encoder: Encoder) -> TypeGuard[PosteriorEncoder]:
    """Whether codes are drawn from the encoder's posterior, anew for each draw."""
    return isinstance(encoder, PosteriorEncoder) and encoder.sampled


def _in_batches(
    encoder: Encoder,
    images: Callable[[np.ndarray], np.ndarray],
    batch_size: int,
    progress: bool | None,
    keys: np.ndarray,
) -> np.ndarray:
    """Codes of images by M keys, or their posteriors' parameters, float32 [M, L]."""
    function = encoder.parameters if _samples(encoder) else encoder
    count = len(keys)
    integer(batch_size, "encode_batch_size", at_least=1)
    codes: np.ndarray | None = None
    told = progress is False or is_notebook()
    with progress_bar(total=count, desc="encode", unit="image", shown=progress) as bar:
        for start in range(0, count, batch_size):
            stop = min(start + batch_size, count)
            batch = function(images(keys[start:stop]))
            batch = _finite_codes(batch, stop - start)
            if codes is None:
                codes = np.empty((count, batch.shape[1]), np.float32)
            require(
                batch.shape[1] == codes.shape[1],
                "encoder(images)",
                f"return {codes.shape[1]} latents as in its first call",
                batch.shape[1],
            )
            codes[start:stop] = batch
            bar.update(stop - start)
            if start == 0:  # The first batch may compile the encoder: it shows no pace.
                began = time.perf_counter()
            elif not told and (seconds := time.perf_counter() - began) >= _TIMED:
                told = True
                seconds *= count / (stop - batch_size)
                if seconds > _LONG:
                    text = f"  encoding {count:,} images, about {seconds:.0f} s"
                    Line().show(text)
    return codes


def _finite_codes(codes: np.ndarray, num_images: int) -> np.ndarray:
    """Returns codes as float32 [num_images, L], all finite."""
    codes = np.asarray(codes)
    name = "encoder(images)"
    require(
        codes.ndim == 2 and len(codes) == num_images and codes.shape[1] > 0,
        name,
        f"return codes of shape [{num_images}, L]",
        codes.shape,
        "Return the transpose." if codes.shape[1:] == (num_images,) else "",
    )
    if codes.dtype.name in SMALL_FLOATS:
        codes = codes.astype(np.float32)
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
