"""Interfaces and aliases that the packages share.

Shapes: B batch, N samples, L latents, K factors, H W C image.
"""

from __future__ import annotations

import abc
import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, Self, runtime_checkable

import numpy as np

from tf_disentangle import checks, configs


@runtime_checkable
class ImageArray(Protocol):
    """Images that are read by index, such as numpy's arrays and memory maps.

    It is read-only, and may read from a disk or compute what is asked for. So get all
    that you need with one index, `images[indices]`, and not image by image. Two threads
    may read at once.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, H, W, C)."""

    @property
    def dtype(self) -> np.dtype:
        """uint8; float32 for vectors."""

    def __len__(self) -> int:
        """Number of images, n."""

    def __getitem__(self, key: Any, /) -> np.ndarray:
        """The images of a slice or of integers [m], [m, H, W, C]."""


#: What a data set may declare in `traits`, in the words that `data info` prints.
DATASET_TRAITS: dict[str, str] = {
    "correlated_factors": "factors are not drawn independently of each other",
    "nonuniform_factors": "some values of a factor are drawn more often than others",
    "equal_images": "some different combinations of factors have the same image",
    "stochastic_images": "one combination of factors has many images; drawing one "
    "takes a random generator",
    "missing_combinations": "not every combination of factors has an image",
    "vectors": "data are vectors, float32 without bounds, not uint8 images",
    "known_rows": "the factors of each training image are known",
    "indexed_images": "what is drawn are always the training images themselves",
}


@dataclasses.dataclass(frozen=True)
class Resizing:
    """How images of other sizes are made into images like those of a data set.

    Attributes:
        crop: Side of the centre crop in pixels; None means the largest part of the same
            shape as the result, "pad" leaves nothing out and adds black on both sides.
        filter: "lanczos" or "bilinear", as Pillow has them.
        is_binary: Whether all images are black and white; if so, the darker half of the
            grey levels becomes black.
    """

    crop: int | Literal["pad"] | None = None
    filter: str = "lanczos"
    is_binary: bool = False


class Dataset(configs.Configured, abc.ABC):
    """Images with their ground-truth factors: the base class of all data sets.

    A subclass defines the attributes, `__len__`, `images`, `sample_factors` and
    `render`, and declares in `traits` what else it has or lacks; check for
    `"known_rows" in dataset.traits` before calling `factors_of`, and
    `"indexed_images" in dataset.traits` before calling `rows_of`. A set that declares
    "missing_combinations" must know its rows, since metrics then sample from them.

    `configs.deserialize(configs.serialize(dataset))` gives an equal set, as long as the
    constructor's arguments can be recorded: large arrays cannot.

    Attributes:
        factor_names: Name of each of the K factors; empty if none is known.
        factor_sizes: Number of values of each factor.
        image_shape: (H, W, C).
        traits: The traits of this set, from `DATASET_TRAITS`.
        resizing: How other images are made to match these, for serving a model.
    """

    factor_names: tuple[str, ...]
    factor_sizes: tuple[int, ...]
    image_shape: tuple[int, int, int]
    traits: frozenset[str] = frozenset()
    resizing: Resizing = Resizing()

    def __init__(self) -> None:
        """Takes no arguments; a subclass takes what it needs."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """Number of training images."""

    @abc.abstractmethod
    def images(self) -> ImageArray:
        """The training images, an image array, uint8 [len(self), H, W, C].

        A set that declares "vectors" gives float32 [len(self), 1, 1, C] instead.
        """

    @abc.abstractmethod
    def sample_factors(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draws factors, int64 [n, K], factor k in [0, factor_sizes[k])."""

    @abc.abstractmethod
    def render(
        self, factors: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Renders factors [n, K] as uint8 [n, H, W, C], or in the form of `images`.

        Sets that declare "stochastic_images" need `rng` and raise without it; the
        others ignore it and give equal images for equal factors.

        Raises:
            ArgumentTypeError: If the factors are not integers.
            ArgumentError: If their shape is not [n, K], or a value is out of its range
                or, in a table, belongs to no image.
        """

    def factors_of(self, indices: np.ndarray) -> np.ndarray:
        """Maps indices [n] of training images to their factors, int64 [n, K].

        Raises:
            ArgumentTypeError: If the indices are not integers.
            ArgumentError: If an index has no image, or the set does not declare
                "known_rows".
        """
        raise self._lacks("known_rows", "factors_of", indices)

    def rows_of(
        self, factors: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Draws, for each row of factors [n, K], an index into `images()`, int64 [n].

        Raises:
            ArgumentError: If the set does not declare "indexed_images".
        """
        raise self._lacks("indexed_images", "rows_of", factors)

    def fingerprint(self) -> str | None:
        """A checksum of content that the constructor's arguments do not determine.

        Sets that are read from a user's files have one, so that other files of the same
        names and shapes are told apart. None means that the arguments say it all.
        """
        return None

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, and the fingerprint if there is one.

        Paths to files that exist are absolute.
        """
        config, mark = super().get_config(), self.fingerprint()
        for name in configs.LOCATIONS:
            if isinstance(config.get(name), (str, os.PathLike)):
                path = os.path.expanduser(os.fspath(config[name]))
                if os.path.exists(path):
                    config[name] = os.path.abspath(path)
        return config if mark is None else {**config, "fingerprint": mark}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Builds the set from what `get_config` returned, or from that as JSON.

        Raises:
            CannotRebuildError: If its files are missing or have changed.
        """
        arguments = {name: configs.deserialize(value) for name, value in config.items()}
        mark = arguments.pop("fingerprint", None)
        try:
            dataset = cls(**arguments)
            is_same = mark is None or dataset.fingerprint() == mark
        except checks.ArgumentError as error:
            if isinstance(error, configs.CannotRebuildError):
                raise
            raise configs.CannotRebuildError(cls.__name__, str(error)) from error
        if not is_same:
            shown = "".join(f", {v!r}," for n, v in arguments.items() if n == "path")
            reason = f"the content of its files{shown} has changed since"
            raise configs.CannotRebuildError(cls.__name__, reason)
        return dataset

    def _lacks(self, trait: str, member: str, received: Any) -> Exception:
        rule = f"be asked only of a data set whose traits have {trait!r}"
        name = type(self).__name__
        remedy = f"{name} has {', '.join(sorted(self.traits)) or 'no traits'}."
        message = checks.message(f"{name}.{member}", rule, received, remedy)
        return checks.ArgumentError(message)


class Encoder(Protocol):
    """An encoder as metrics and pictures see it: any callable from images to codes."""

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Maps uint8 images [B, H, W, C], or vectors, to codes [B, L]."""


class PosteriorEncoder(abc.ABC):
    """An encoder that also knows its posterior q(z|x), and a model's evidence.

    Metrics that ask for `Input.ENCODER` accept only such an encoder. If `sampled` is
    True, codes are sampled from q(z|x), anew each time an image is drawn.

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
        """Maps images to what `draw` needs to know about their posterior, [B, P]."""

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
