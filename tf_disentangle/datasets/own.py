"""A user's own images: a folder, an array file, or a `tf.data.Dataset`.

What has to be decoded, unpacked or resized is prepared once as a memory-mapped array in
the cache folder; it is prepared again when the files change.
"""

from __future__ import annotations

import csv
import hashlib
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets import cache
from tf_disentangle.datasets.image_table import ImageTable
from tf_disentangle.datasets.real.preprocessing import Preprocessing
from tf_disentangle.datasets.real.readers import IMAGE_NAME, image_blocks
from tf_disentangle.datasets.real.source import (
    Block,
    Files,
    array,
    names_in,
    reading,
)

# Images whose pixels are looked at to tell the scale of a file.
_LOOKED_AT = 1000


class ImageFolder(ImageTable):
    """The images of a folder, with or without a table of factors (a `Dataset`).

    In gin: `train.dataset = @ImageFolder()` and `ImageFolder.path = "pictures"`.

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
        cache_dir: Folder of the prepared array; `datasets.cache_dir()` if None.

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
        cache_dir: str | os.PathLike | None = None,
    ) -> None:
        path = _existing(path, "path")
        apply = Preprocessing(size, channels, crop)
        files = Files.below(path, IMAGE_NAME.search)
        names, table = None, None
        if factors is not None:
            names, table = read_table(_existing(factors, "factors"), files.names)
            names, table = _chosen(names, table, factor_names, factors)
        images = _prepared(
            path,
            [(path / name if path.is_dir() else path) for name in files.names],
            (len(files.names), image_blocks(files), apply),
            cache_dir,
        )
        super().__init__(images, table, names)


class ImageFile(ImageTable):
    """The images of a .npy, .npz or .h5 file, perhaps with factors (a `Dataset`).

    In gin: `train.dataset = @ImageFile()` and `ImageFile.path = "mine.npz"`.

    Args:
        path: An array `images` [n, h, w] or [n, h, w, 1 or 3], alone or, in a .npz,
            beside `factors` [n, K] and `factor_names` [K]. Whole numbers are taken as
            0 to 255, floats as 0 to 1, booleans as black and white.
        size: Side to resize to; None leaves the images as they are.
        white: What a white pixel is in the file, 255 or 1; None goes by the type.
        factors: A .npy, .npz or .csv file of factors [n, K] instead.
        factor_names: Names of the factors; with names in the file, those to take.
        num_bins: As in `ImageTable`.
        cache_dir: Folder of the prepared array; `datasets.cache_dir()` if None.

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
        cache_dir: str | os.PathLike | None = None,
    ) -> None:
        path = _existing(path, "path")
        stored = array(path, "images")
        shape = stored.shape[1:] if len(stored.shape) == 4 else (*stored.shape[1:], 1)
        fits = len(shape) == 3 and shape[2] in (1, 3) and stored.shape[0] > 0
        rule = "hold images of shape [n, h, w] or [n, h, w, 1 or 3]"
        checks.require(fits, str(path), rule, stored.shape)
        first = next(stored.blocks())[:_LOOKED_AT]
        scale = _scale(first, white, path)
        if path.suffix == ".npy" and size is None and scale is _as_they_are:
            images = np.load(path, mmap_mode="r").reshape(-1, *shape)
        else:
            apply = _Resized(shape, size, scale)
            rows = (stored.shape[0], stored.blocks, apply)
            images = _prepared(path, [path], rows, cache_dir)
        names, table = _factors_of(path, factors, len(images))
        if table is not None and names is not None:
            names, table = _chosen(names, table, factor_names, factors or path)
        elif table is not None:
            names = factor_names
        super().__init__(images, table, names, num_bins)


