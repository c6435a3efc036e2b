"""Published sets: their files turned into checksummed, memory-mapped arrays.

These are looked for, in this order: the files that `source` names; files under
`DATA_DIR/downloads/NAME`; a folder that TensorFlow Datasets prepared; and, only if
asked to, the network. Once a set is prepared, it needs none of them any more.
"""

from __future__ import annotations

import functools
import math
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets import cache
from tf_disentangle.datasets.binary_images import PackedImages, pack
from tf_disentangle.datasets.files.source import Source
from tf_disentangle.datasets.published import tfds
from tf_disentangle.datasets.published.catalogue import SETS, File, PublishedSet
from tf_disentangle.interfaces import ImageArray

# Part of the arrays' description: increase it when the prepared arrays change.
_VERSION = 1


class Preparation:
    """Where one split of a published set is, or will be.

    Args:
        name: Key of `SETS`.
        split: Key of its `counts`; None is the first.
        source: A published file, a folder with the published files, a folder of
            TensorFlow Datasets, or "tfds" for its builder; None looks in the usual
            places.
        data_dir: Folder of prepared sets; `datasets.cache_dir()` if None.
        may_download: Whether missing files are fetched.

    Raises:
        ArgumentError: If the name or the split is unknown.
    """

    def __init__(
        self,
        name: str,
        split: str | None = None,
        source: str | os.PathLike | None = None,
        data_dir: str | os.PathLike | None = None,
        may_download: bool = False,
    ) -> None:
        self.name = checks.one_of(name, list(SETS), "name")
        self.row: PublishedSet = SETS[name]
        splits = list(self.row.counts)
        self.split = splits[0] if split is None else split
        checks.one_of(self.split, splits, "split")
        for value, argument in ((source, "source"), (data_dir, "data_dir")):
            if value is not None:
                checks.require_type(value, (str, os.PathLike), argument)
        self.is_tfds = source == "tfds"
        self.origin = None if source is None else pathlib.Path(source).expanduser()
        folder = cache.cache_dir() if data_dir is None else data_dir
        self.data_dir = pathlib.Path(folder).expanduser().absolute()
        self.may_download = may_download
        self.files = self.row.files[self.split]

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that the set was asked for with, with full paths."""
        source = "tfds" if self.is_tfds else self.origin and str(self.origin.absolute())
        data_dir = None if self.data_dir == cache.cache_dir() else str(self.data_dir)
        names = {"name": self.name, "split": self.split}
        return {**names, "source": source, "data_dir": data_dir}

    def __getstate__(self) -> dict:
        # What reads the published files is made anew in another process.
        return {k: v for k, v in self.__dict__.items() if k != "source"}

    @property
    def key(self) -> str:
        """Name of the prepared arrays."""
        return f"{self.name}-{self.split}" if len(self.row.counts) > 1 else self.name

    @property
    def downloads(self) -> pathlib.Path:
        """Where published files are fetched to, and may be put by hand."""
        return self.data_dir / "downloads" / self.name

    @property
    def path(self) -> pathlib.Path:
        """The prepared images' file."""
        return self.data_dir / f"{self.key}.npy"

    @property
    def count(self) -> int:
        """Number of images: the published one, or that of the user's files."""
        published = self.row.counts[self.split]
        if published is not None:
            return published
        # A prepared set stays as it is, whatever the source now holds.
        prepared = cache.sidecar_of(self.path) if self.path.exists() else {}
        return prepared["shape"][0] if "shape" in prepared else self.source.count

    @property
    def has_read(self) -> bool:
        """Whether the published files were read, and not only the prepared arrays."""
        return "source" in vars(self)

    def images(self) -> ImageArray:
        """The prepared images, uint8 [n, H, W, C], mapped read-only from their file.

        Black-and-white images (dSprites) are stored there as bits.
        """
        image_shape = self.row.preprocessing.image_shape
        is_binary = self.row.preprocessing.is_binary
        stored = (math.prod(image_shape) // 8,) if is_binary else image_shape
        array = self._array("", (self.count, *stored), np.uint8, self._fill_images)
        return PackedImages(array, image_shape) if is_binary else array

    def require_source(self) -> None:
        """Raises `ArgumentError` now, not after an hour, if there are no images."""
        if not self.path.exists():
            _ = self.source

    def factors(self) -> np.ndarray | None:
        """The factors of the images, int64 [n, K]; None for a grid or without any."""
        if not self.row.factors or self.row.is_grid(self.split):
            return None
        shape = (self.count, len(self.row.factors))
        return self._array("-factors", shape, np.int64, self._fill_factors)

    def _array(
        self, suffix: str, shape: tuple[int, ...], dtype: type, fill: Callable
    ) -> np.ndarray:
        key, folder = f"{self.key}{suffix}", self.data_dir
        description = {
            "dataset": self.name,
            "split": self.split,
            "preprocessing": repr(self.row.preprocessing),
            "version": _VERSION,
        }
        # A download waits until this is the one process that prepares.
        is_at_hand = self.origin is not None or not self.may_download
        if is_at_hand and not (folder / f"{key}.npy").exists():
            _ = self.source
        return cache.cached_array(
            key, shape, dtype, fill, description=description, directory=folder
        )

    @functools.cached_property
    def source(self) -> Source:
        """The published images, found and checked."""
        folder = self._tfds_folder()
        if folder is not None:
            source = tfds.read(self.row, self.split, folder)
        else:
            source = self.row.reader(self._paths(), self.row.factors)
        check_source(source, self.row, self.split, f"the source of {self.key}")
        return source

    def _tfds_folder(self) -> pathlib.Path | None:
        """The folder of TensorFlow Datasets to read, if that is the source."""
        if self.is_tfds:
            return tfds.build(self.name, self.row, self.data_dir)
        if self.origin is not None:
            return self.origin if tfds.versions(self.origin) else None
        if self._files_in(self.downloads):
            return None
        return tfds.prepared_folder(self.row, self.data_dir)

    def _paths(self) -> Mapping[str, pathlib.Path]:
        """The published files by their keys, checked against their checksums."""
        if self.origin is None:
            paths = self._files_in(self.downloads) or self._fetched()
        else:
            checks.require(self.origin.exists(), "source", "exist", str(self.origin))
            is_file = self.origin.is_file() and len(self.files) == 1
            paths = dict.fromkeys(self.files, self.origin)
            paths = paths if is_file else self._files_in(self.origin)
        names = ", ".join(file.name for file in self.files.values())
        rule = f"be {names}, or a folder with it"
        if len(self.files) > 1:
            rule = f"be a folder with {names}, packed or not"
        checks.require(paths, "source", rule, str(self.origin))
        for key, file in self.files.items():
            _require_own_name(paths[key], self.name, file)
            tfds.verify(paths[key], file, self.row)
        return paths

    def _files_in(self, folder: pathlib.Path) -> dict[str, pathlib.Path]:
        """All files of the split in a folder, or none."""
        paths = {key: match(file, folder) for key, file in self.files.items()}
        if folder.is_dir() and folder != self.downloads:
            for key, file in self.files.items():
                if paths[key] is None and file.or_folder:
                    paths[key] = folder
        return paths if all(paths.values()) else {}

    def _fetched(self) -> dict[str, pathlib.Path]:
        """Downloads what is missing.

        Raises:
            ArgumentError: If it may not or cannot do so; the error says what to do.
        """
        if not self.may_download or not all(file.url for file in self.files.values()):
            raise checks.ArgumentError(self.how_to_get())
        try:
            return {
                key: match(file, self.downloads) or tfds.fetch(file, self.downloads)
                for key, file in self.files.items()
            }
        except checks.ArgumentError as error:
            message = f"{error}\n{self.how_to_get()}"
            raise checks.ArgumentError(message) from error

    def how_to_get(self) -> str:
        """What to fetch, from where, where to put it, and what to type then."""
        split = f" --split={self.split}" if len(self.row.counts) > 1 else ""
        command = f"  tf_disentangle data prepare {self.name}{split}"
        by_program = all(file.url for file in self.files.values())
        does = "fetches its files" if by_program else "takes its files from below"
        lines = [
            f"{self.key} must be prepared before use; received nothing at {self.path}.",
            f"{command}  {does}",
            f"{command} --source=PATH  takes them from a file or folder",
            f"Its files, which may also be put into {self.downloads} by hand:",
            *(f"  {file.name}  {file.url}".rstrip() for file in self.files.values()),
        ]
        return "\n".join(lines + [self.row.notes] * bool(self.row.notes))

    def _fill_factors(self, out: np.ndarray, progress: Callable[[int], None]) -> None:
        out[:] = self.source.factors
        progress(len(out))

    def _fill_images(self, out: np.ndarray, progress: Callable[[int], None]) -> None:
        """Writes each image to its place: in a grid, the place of its factors."""
        where, start, count = f"the source of {self.key}", 0, self.source.count
        places = np.arange(count)
        if self.row.is_grid(self.split):
            sizes = tuple(self.row.factors.values())
            places = np.ravel_multi_index(tuple(self.source.factors.T), sizes)
        rule, remedy = f"give {len(out)} images", f"Delete {self.path} for another set."
        checks.require(count == len(out), where, rule, count, remedy)
        for block in self.source.blocks():
            images = self.row.preprocessing(block)
            stop = start + len(images)
            is_binary = self.row.preprocessing.is_binary
            out[places[start:stop]] = pack(images) if is_binary else images
            progress(len(images))
            start = stop
        checks.require(start == len(out), where, rule, start)


def check_source(source: Source, row: PublishedSet, split: str, where: str) -> None:
    """Checks that a source has the published images.

    Raises:
        ArgumentError: If it has another number of images, or a factor outside its
            range, or not each combination of a grid once.
    """
    published = row.counts[split]
    rule = f"have the published {published} images"
    remedy = "It is another version, or was cut short."
    fits = published in (None, source.count)
    checks.require(fits, where, rule, source.count, remedy)
    if source.factors is None:
        return
    sizes = np.array(list(row.factors.values()))
    wrong = ((source.factors < 0) | (source.factors >= sizes)).any(axis=0)
    names = np.array(list(row.factors))[wrong]
    rule = "have factors inside their published ranges"
    checks.require(not wrong.any(), where, rule, f"others in {', '.join(names)}")
    if row.is_grid(split):
        places = np.ravel_multi_index(tuple(source.factors.T), tuple(sizes))
        counts = np.bincount(places, minlength=len(places))
        rule = "have each combination of factors once"
        received = f"{int((counts == 0).sum())} combinations without an image"
        checks.require((counts == 1).all(), where, rule, received)


def _require_own_name(path: pathlib.Path, name: str, file: File) -> None:
    """Refuses a file with another set's name: its content may not tell them apart."""
    owners = [
        owner
        for owner, row in SETS.items()
        for files in row.files.values()
        if path.name in {each.name for each in files.values()}
    ]
    rule, received = f"be {file.name}", f"{path}, a file of {' or '.join(owners)}"
    checks.require(not owners or name in owners, "source", rule, received)


def match(file: File, folder: pathlib.Path) -> pathlib.Path | None:
    """The file in the folder, or one level below, by its name or its patterns."""
    if not folder.is_dir():
        return None
    for below in ("", "*/"):
        for pattern in (file.name, *file.patterns):
            if paths := sorted(folder.glob(below + pattern)):
                return paths[0]
    return None
