"""A user's own images in a folder, an archive or an array file.

Images that have to be decoded, unpacked or resized are prepared once as a memory-mapped
array in the cache folder. When the files change, the array is prepared again in its
place.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets import cache
from tf_disentangle.datasets.columns import as_table, is_path
from tf_disentangle.datasets.custom.tables import (
    FACTOR_ARRAYS,
    existing,
    read_arrays,
    read_csv,
    read_frame,
)
from tf_disentangle.datasets.files.pixels import (
    require_channels_last,
    require_white,
    to_bytes,
    white_of,
)
from tf_disentangle.datasets.files.preprocessing import Preprocessing
from tf_disentangle.datasets.files.readers import image_blocks, image_files
from tf_disentangle.datasets.files.source import Block, Stored, array, names_in
from tf_disentangle.datasets.image_table import ImageTable

_logger = logging.getLogger(__name__)


class _FromFiles(ImageTable):
    """A table that is rebuilt from its files, as long as their content is the same."""

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, with full paths, and a checksum of the content."""
        config = super().get_config()
        if hasattr(config["factors"], "columns"):  # a DataFrame
            table = as_table(config["factors"], None, len(config["factors"]))
            lists = {n: c.tolist() for n, c in table.items() if c.dtype.kind == "U"}
            config["factors"] = table | lists
        return config


class ImageFolder(_FromFiles):
    """The images of a folder, with or without a table of factors.

    Args:
        path: A folder, searched with all of its subfolders, or a .zip or .tar of
            images; they are taken in the order of their names (a .tar's in its own).
        size: Side that the images are resized to, after a centre crop to a square.
        channels: 3 (RGB) or 1 (grey).
        crop: Side of the centre crop; None is the largest square, "pad" leaves nothing
            out and adds black on both sides.
        factors: A .csv file: a header line, then for each image its name (in the
            folder, with or without suffix) and the value of each factor; or such a
            table in memory, a mapping or a DataFrame. Lines that match no image are
            left out, with a warning. None if no factors are known.
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
        crop: int | Literal["pad"] | None = None,
        factors: Any = None,
        factor_names: Sequence[str] | None = None,
        num_bins: int | Mapping[str, int] | None = None,
    ) -> None:
        path, table = existing(path, "path"), None
        apply, files = Preprocessing(size, channels, crop), image_files(path)
        if is_path(factors):
            table = read_csv(existing(factors, "factors"), files.names, factor_names)
        elif factors is not None:
            table = read_frame(factors, files.names, factor_names)
        _require_factors(table, factor_names)
        each = [path / name for name in files.names] if path.is_dir() else [path]
        images = _prepared(path, each, len(files.names), image_blocks(files), apply)
        super().__init__(images, table, None, num_bins)
        self.resizing = apply.resizing


class ImageFile(_FromFiles):
    """The images, or vectors, of a .npy, .npz or .h5 file, perhaps with factors.

    Args:
        path: An array `images` [n, h, w] or [n, h, w, 1 or 3], or vectors [n, D],
            alone or, in a .npz or .h5, beside `factors` [n, K] (or `latents_classes`
            or `labels`) and `factor_names` [K]. Whole numbers are taken as 0 to 255,
            floats as 0 to 1, booleans as black and white; vectors as they are.
        size: Side to resize to; None leaves the images as they are.
        white: What a white pixel is in the file, 1, 255 or 65535; None goes by the
            type.
        factors: A .npy, .npz or .h5 file of factors [n, K] instead, or a .csv as for
            `ImageFolder`, in which the images are called 0, 1, ... or are in order;
            or factors in memory, as for `ImageTable`.
        factor_names: Names of the factors; if the file has names, those to take.
        num_bins: As in `ImageTable`.

    Raises:
        ArgumentError: If the file is damaged or the arrays do not fit each other.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        size: int | None = None,
        white: int | None = None,
        factors: Any = None,
        factor_names: Sequence[str] | None = None,
        num_bins: int | Mapping[str, int] | None = None,
    ) -> None:
        path = existing(path, "path")
        stored = array(path, "images")
        images = _images_of(path, stored, size, white)
        table = _factors_of(path, factors, factor_names, len(images))
        _require_factors(table, factor_names)
        named = isinstance(table, Mapping) and table is not factors
        names = None if named else factor_names
        super().__init__(images, table, names, num_bins)


