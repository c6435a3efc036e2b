"""What a row of the table of published sets says."""

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
        name: Its published name, under which it is looked for and kept.
        url: Where it is; "" where nobody may publish it.
        patterns: What else it may be called or unpacked to (glob); a folder counts.
        content_md5: MD5 of what the file unpacks to, by which the same content with
            other packing is accepted; None if it is not known.
        or_folder: Whether a folder with what it unpacks to is as good.
    """

    name: str
    url: str
    patterns: tuple[str, ...] = ()
    content_md5: str | None = None
    or_folder: bool = False


@dataclasses.dataclass(frozen=True)
class TFDSNames:
    """The set in TensorFlow Datasets.

    Attributes:
        name: Name of the builder.
        splits: Our splits to theirs.
        factors: Features that hold the factors, in our order; "/" goes inside.
    """

    name: str
    splits: Mapping[str, str]
    factors: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class PublishedSet:
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
        tfds: None where TensorFlow Datasets does not have it.
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
