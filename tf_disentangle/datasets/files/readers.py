"""Readers of the formats of published sets.

A reader is called with the files of a split by their keys in `PublishedSet.files`, and
with the sizes of the factors, and returns a `Source`. It checks what a file says about
itself; `preparing` checks the number of images against the published one.
"""

from __future__ import annotations

import io
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets.files.image_files import Files, decoded
from tf_disentangle.datasets.files.source import (
    Block,
    Source,
    Stored,
    array,
    idx,
    norb,
    reading,
)

Paths = Mapping[str, pathlib.Path]
Sizes = Mapping[str, int]

# How many images decoded from files are handed on together.
_FILES_PER_BLOCK = 64


def read_arrays(
    paths: Paths,
    sizes: Sizes,
    *,
    shape: tuple[int, ...],
    images: tuple[str, ...] = ("images",),
    factors: tuple[str, ...] = (),
    first_factor: int = 0,
    are_values: bool = False,
) -> Source:
    """Reads a .npz or .h5 file with an array of images and, mostly, one of factors.

    Args:
        paths: The file as "images".
        sizes: Sizes of the factors.
        shape: Shape of one stored image.
        images: Possible names of the images' array.
        factors: Possible names of the factors' array [n, K]; () where the images lie
            in the order of the grid.
        first_factor: Columns before this one are constant and left out.
        are_values: Whether the array has the factors' values rather than their numbers.
    """
    path = paths["images"]
    stored = array(path, *images)
    _check_images(stored, shape)
    count = stored.shape[0]
    if not factors:
        grid = tuple(sizes.values())
        # Another number of images than the grid's is refused later.
        indices = np.minimum(np.arange(count), np.prod(grid) - 1)
        order = np.stack(np.unravel_index(indices, grid), axis=1)
        return Source(count, stored.blocks, order.astype(np.int64))
    table = array(path, *factors).all()
    columns = first_factor + len(sizes)
    rule = f"have a row for each image and {columns} columns, ({', '.join(sizes)})"
    rule += f" the last {len(sizes)}" if first_factor else ""
    fits = table.shape == (count, columns)
    checks.require(fits, f"the factors in {path}", rule, table.shape)
    table = table[:, first_factor:]
    table = _numbered(table, sizes, path) if are_values else table
    return Source(count, stored.blocks, table.astype(np.int64))


def read_idx(paths: Paths, sizes: Sizes) -> Source:
    """Reads MNIST's images and labels."""
    images, labels = idx(paths["images"]), idx(paths["labels"])
    _check_images(images, (28, 28))
    count = images.shape[0]
    fits = labels.shape == (count,)
    rule = f"have one label for each of {count} images"
    checks.require(fits, str(paths["labels"]), rule, labels.shape)
    return Source(count, images.blocks, labels.all().astype(np.int64)[:, np.newaxis])