def _images_of(
    path: pathlib.Path, stored: Stored, size: int | None, white: int | None
) -> np.ndarray:
    """Images of an array file, in place or prepared, or its vectors [n, D]."""
    shape = stored.shape
    is_vector = len(shape) == 2 or (len(shape) == 4 and shape[1:3] == (1, 1))
    if is_vector and stored.dtype.kind == "f":
        rule = "be left out for vectors"
        checks.require(size is None, "size", rule, size)
        checks.require(white is None, "white", rule, white)
        return stored.all().astype(np.float32)
    apply = _ToBytes(stored, white, size)
    if path.suffix.lower() == ".npy" and apply.does_nothing:
        return np.load(path, mmap_mode="r").reshape(-1, *apply.image_shape)
    return _prepared(path, [path], stored.shape[0], stored.blocks, apply)


def _factors_of(
    path: pathlib.Path, factors: Any, factor_names: Sequence[str] | None, count: int
) -> Any:
    """The factors of an array file: those of `factors`, those in it, or None."""
    if factors is None:
        names = names_in(path)
        if any(name in names for name in FACTOR_ARRAYS):
            return read_arrays(path, factor_names)
        if len(names) > 1:
            text = "%s: its arrays %s are not used. Factors are read from %s."
            others = ", ".join(sorted({*names} - {"images"}))
            _logger.warning(text, path, others, " or ".join(FACTOR_ARRAYS))
        return None
    if not is_path(factors):
        return factors
    file = existing(factors, "factors")
    if file.suffix.lower() in (".csv", ".tsv", ".txt"):
        return read_csv(
            file, [str(k) for k in range(count)], factor_names, in_order=True
        )
    return read_arrays(file, factor_names)


def _require_factors(table: object, factor_names: Sequence[str] | None) -> None:
    """Refuses names of factors where there are none."""
    needless = table is None and factor_names is not None
    rule, remedy = "be left out where no factors are known", "Give factors."
    checks.require(not needless, "factor_names", rule, factor_names, remedy)


class _ToBytes:
    """Makes the images of an array file uint8, and resizes them."""

    def __init__(self, stored: Stored, white: int | None, size: int | None) -> None:
        self._name, shape = str(stored.path), stored.shape
        rule = "hold images of shape [n, h, w] or [n, h, w, 1 or 3], or floats [n, D]"
        if len(shape) == 4:
            require_channels_last(shape, self._name)
        # [h, w, 3] is one image, not h of them.
        is_one = len(shape) == 3 and shape[2] in (1, 3)
        shape = shape[1:] if len(shape) == 4 else (*shape[1:], 1)
        fits = len(shape) == 3 and shape[2] in (1, 3) and stored.shape[0] > 0
        remedy = checks.see("your_images")
        checks.require(fits and not is_one, self._name, rule, stored.shape, remedy)
        self._white, self._size = white_of(stored.dtype, white, self._name), size
        self.cuts, self._num_seen = size is not None, 0
        if white is None and self._white == 255:
            dark = (((block == 0) | (block == 1)).all() for block in stored.blocks())
            require_white(all(dark), self._name)
        self.image_shape = tuple(shape)
        self.does_nothing = (stored.dtype, self._white, size) == (np.uint8, 255, None)
        self._resize = None if size is None else Preprocessing(size, shape[2])
        if self._resize is not None:
            self.image_shape = self._resize.image_shape

    def __call__(self, images: np.ndarray) -> np.ndarray:
        images = to_bytes(images, self._white, self._name, self._num_seen)
        self._num_seen += len(images)
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

    The array is named after `path`, as the user gave it, and the preprocessing `apply`;
    it is built again when one of the files changes.
    """
    where, state = str(path), hashlib.sha256()
    for file in files:
        status = file.stat()
        state.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    name = "".join(c if c.isalnum() and c.isascii() else "_" for c in path.stem)
    digest = hashlib.sha256(repr((where, apply)).encode()).hexdigest()

    def fill(out: np.ndarray, progress: Callable[[int], None]) -> None:
        start = num_cut = 0
        for block in blocks():
            num_cut += sum(image.shape[0] != image.shape[1] for image in block)
            images = apply(block)
            out[start : start + len(images)] = images
            start += len(images)
            progress(len(images))
        if num_cut and apply.cuts:
            text = (
                "%s: %d of %d images are not square. Their middle square was taken%s."
            )
            advice = "; crop='pad' keeps all of them, between black borders"
            advice = advice if isinstance(apply, Preprocessing) else ""
            _logger.warning(text, path, num_cut, count, advice)

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