def from_tf_data(
    dataset: Any,
    image: str | None = None,
    factors: Sequence[str] = (),
    num_bins: int | None = None,
) -> ImageTable:
    """Takes the images of any finite `tf.data.Dataset` into memory, as uint8.

    For what does not fit there, write a .npy and give it to `ImageFile`.

    Args:
        dataset: Of images [h, w] or [h, w, C], pairs (image, factors), or dictionaries;
            batched or not. Floats are taken as 0 to 1. All images of one shape.
        image: Key of the images in dictionaries; None is "image".
        factors: Keys of the factors in dictionaries.
        num_bins: As in `ImageTable`.

    Raises:
        ArgumentTypeError: If `dataset` is no `tf.data.Dataset`.
        ArgumentError: If it is infinite, empty or has other elements.
    """
    has_them = hasattr(dataset, "as_numpy_iterator")
    if not has_them:
        remedy = "For example tfds.load(...)."
        raise checks.ArgumentTypeError(
            checks.message("dataset", "be a tf.data.Dataset", dataset, remedy)
        )
    # tf.data.INFINITE_CARDINALITY
    finite = int(dataset.cardinality()) != -1
    rule, remedy = "be finite", "Use take(n), and no repeat()."
    checks.require(finite, "dataset", rule, "an infinite one", remedy)
    images, rows, names = [], [], tuple(factors)
    for element in dataset.as_numpy_iterator():
        pixels, row = _parts(element, image or "image", names)
        batched = pixels.ndim == 4 or (row is not None and np.ndim(row[0]) == 1)
        pixels = pixels if batched else pixels[np.newaxis]
        images.append(_scale(pixels, None, "dataset")(pixels))
        if row is not None:
            columns = [np.atleast_1d(column) for column in row]
            rows.append(np.stack(columns, axis=1))
    checks.require(images, "dataset", "not be empty", "no element")
    shapes = {block.shape[1:] for block in images}
    rule, remedy = "have images of one shape", "Resize them by dataset.map."
    checks.require(len(shapes) == 1, "dataset", rule, sorted(shapes), remedy)
    stack = np.concatenate(images)
    stack = stack if stack.ndim == 4 else stack[..., np.newaxis]
    table = np.concatenate(rows) if rows else None
    return ImageTable(stack, table, names or None, num_bins)


def _parts(
    element: Any, image: str, factors: Sequence[str]
) -> tuple[np.ndarray, list | None]:
    """The image of an element, and its factors one by one."""
    if isinstance(element, Mapping):
        for key in (image, *factors):
            rule = "have the keys that are asked for"
            received = f"no {key} in {', '.join(map(str, element))}"
            checks.require(key in element, "dataset", rule, received)
        row = [element[key] for key in factors] or None
        return np.asarray(element[image]), row
    if isinstance(element, tuple):
        labels = np.asarray(element[1])
        return np.asarray(element[0]), [labels] if labels.ndim < 2 else list(labels.T)
    return np.asarray(element), None


def read_table(
    path: pathlib.Path, images: Sequence[str]
) -> tuple[list[str], np.ndarray]:
    """Reads a .csv of image names and factors, in the order of the images.

    Returns:
        Names of the K columns, and [n, K]: numbers where all values of the table are.

    Raises:
        ArgumentError: If it has no header, or an image has no row.
    """
    with reading(path), open(path, newline="", encoding="utf-8") as file:
        header, *lines = [line for line in csv.reader(file) if line] or [[]]
    rule = "have a header: a name for the column of images, then one for each factor"
    checks.require(len(header) > 1, str(path), rule, header)
    rows: dict[str, list[str]] = {}
    for line in lines:
        rule = f"have {len(header)} values in each line"
        checks.require(len(line) == len(header), str(path), rule, ",".join(line))
        rows[line[0]] = line[1:]
    found = [_row_of(name, rows) for name in images]
    missing = [n for n, row in zip(images, found, strict=True) if row is None]
    rule = "have a line for each image"
    received = f"{len(missing)} images without, such as {missing[0]}" if missing else ""
    checks.require(not missing, str(path), rule, received)
    table = np.array(found)
    try:
        return header[1:], _whole(table.astype(np.float64))
    except ValueError:
        return header[1:], table


def _row_of(name: str, rows: Mapping[str, list[str]]) -> list[str] | None:
    """The line of an image, by its path, its name, or its name without suffix."""
    path = pathlib.PurePosixPath(name)
    for key in (name, str(path.with_suffix("")), path.name, path.stem):
        if key in rows:
            return rows[key]
    return None


def _whole(table: np.ndarray) -> np.ndarray:
    """Floats as integers if all of them are whole."""
    is_whole = np.isfinite(table).all() and (table == np.round(table)).all()
    return table.astype(np.int64) if is_whole else table


def _factors_of(
    path: pathlib.Path, given: str | os.PathLike | None, count: int
) -> tuple[list[str] | None, np.ndarray | None]:
    """Names and table of the factors of an array file, None where there are none."""
    if given is None:
        is_npz = path.suffix == ".npz"
        if not is_npz or "factors" not in names_in(path):
            return None, None
        given = path
    table_path = _existing(given, "factors")
    if table_path.suffix == ".csv":
        return read_table(table_path, [str(k) for k in range(count)])
    table = array(table_path, "factors").all()
    is_npz = table_path.suffix == ".npz"
    if is_npz and "factor_names" in names_in(table_path):
        return array(table_path, "factor_names").all().tolist(), table
    return None, table