def read_norb(paths: Paths, sizes: Sizes) -> Source:
    """Reads both parts of SmallNORB: the left camera's images."""
    parts, tables = [], []
    for part in ("training", "testing"):
        pixels = norb(paths[f"{part}-dat"])
        _check_images(pixels, (2, 96, 96))
        category = norb(paths[f"{part}-cat"]).all()
        info = norb(paths[f"{part}-info"])
        rule = f"have 4 columns and a row for each of {pixels.shape[0]} images"
        fits = info.shape == (len(category), 4) == (pixels.shape[0], 4)
        checks.require(fits, str(paths[f"{part}-info"]), rule, info.shape)
        instance, elevation, azimuth, lighting = info.all().T
        # Azimuths are written as 0, 2, ... 34, in tens of degrees.
        columns = (category, instance, elevation, azimuth // 2, lighting)
        parts.append(pixels)
        tables.append(np.stack(columns, axis=1).astype(np.int64))

    def blocks() -> Iterator[Block]:
        for part in parts:
            for block in part.blocks():
                yield block[:, 0]

    factors = np.concatenate(tables)
    return Source(len(factors), blocks, factors)


def read_cars(paths: Paths, sizes: Sizes) -> Source:
    """Reads Cars3D: a .mat file per car with all its views [h, w, 3, azimuth, elev.].

    Cars are numbered by the order of their files' names.
    """
    path = paths["images"]
    files = Files.below(path, re.compile(r"car_\w*mesh\.mat$").search)
    num_elevations, num_azimuths, num_cars = sizes.values()
    views = (num_azimuths, num_elevations)
    rule = f"hold {num_cars} files car_*_mesh.mat"
    checks.require(len(files.names) == num_cars, str(path), rule, len(files.names))
    cars = np.argsort(np.argsort([name.rsplit("/", 1)[-1] for name in files.names]))
    elevation, azimuth = np.indices(views[::-1]).reshape(2, -1)
    angles = np.tile([elevation, azimuth], num_cars)
    factors = np.stack([*angles, np.repeat(cars, len(elevation))], axis=1)

    def blocks() -> Iterator[Block]:
        for name, data in zip(files.names, files.contents(), strict=True):
            with reading(path / name):
                views_of = _matlab(data)["im"]
            rule = f"have an array im [h, w, 3, {num_azimuths}, {num_elevations}]"
            fits = views_of.ndim == 5 and views_of.shape[2:] == (3, *views)
            checks.require(fits, name, rule, views_of.shape)
            yield views_of.transpose(4, 3, 0, 1, 2).reshape(-1, *views_of.shape[:3])

    return Source(len(factors), blocks, factors)


def _matlab(data: bytes) -> dict:
    import scipy.io

    try:
        content = scipy.io.loadmat(io.BytesIO(data), variable_names=["im"])
    except (TypeError, NotImplementedError, IndexError) as error:
        raise ValueError(f"no MATLAB file: {error}") from error
    if "im" not in content:
        raise ValueError("there is no array im in it")
    return content


_CHAIR = re.compile(r"([^/]+)/renders/[^/]*_p(\d+)_t(\d+)_r\d+\.png$")


def read_chairs(paths: Paths, sizes: Sizes) -> Source:
    """Reads 3D chairs: CHAIR/renders/image_*_p(elevation)_t(azimuth)_r*.png.

    Each factor is numbered by its sorted values, both angles in degrees.
    """
    files = Files.below(paths["images"], _CHAIR.search)
    parts = [_CHAIR.search(name).groups() for name in files.names]
    chairs, elevations, azimuths = map(np.array, zip(*parts, strict=True))
    _, numbers = np.unique(chairs, return_inverse=True)
    angles = elevations.astype(np.int64), azimuths.astype(np.int64) % 360
    table = np.stack([numbers, *angles], axis=1)
    factors = _numbered(table, sizes, paths["images"])
    return Source(len(parts), image_blocks(files), factors)


def read_celeba(paths: Paths, sizes: Sizes) -> Source:
    """Reads CelebA's images and its 40 attributes (-1 becomes 0)."""
    files = Files.below(paths["images"], re.compile(r"\d+\.(jpg|png)$").search)
    path = paths["attributes"]
    with reading(path):
        text = path.read_text(encoding="utf-8")
        lines = [line.replace(",", " ").split() for line in text.splitlines()]
    if lines and len(lines[0]) == 1:  # The original begins with the number of images.
        lines = lines[1:]
    header = lines[0] if lines else []
    header = header[1:] if header[:1] == ["image_id"] else header
    missing = [name for name in sizes if name not in header]
    rule = f"have the {len(sizes)} published columns"
    checks.require(not missing, str(path), rule, f"none called {', '.join(missing)}")
    columns = [header.index(name) for name in sizes]
    rows = {line[0].rsplit(".", 1)[0]: line[1:] for line in lines[1:] if line}
    factors = np.empty((len(files.names), len(sizes)), np.int64)
    for k, name in enumerate(files.names):
        row = rows.get(pathlib.PurePath(name).stem)
        rule = f"have a row of {len(header)} values for each image"
        fits = row is not None and len(row) == len(header)
        checks.require(fits, str(path), rule, f"none for {name}")
        factors[k] = [int(row[column]) > 0 for column in columns]
    return Source(len(factors), image_blocks(files), factors)


_SUFFIXES = "png jpg jpeg jfif bmp gif tif tiff webp ppm pgm"
#: What the name of an image file ends with.
IMAGE_NAME = re.compile(rf"\.({_SUFFIXES.replace(' ', '|')})$", re.IGNORECASE)


def image_files(path: pathlib.Path) -> Files:
    """Finds the image files of a folder or archive.

    Raises:
        ArgumentError: If there are none; it says which formats are read and which files
            are there.
    """
    kind = f"images (.{_SUFFIXES.replace(' ', ', .')})"
    return Files.below(path, IMAGE_NAME.search, kind)


def read_images(paths: Paths, sizes: Sizes) -> Source:
    """Reads a folder or archive of images without factors."""
    files = image_files(paths["images"])
    return Source(len(files.names), image_blocks(files))


def image_blocks(files: Files):  # noqa: ANN201 as the annotation of Source.blocks
    """Returns an iterator maker over decoded images, some at a time."""

    def blocks() -> Iterator[Block]:
        some: list[np.ndarray] = []
        for name, data in zip(files.names, files.contents(), strict=True):
            some.append(decoded(str(files.path / name), data))
            if len(some) == _FILES_PER_BLOCK:
                yield some
                some = []
        if some:
            yield some

    return blocks


def _check_images(images: Stored, shape: Sequence[int]) -> None:
    """Checks that an array has uint8 images of the published shape."""
    path, fits = images.path, images.shape[1:] == tuple(shape)
    rule = f"hold images of shape [n, {', '.join(map(str, shape))}]"
    checks.require(fits, str(path), rule, images.shape)
    is_uint8 = images.dtype == np.uint8
    checks.require(is_uint8, str(path), "hold uint8 images", images.dtype.name)


def _numbered(table: np.ndarray, sizes: Sizes, path: pathlib.Path) -> np.ndarray:
    """Numbers the sorted values of each column, int64 [n, K]."""
    result = np.empty(table.shape, np.int64)
    for k, (name, size) in enumerate(sizes.items()):
        values, result[:, k] = np.unique(table[:, k], return_inverse=True)
        rule = f"have the {size} published values of {name}"
        checks.require(len(values) == size, str(path), rule, len(values))
    return result
