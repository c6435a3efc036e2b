"""Encoding for the metrics that sample: each distinct image once.

Such a metric asks for up to a million images of a set that has fewer, so all factors
are drawn first, the distinct ones are rendered and encoded, and each draw looks up its
codes. For a deterministic set and encoder this gives the very codes that encoding every
draw would give.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from tqdm import tqdm

from tf_disentangle.checks import ArgumentTypeError, integer, message, require
from tf_disentangle.protocols import Dataset, Represent


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


def require_factors(dataset: Dataset) -> None:
    """Raises `ArgumentError` unless the set has known factors."""
    require(
        len(dataset.factor_names) > 0,
        "dataset",
        "have ground-truth factors",
        f"{type(dataset).__name__} with factor_names ()",
        "Score such a set by a metric that needs no factors.",
    )


def sample_factors(dataset: Dataset, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draws factors, int64 [n, K], and checks what the set returned.

    The array is the caller's own to change.

    Raises:
        ArgumentError: If the draw is not [n, K] or a value lies outside its factor.
    """
    factors = np.array(dataset.sample_factors(n, rng), np.int64)
    sizes = np.asarray(dataset.factor_sizes)
    shape = (n, len(sizes))
    name = "dataset.sample_factors(n, rng)"
    require(factors.shape == shape, name, f"have shape {shape}", factors.shape)
    if n:
        low, high = factors.min(axis=0), factors.max(axis=0)
        require(
            np.all(low >= 0) and np.all(high < sizes),
            name,
            f"lie in [0, size) for factor sizes {tuple(dataset.factor_sizes)}",
            f"minima {low.tolist()}, maxima {high.tolist()}",
        )
    return factors


def encode_factors(
    dataset: Dataset,
    represent: Represent,
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
        represent: Images uint8 [B, H, W, C] to codes [B, L].
        factors: int [n, K], n at least 1.
        rng: Drives `render` where the set is stochastic; unused otherwise.
        encode_once: False renders and encodes every draw anew, which a random
            `represent` (codes sampled from the posterior) needs. None: once, unless
            the set declares "stochastic_images".
        batch_size: Images per call of `represent`; the last call may be shorter.
        progress: Whether to show a bar on stderr; None shows it on a terminal only.

    Returns:
        The codes of all n draws.

    Raises:
        ArgumentError: If codes are not [B, L] or not finite.
    """
    integer(batch_size, "encode_batch_size", at_least=1)
    if encode_once is None:
        encode_once = "stochastic_images" not in dataset.exceptions
    if encode_once:
        first, row = distinct_rows(factors, dataset.factor_sizes)
    else:
        first = row = np.arange(len(factors))
    codes: np.ndarray | None = None
    disable = None if progress is None else not progress
    with tqdm(total=len(first), desc="encode", unit="image", disable=disable) as bar:
        for start in range(0, len(first), batch_size):
            chosen = factors[first[start : start + batch_size]]
            batch = _finite_codes(represent(dataset.render(chosen, rng)), len(chosen))
            if codes is None:
                codes = np.empty((len(first), batch.shape[1]), np.float32)
            require(
                batch.shape[1] == codes.shape[1],
                "represent(images)",
                f"return {codes.shape[1]} latents as in its first call",
                batch.shape[1],
            )
            codes[start : start + len(chosen)] = batch
            bar.update(len(chosen))
    return Encoding(codes, row)


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
    name = "represent(images)"
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
