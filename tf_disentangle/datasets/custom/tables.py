"""Tables of factors in a user's files, read column by column."""

from __future__ import annotations

import contextlib
import csv
import os
import pathlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets.files.source import array, names_in, reading

#: Columns of factors by name, each of its own type.
Table = dict[str, np.ndarray]


def existing(path: str | os.PathLike, argument: str) -> pathlib.Path:
    """The path, if there is something."""
    checks.require_type(path, (str, os.PathLike), argument)
    found = pathlib.Path(path).expanduser()
    checks.require(found.exists(), argument, "exist", str(path))
    return found


def read_csv(
    path: pathlib.Path, images: Sequence[str], wanted: Sequence[str] | None = None
) -> Table:
    """Reads a .csv of image names and factors, in the order of the images.

    Args:
        path: Its first line has a name for the column of images and one for each
            factor, each further line an image's name and its values.
        images: Names of the images, of which each line may leave out the folders and
            the suffix.
        wanted: Columns to take; None takes all.

    Returns:
        Numbers where all values of a column are, else text.

    Raises:
        ArgumentError: If the table has no header, a name, a line or a value is missing,
            stands twice, or fits two images.
    """
    header, *lines = _lines(path) or [[]]
    rule = "have a header: a name for the column of images, then one for each factor"
    checks.require(len(header) > 1, str(path), rule, header)
    names = _chosen(header[1:], wanted, path)
    for line in lines:
        rule = f"have {len(header)} values in each line"
        checks.require(len(line) == len(header), str(path), rule, ",".join(line))
    twice = _twice(line[0] for line in lines)
    rule = "have one line for each image"
    checks.require(not twice, str(path), rule, f"two for {twice}")
    rows = _of_images({line[0]: line for line in lines}, images, path)
    return {
        name: _column([row[1 + header[1:].index(name)] for row in rows], name, path)
        for name in names
    }


def read_arrays(
    path: pathlib.Path, wanted: Sequence[str] | None = None
) -> Table | np.ndarray:
    """The array `factors` [n, K] of a .npy, .npz or .h5 file.

    If the file has `factor_names` too: the wanted columns by name.
    """
    stored = array(path, "factors")
    rule = "hold factors of shape [n, K]"
    checks.require(len(stored.shape) in (1, 2), str(path), rule, stored.shape)
    table = as_text(stored.all())
    if "factor_names" not in names_in(path):
        return table
    table = table.reshape(len(table), -1)
    names = [str(name) for name in as_text(array(path, "factor_names").all())]
    rule = f"have {table.shape[1]} factor_names, one for each column of the factors"
    checks.require(len(names) == table.shape[1], str(path), rule, names)
    return {name: table[:, names.index(name)] for name in _chosen(names, wanted, path)}


def as_text(values: np.ndarray) -> np.ndarray:
    """Bytes, and the objects that h5py and TensorFlow give for text, as str."""
    if values.dtype.kind not in "SO":
        return values
    texts = [v.decode() if isinstance(v, bytes) else str(v) for v in values.flat]
    return np.array(texts, str).reshape(values.shape)


def _lines(path: pathlib.Path) -> list[list[str]]:
    """The lines of a .csv that are not empty, cell by cell."""
    # Excel begins a file in UTF-8 with a mark.
    with reading(path), open(path, newline="", encoding="utf-8-sig") as file:
        try:
            lines = list(csv.reader(file))
        except (UnicodeDecodeError, csv.Error) as error:
            rule, remedy = "be a .csv file in UTF-8", "Save it as one."
            message = checks.message(str(path), rule, str(error), remedy)
            raise checks.ArgumentError(message) from error
    stripped = [[cell.strip() for cell in line] for line in lines]
    return [line for line in stripped if any(line)]


def _twice(names: Iterable[str]) -> str:
    """The first name that stands twice, or nothing."""
    return next((name for name, count in Counter(names).items() if count > 1), "")


def _chosen(
    names: Sequence[str], wanted: Sequence[str] | None, path: pathlib.Path
) -> Sequence[str]:
    """The names of the columns that are wanted."""
    twice = _twice(names)
    checks.require(not twice, str(path), "have each column once", f"{twice} twice")
    if wanted is None:
        return names
    missing = [name for name in wanted if name not in names]
    rule = f"have the columns {', '.join(wanted)}"
    received = f"no {', '.join(missing)} in {', '.join(names)}"
    checks.require(not missing, str(path), rule, received)
    return wanted


def _of_images(
    lines: Mapping[str, list[str]], images: Sequence[str], path: pathlib.Path
) -> list[list[str]]:
    """The line of each image, by its path or its name, with or without suffix."""
    image_of: dict[str, str] = {}
    found, missing = [], []
    for image in images:
        where = pathlib.PurePosixPath(image)
        keys = (image, str(where.with_suffix("")), where.name, where.stem)
        key = next((key for key in keys if key in lines), None)
        if key is None:
            missing.append(image)
            continue
        rule = "have a line for each image"
        received = f"one line, {key}, for {image_of.get(key)} and {image}"
        remedy = "Write their folders or suffixes too."
        checks.require(key not in image_of, str(path), rule, received, remedy)
        image_of[key] = image
        found.append(lines[key])
    received = f"{len(missing)} images without, such as {missing[:1]}"
    checks.require(not missing, str(path), "have a line for each image", received)
    return found


def _column(values: list[str], name: str, path: pathlib.Path) -> np.ndarray:
    """A column as integers, floats or text."""
    where = f"column {name} of {path}"
    empty = values.count("")
    rule, received = "have a value in each line", f"empty cells: {empty}"
    remedy = "Fill them, or leave out the column by factor_names."
    checks.require(not empty, where, rule, received, remedy)
    numbers = [_number(value) for value in values]
    words = [v for v, n in zip(values, numbers, strict=True) if n is None]
    if len(words) == len(values):
        return np.array(values)
    rule, received = "have numbers or words, not both", f"{words[:1]} among numbers"
    checks.require(not words, where, rule, received, remedy)
    column = np.array(numbers)
    # Beyond 2^53 floats are not exact.
    is_whole = (np.abs(column) < 2**53).all() and (column == np.round(column)).all()
    return column.astype(np.int64) if is_whole else column


def _number(text: str) -> float | None:
    with contextlib.suppress(ValueError):
        return float(text)
    return None
