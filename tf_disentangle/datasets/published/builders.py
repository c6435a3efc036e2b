"""Builders for TensorFlow Datasets of the sets that it has not got.

    import tensorflow_datasets as tfds
    import tf_disentangle.datasets.published.builders  # makes the names known

    tfds.load("cars3d"), tfds.load("mpi3d/real"), tfds.load("chairs3d"),
    tfds.load("correlated_ellipses")

Images are those that `datasets.published` prepares, each factor is a feature. They are
for use outside this library, which reads the published files itself: from a memory map
any image is at hand at once, and in the grid's order.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from tf_disentangle.datasets import correlated_ellipses as ellipses
from tf_disentangle.datasets.published.catalogue import SETS
from tf_disentangle.datasets.published.preparing import check_source, match
from tf_disentangle.datasets.published.rows import RealSet

_SPLIT = "all"
_ELLIPSES_PER_BLOCK = 1000


class RealSetBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Builds a set of the table; a subclass names it.

    Files in the manual folder (`DownloadConfig(manual_dir=...)`) are taken from there,
    others downloaded. Their images and factors are checked as `datasets.published`
    does it; none of these files has a published checksum.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "First version."}
    # Without it TFDS knows no manual folder; nothing need be in there.
    MANUAL_DOWNLOAD_INSTRUCTIONS = "The published files, if you have them."

    @property
    def row(self) -> RealSet:
        """The set's row of the table."""
        return SETS[self.name]

    def _info(self) -> tfds.core.DatasetInfo:
        row = self.row
        return tfds.core.DatasetInfo(
            builder=self,
            description=f"{row.title}. {row.notes}",
            features=_features(row.preprocessing.image_shape, row.factors),
            citation=row.reference,
            license=row.licence,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator]:
        try:
            folder = pathlib.Path(dl_manager.manual_dir)
        except AssertionError:  # There is none, or it is empty.
            folder = pathlib.Path(os.devnull)
        paths = {
            key: match(file, folder) or pathlib.Path(dl_manager.download(file.url))
            for key, file in self.row.files[_SPLIT].items()
        }
        return {"train": self._generate_examples(paths)}

    def _generate_examples(self, paths: dict) -> Iterator[tuple[int, dict]]:
        row, number = self.row, 0
        source = row.reader(paths, row.factors)
        check_source(source, row, _SPLIT, f"the source of {self.name}")
        for block in source.blocks():
            for image in row.preprocessing(block):
                yield number, _example(image, row.factors, source.factors[number])
                number += 1


class Cars3d(RealSetBuilder):
    """183 cars in 96 views."""


class Chairs3d(RealSetBuilder):
    """1,393 chairs in 62 views."""


class Mpi3d(RealSetBuilder):
    """An object on a robot's arm, rendered simply, realistically, or photographed."""

    BUILDER_CONFIGS: ClassVar = [
        tfds.core.BuilderConfig(name=name.removeprefix("mpi3d_"), description=row.title)
        for name, row in SETS.items()
        if name.startswith("mpi3d_")
    ]

    @property
    def row(self) -> RealSet:
        """The configuration's row of the table."""
        return SETS[f"mpi3d_{self.builder_config.name}"]


class CorrelatedEllipses(tfds.core.GeneratorBasedBuilder):
    """200,000 ellipses with correlated factors, drawn on this machine."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "First version."}
    NUM_IMAGES = 200_000

    def _info(self) -> tfds.core.DatasetInfo:
        sizes = zip(ellipses.FACTOR_NAMES, ellipses.FACTOR_SIZES, strict=True)
        shape = ellipses.CorrelatedEllipses.image_shape
        return tfds.core.DatasetInfo(
            builder=self,
            description=ellipses.__doc__,
            features=_features(shape, dict(sizes)),
            citation="Ansari and Soh (AAAI 2019), arXiv:1809.04497",
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator]:
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict]]:
        data = ellipses.CorrelatedEllipses(self.NUM_IMAGES)
        factors = data.training_factors()
        for start in range(0, len(factors), _ELLIPSES_PER_BLOCK):
            rows = factors[start : start + _ELLIPSES_PER_BLOCK]
            for k, image in enumerate(data.render(rows)):
                yield start + k, _example(image, ellipses.FACTOR_NAMES, rows[k])


def _features(shape: tuple[int, int, int], factors: dict[str, int]) -> Any:
    classes = {
        name: tfds.features.ClassLabel(num_classes=size)
        for name, size in factors.items()
    }
    image = tfds.features.Image(shape=shape, encoding_format="png")
    return tfds.features.FeaturesDict({"image": image, **classes})


def _example(image: np.ndarray, names: Any, factors: np.ndarray) -> dict:
    return {"image": image, **dict(zip(names, factors.tolist(), strict=True))}
