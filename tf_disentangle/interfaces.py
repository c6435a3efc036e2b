"""Interfaces and aliases that the rooms share.

Shapes: B batch, N samples, L latents, K factors, H W C image.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class ImageArray(Protocol):
    """Images that are read by index; numpy's arrays and memory maps are such.

    It is read-only, and may read from a disk or compute what is asked for: so take what
    you need by one index, `images[indices]`, and do not go through it one by one. Two
    threads may read at once.

    Attributes:
        shape: (n, H, W, C).
        dtype: uint8; float32 for vectors.
    """

    shape: tuple[int, ...]
    dtype: np.dtype

    def __len__(self) -> int:
        """Number of images, n."""

    def __getitem__(self, key: slice | np.ndarray) -> np.ndarray:
        """The images of a slice or of integers [m], [m, H, W, C]."""


@runtime_checkable
class Dataset(Protocol):
    """Images with their ground-truth factors.

    Attributes:
        factor_names: Name of each of the K factors; empty if none is known.
        factor_sizes: Number of values of each factor.
        image_shape: (H, W, C).
        traits: What the contract suite must not expect of this set, from
            `DATASET_TRAITS`.
    """

    factor_names: tuple[str, ...]
    factor_sizes: tuple[int, ...]
    image_shape: tuple[int, int, int]
    traits: frozenset[str]

    def __len__(self) -> int:
        """Number of training images."""

    def images(self) -> ImageArray:
        """The training images, an image array, uint8 [len(self), H, W, C].

        A set that declares "vectors" gives float32 [len(self), 1, 1, C] instead.
        """

    def sample_factors(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draws factors, int64 [n, K], factor k in [0, factor_sizes[k])."""

    def render(
        self, factors: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Renders factors [n, K] as uint8 [n, H, W, C], or as `images` are.

        Sets with noise or nuisance need `rng` and raise without it; the others
        ignore it and give equal images for equal factors.
        """


@runtime_checkable
class Rows(Protocol):
    """What a data set adds that declares "missing_combinations".

    A metric that holds a factor still cannot put a value of it into any row of factors,
    for there may be no such image; it asks for rows that have the value.
    """

    def sample_factors_given(
        self, fixed: np.ndarray, values: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Draws factors int64 [n, K] whose factor `fixed[i]` has value `values[i]`."""


@runtime_checkable
class IndexedImages(Protocol):
    """What a data set may add whose random images are drawn from `images()`.

    Metrics then encode each of those once.
    """

    def rows_of(self, factors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draws, for each row of factors [n, K], an index into `images()`."""


#: What a data set may declare in `traits`.
DATASET_TRAITS: dict[str, str] = {
    "correlated_factors": "factors are not drawn independently",
    "nonuniform_factors": "factor values are not drawn with equal probability",
    "equal_images": "some different factors give the same image",
    "stochastic_images": "render needs an rng",
    "missing_combinations": "not every combination of factors has an image",
    "vectors": "data are float32 [n, 1, 1, C] without bounds, not uint8 images",
}


class Encoder(Protocol):
    """An encoder as metrics and pictures see it: any callable from images to codes."""

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Maps uint8 images [B, H, W, C], or vectors, to codes [B, L]."""


class PosteriorEncoder(abc.ABC):
    """An encoder that also knows its posterior q(z|x), and a model's evidence.

    Metrics that ask for `Input.ENCODER` take such an encoder only, and codes are drawn
    from q(z|x), anew for each draw of an image, where `sampled` is True.

    Attributes:
        sampled: Whether codes are drawn from q(z|x); else they are its deterministic
            codes, such as the mean.
        columns: What the columns of the codes hold; None if it is not known.
    """

    sampled: bool = False
    columns: Sequence[CodeColumn] | None = None

    @abc.abstractmethod
    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Maps uint8 images [B, H, W, C], or vectors, to codes [B, L]."""

    @abc.abstractmethod
    def parameters(self, images: np.ndarray) -> np.ndarray:
        """Maps images to what `draw` needs to know of their posterior, [B, P]."""

    @abc.abstractmethod
    def draw(self, parameters: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draws one code for each row of parameters [B, P], [B, L]."""

    @abc.abstractmethod
    def gaussian_moments(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns means [B, L] and standard deviations [B, L] of q(z|x).

        Raises:
            ArgumentError: If q(z|x) is no diagonal Gaussian or p(z) is not N(0, I).
        """

    @abc.abstractmethod
    def log_evidence(
        self,
        images: np.ndarray,
        *,
        num_samples: int,
        seed: int,
        on_images: Callable[[int], object] | None = None,
    ) -> Any:
        """Estimates log p(x) of images [B, ...] by importance weights.

        Returns:
            A frozen dataclass with `score`, the mean in nats, and `protocol`.

        Raises:
            ArgumentError: If the prior has no density, or the model no likelihood.
        """


class Decode(Protocol):
    """A decoder as pictures see it."""

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        """Maps codes [B, L] to float32 images [B, H, W, C] in [0, 1], or vectors."""


@dataclasses.dataclass(frozen=True)
class CodeColumn:
    """What one column of `codes` [N, L] holds.

    Attributes:
        name: Short label, such as "z3" or "c0".
        kind: "continuous", or "categorical" (the column holds the argmax).
        group: The latent group that the column belongs to.
        num_values: Number of categories; None for a continuous column.
    """

    name: str
    kind: Literal["continuous", "categorical"] = "continuous"
    group: str = "z"
    num_values: int | None = None