def _chosen(
    names: Sequence[str],
    table: np.ndarray,
    wanted: Sequence[str] | None,
    path: str | os.PathLike,
) -> tuple[list[str], np.ndarray]:
    """The columns that are wanted."""
    names = list(names)
    if wanted is None:
        return names, table
    missing = [name for name in wanted if name not in names]
    rule = f"have the columns {', '.join(wanted)}"
    received = f"no {', '.join(missing)} in {', '.join(names)}"
    checks.require(not missing, str(path), rule, received)
    return list(wanted), table[:, [names.index(name) for name in wanted]]


def _existing(path: str | os.PathLike, argument: str) -> pathlib.Path:
    checks.require_type(path, (str, os.PathLike), argument)
    found = pathlib.Path(path).expanduser()
    checks.require(found.exists(), argument, "exist", str(path))
    return found


def _as_they_are(images: np.ndarray) -> np.ndarray:
    return images


def _times_255(images: np.ndarray) -> np.ndarray:
    return np.round(np.clip(images, 0, 1) * np.float32(255)).astype(np.uint8)


def _scale(
    first: np.ndarray, white: int | None, name: object
) -> Callable[[np.ndarray], np.ndarray]:
    """How the pixels of a file become 0 to 255, told from its first images."""
    kind, largest = first.dtype.kind, first.max(initial=0)
    checks.require(kind in "biuf", str(name), "hold pixels", first.dtype.name)
    if white is None:
        white = 1 if kind in "bf" else 255
        dark = kind in "iu" and 0 < largest <= 1
        rule = "have pixels up to 255"
        remedy = "Give white=1 if 1 is white in it."
        checks.require(not dark, str(name), rule, f"none above {largest}", remedy)
    checks.one_of(white, (1, 255), "white")
    fits = first.min(initial=0) >= 0 and largest <= white
    rule = f"have pixels in [0, {white}]"
    received = f"{first.min(initial=0)} to {largest}"
    checks.require(fits, str(name), rule, received, "Give white=1 or white=255.")
    if white == 1:
        return _times_255
    return _as_they_are if first.dtype == np.uint8 else (lambda x: x.astype(np.uint8))


class _Resized:
    """Scales pixels and resizes images."""

    def __init__(self, shape: Sequence[int], size: int | None, scale: Callable) -> None:
        self._scale, self._size = scale, size
        self.image_shape = tuple(shape)
        self._apply: Callable = lambda images: images.reshape(-1, *self.image_shape)
        if size is not None:
            self._apply = Preprocessing(size, shape[2])
            self.image_shape = self._apply.image_shape

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return self._apply(self._scale(images))

    def __repr__(self) -> str:
        return f"{self._scale.__name__}, {self._size}"


def _prepared(
    path: pathlib.Path,
    files: Sequence[pathlib.Path],
    rows: tuple[int, Callable[[], Iterator[Block]], Any],
    cache_dir: str | os.PathLike | None,
) -> np.ndarray:
    """The images of `files` as a memory map, prepared at first use.

    Args:
        path: What the user named.
        files: Its files: when one of them changes, all is prepared again.
        rows: Number of images, maker of an iterator over their blocks, preprocessing.
        cache_dir: Where to; None is the usual place.
    """
    count, blocks, apply = rows
    digest = hashlib.sha256(repr((str(path.absolute()), apply)).encode())
    for file in dict.fromkeys(files):
        state = file.stat()
        digest.update(f"{file}\0{state.st_size}\0{state.st_mtime_ns}\0".encode())
    name = "".join(c if c.isalnum() and c.isascii() else "_" for c in path.stem)

    def fill(out: np.ndarray, progress: Callable[[int], None]) -> None:
        start = 0
        for block in blocks():
            images = apply(block)
            out[start : start + len(images)] = images
            start += len(images)
            progress(len(images))

    return cache.cached_array(
        f"own-{name}-{digest.hexdigest()[:12]}",
        (count, *apply.image_shape),
        np.uint8,
        fill,
        description={"path": str(path.absolute()), "preprocessing": repr(apply)},
        directory=cache_dir,
    )
