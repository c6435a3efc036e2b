"""What a row of the table of real sets says."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

from tf_disentangle.datasets.files.preprocessing import Preprocessing
from tf_disentangle.datasets.files.source import Source


@dataclasses.dataclass(frozen=True)
class File:
    """A published file.

    Attributes:
        name: As published, and as it is looked for.
        url: Where it is; "" where it must be fetched by hand.
        patterns: What else it may be called or unpacked to (glob); a folder counts.
        size: In bytes; None if not published.
        sha256: None if not published: then it is recorded at the first use.
        or_folder: Whether a folder with what it unpacks to is as good.
    """

    name: str
    url: str
    patterns: tuple[str, ...] = ()
    size: int | None = None
    sha256: str | None = None
    or_folder: bool = False


@dataclasses.dataclass(frozen=True)
class TFDSNames:
    """The set in TensorFlow Datasets.

    Attributes:
        name: Of the builder.
        splits: Our splits to theirs.
        factors: Features that hold the factors, in our order; "/" goes inside.
    """

    name: str
    splits: Mapping[str, str]
    factors: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class RealSet:
    """A row of the table.

    Attributes:
        title: One line.
        counts: Published number of images of each split; the first is the default.
            None where each user has other files.
        factors: Sizes of the known factors by name. A split is a full grid if it has
            one image for each combination.
        preprocessing: What is done with the images.
        files: The files of each split, by the key that the reader knows them by.
        reader: (paths by key, factors) -> `Source`.
        licence: Short.
        reference: Paper or page to cite.
        notes: What else to know.
        tfds: None where TensorFlow Datasets has not got it.
    """

    title: str
    counts: Mapping[str, int | None]
    factors: Mapping[str, int]
    preprocessing: Preprocessing
    files: Mapping[str, Mapping[str, File]]
    reader: Callable[[Mapping, Mapping], Source]
    licence: str
    reference: str
    notes: str = ""
    tfds: TFDSNames | None = None

    def is_grid(self, split: str) -> bool:
        """Whether the split has each combination of factors once."""
        combinations = math.prod(self.factors.values())
        return bool(self.factors) and combinations == self.counts[split]
