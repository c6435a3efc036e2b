"""A user's own images in a folder, an archive or an array file.

What has to be decoded, unpacked or resized is prepared once as a memory-mapped array in
the cache folder; it is prepared anew, in its place, when the files change.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets import cache
from tf_disentangle.datasets.custom.pixels import require_told, to_bytes, white_of
from tf_disentangle.datasets.custom.tables import (
    Table,
    existing,
    read_arrays,
    read_csv,
)
from tf_disentangle.datasets.files.image_files import Files
from tf_disentangle.datasets.files.preprocessing import Preprocessing
from tf_disentangle.datasets.files.readers import IMAGE_NAME, image_blocks
from tf_disentangle.datasets.files.source import (
    Block,
    Stored,
    array,
    names_in,
)
from tf_disentangle.datasets.image_table import ImageTable


class ImageFolder(ImageTable):
    """The images of a folder, with or without a table of factors (a `Dataset`).

    In gin: `train.data = @ImageFolder()` and `ImageFolder.path = "pictures"`.

    Args:
        path: A folder, searched with all below it, or a .zip or .tar of images; they
            are taken in the order of their names (a .tar's in its own).
        size: Side that the images are resized to, after a centre crop to a square.
        channels: 3 (RGB) or 1 (grey).
        crop: Side of the centre crop; None is the largest square.
        factors: A .csv file: a header line, then for each image its name (in the
            folder, with or without suffix) and the value of each factor. None if no
            factors are known.
        factor_names: Columns of `factors` to take; None takes all.
        num_bins: As in `ImageTable`.

    Raises:
        ArgumentError: If there are no images, one is damaged, or the table lacks an
            image or a column.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        size: int = 64,
        channels: int = 3,
        crop: int | None = None,
        factors: str | os.PathLike | None = None,
        factor_names: Sequence[str] | None = None,
        num_bins: int | None = None,
    ) -> None:
        path = existing(path, "path")
        apply = Preprocessing(size, channels, crop)
        files = Files.below(path, IMAGE_NAME.search)
        table = None
        if factors is not None:
            table = read_csv(existing(factors, "factors"), files.names, factor_names)
        _require_factors(table, factor_names)
        each = [path / name for name in files.names] if path.is_dir() else [path]
        count, blocks = len(files.names), image_blocks(files)
        images = _prepared(path, each, count, blocks, apply)
        super().__init__(images, table, None, num_bins)


class ImageFile(ImageTable):
    """The images of a .npy, .npz or .h5 file, perhaps with factors (a `Dataset`).

    In gin: `train.data = @ImageFile()` and `ImageFile.path = "mine.npz"`.

    Args:
        path: An array `images` [n, h, w] or [n, h, w, 1 or 3], alone or, in a .npz or
            .h5, beside `factors` [n, K] and `factor_names` [K]. Whole numbers are taken
            as 0 to 255, floats as 0 to 1, booleans as black and white.
        size: Side to resize to; None leaves the images as they are.
        white: What a white pixel is in the file, 255 or 1; None goes by the type.
        factors: A .npy, .npz or .h5 file of factors [n, K] instead, or a .csv as for
            `ImageFolder`, in which the images are called 0, 1, ...
        factor_names: Names of the factors; with names in the file, those to take.
        num_bins: As in `ImageTable`.

    Raises:
        ArgumentError: If the file is damaged or the arrays do not fit each other.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        size: int | None = None,
        white: int | None = None,
        factors: str | os.PathLike | None = None,
        factor_names: Sequence[str] | None = None,
        num_bins: int | None = None,
    ) -> None:
        path = existing(path, "path")
        stored = array(path, "images")
        apply = _ToBytes(stored, white, size)
        if path.suffix.lower() == ".npy" and apply.does_nothing:
            images = np.load(path, mmap_mode="r").reshape(-1, *apply.image_shape)
        else:
            images = _prepared(path, [path], stored.shape[0], stored.blocks, apply)
        table = _factors_of(path, factors, factor_names, len(images))
        _require_factors(table, factor_names)
        names = None if isinstance(table, dict) else factor_names
        super().__init__(images, table, names, num_bins)


def _factors_of(
    path: pathlib.Path,
    given: str | os.PathLike | None,
    wanted: Sequence[str] | None,
    count: int,
) -> Table | np.ndarray | None:
    """The factors of an array file: those given, those in it, or None."""
    if given is None:
        return read_arrays(path, wanted) if "factors" in names_in(path) else None
    given = existing(given, "factors")
    if given.suffix.lower() == ".csv":
        return read_csv(given, [str(k) for k in range(count)], wanted)
    return read_arrays(given, wanted)


def _require_factors(table: object, factor_names: Sequence[str] | None) -> None:
    """Refuses names of factors where there are none."""
    needless = table is None and factor_names is not None
    rule, remedy = "be left out where no factors are known", "Give factors."
    checks.require(not needless, "factor_names", rule, factor_names, remedy)


class _ToBytes:
    """Makes the images of an array file uint8, and resizes them."""

    def __init__(self, stored: Stored, white: int | None, size: int | None) -> None:
        self._name, shape = str(stored.path), stored.shape
        rule = "hold images of shape [n, h, w] or [n, h, w, 1 or 3]"
        # [h, w, 3] is one image, not h of them.
        is_one = len(shape) == 3 and shape[2] in (1, 3)
        shape = shape[1:] if len(shape) == 4 else (*shape[1:], 1)
        fits = len(shape) == 3 and shape[2] in (1, 3) and stored.shape[0] > 0
        checks.require(fits and not is_one, self._name, rule, stored.shape)
        self._white, self._size = white_of(stored.dtype, white, self._name), size
        if white is None and self._white == 255:
            dark = (((block == 0) | (block == 1)).all() for block in stored.blocks())
            require_told(all(dark), self._name)
        self.image_shape = tuple(shape)
        self.does_nothing = (stored.dtype, self._white, size) == (np.uint8, 255, None)
        self._resize = None if size is None else Preprocessing(size, shape[2])
        if self._resize is not None:
            self.image_shape = self._resize.image_shape

    def __call__(self, images: np.ndarray) -> np.ndarray:
        images = to_bytes(images, self._white, self._name)
        if self._resize is None:
            return images.reshape(-1, *self.image_shape)
        return self._resize(images)

    def __repr__(self) -> str:
        return f"white {self._white}, {self._size}"


def _prepared(
    path: pathlib.Path,
    files: Sequence[pathlib.Path],
    count: int,
    blocks: Callable[[], Iterator[Block]],
    apply: Any,
) -> np.ndarray:
    """The images of `files` as a memory map, prepared at first use.

    Args:
        path: What the user named: with `apply` it names the array.
        files: Its files: when one of them changes, the array is built again.
        count: Number of images.
        blocks: Returns an iterator over them.
        apply: The preprocessing.
    """
    where = str(path.absolute())
    state = hashlib.sha256()
    for file in files:
        found = file.stat()
        state.update(f"{file}\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
    name = "".join(c if c.isalnum() and c.isascii() else "_" for c in path.stem)
    digest = hashlib.sha256(repr((where, apply)).encode()).hexdigest()

    def fill(out: np.ndarray, progress: Callable[[int], None]) -> None:
        start = 0
        for block in blocks():
            images = apply(block)
            out[start : start + len(images)] = images
            start += len(images)
            progress(len(images))

    return cache.cached_array(
        f"own-{name}-{digest[:12]}",
        (count, *apply.image_shape),
        np.uint8,
        fill,
        description={
            "path": where,
            "preprocessing": repr(apply),
            "files": state.hexdigest()[:12],
        },
    )
