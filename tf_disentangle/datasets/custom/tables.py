"""Tables of factors in a user's files, read column by column."""

from __future__ import annotations

import contextlib
import csv
import io
import logging
import os
import pathlib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets.columns import Table, as_table, as_text
from tf_disentangle.datasets.files.source import array, names_in, reading

_logger = logging.getLogger(__name__)

#: Names of arrays of factors, in the order in which they are looked for.
FACTOR_ARRAYS = ("factors", "latents_classes", "labels")

_SEPARATORS = (",", ";", "\t", "|")
# The header of an index that pandas' to_csv wrote, and of one that was read again.
_INDEX = ("", "Unnamed: 0")


def existing(path: str | os.PathLike, argument: str) -> pathlib.Path:
    """The full path of what exists there.

    Raises:
        ArgumentError: If nothing exists there.
    """
    checks.require_type(path, (str, os.PathLike), argument)
    full = pathlib.Path(path).expanduser().absolute()
    checks.require(full.exists(), argument, "exist", str(path))
    return full


def read_csv(
    path: pathlib.Path,
    images: Sequence[str],
    factor_names: Sequence[str] | None = None,
    in_order: bool = False,
) -> Table:
    """Reads a .csv of image names and factors, in the order of the images.

    Cells are separated by commas, semicolons (then numbers may have a decimal comma),
    tabs, bars or blanks. The column of names is the first in which all images are
    found: by their paths, as far as those go, with or without suffix, else by their
    base names. An index column without a header is left out.

    Args:
        path: Its first line has a name for each column, each further line an image's
            name and its values.
        images: Names of the images.
        factor_names: Columns to take; None takes all.
        in_order: Whether a table without names is read as one line for each image in
            turn.

    Returns:
        Numbers for a column if all of its values are numbers, else text.

    Raises:
        ArgumentError: If the table has no header, a name, a line or a value is missing,
            occurs twice, or fits two images.
    """
    header, *lines = _lines(path) or [[]]
    rule = "have a header: a name for the column of images, then one for each factor"
    checks.require(len(header) > 1 or in_order, str(path), rule, header)
    for line in lines:
        rule = f"have {len(header)} values in each line"
        checks.require(len(line) == len(header), str(path), rule, ",".join(line))
    columns = list(zip(*lines, strict=True)) if lines else [() for _ in header]
    rows, place = _match(header, columns, images, path, in_order)
    named = [(n, k) for k, n in enumerate(header) if k != place and n not in _INDEX]
    places = dict(named)
    return {
        name: _column([columns[places[name]][row] for row in rows], name, path)
        for name in _selected([name for name, _ in named], factor_names, path)
    }


def read_frame(
    factors: Any, images: Sequence[str], factor_names: Sequence[str] | None = None
) -> Table:
    """As `read_csv`, of a mapping or a DataFrame with a column of image names."""
    columns = list(factors.values() if isinstance(factors, Mapping) else [])
    count = len(columns[0]) if columns else len(factors)
    table = as_table(factors, None, count)
    texts = [column.astype(str).tolist() for column in table.values()]
    where, names = pathlib.Path("factors"), list(table)
    rows, place = _match(names, texts, images, where, False)
    del names[place]
    return {name: table[name][rows] for name in _selected(names, factor_names, where)}


def read_arrays(
    path: pathlib.Path, factor_names: Sequence[str] | None = None
) -> Table | np.ndarray:
    """The array `factors` [n, K], or of another usual name, of a .npy, .npz or .h5.

    If the file has `factor_names` too, the columns that are asked for, by name.
    """
    stored = array(path, *FACTOR_ARRAYS)
    rule = "hold factors of shape [n, K]"
    checks.require(len(stored.shape) in (1, 2), str(path), rule, stored.shape)
    table = as_text(stored.all())
    if "factor_names" not in names_in(path):
        return table
    table = table.reshape(len(table), -1)
    names = [str(name) for name in as_text(array(path, "factor_names").all())]
    rule = f"have {table.shape[1]} factor_names, one for each column of the factors"
    checks.require(len(names) == table.shape[1], str(path), rule, names)
    selected = _selected(names, factor_names, path)
    return {name: table[:, names.index(name)] for name in selected}


def _lines(path: pathlib.Path) -> list[list[str]]:
    """The lines of a .csv that are not empty, cell by cell."""
    # Excel begins a file in UTF-8 with a mark.
    with reading(path), open(path, newline="", encoding="utf-8-sig") as file:
        try:
            text = file.read()
            separator = _separator(text)
            if separator is None:
                cells = [line.split() for line in text.splitlines()]
            else:
                lines = io.StringIO(text, newline="")
                cells = list(csv.reader(lines, delimiter=separator))
        except (UnicodeDecodeError, csv.Error) as error:
            rule, remedy = "be a .csv file in UTF-8", "Save it as one."
            message = checks.message(str(path), rule, str(error), remedy)
            raise checks.ArgumentError(message) from error
    if separator == ";":
        cells = [[_with_point(cell) for cell in line] for line in cells]
    stripped = [[cell.strip() for cell in line] for line in cells]
    return [line for line in stripped if any(line)]


def _separator(text: str) -> str | None:
    """What separates the cells: most often in the header; None for blanks."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    counts = {mark: header.count(mark) for mark in _SEPARATORS}
    best = max(counts, key=counts.get)
    if counts[best]:
        return best
    return None if len(header.split()) > 1 else ","


def _with_point(cell: str) -> str:
    """A number with a decimal point, if it has a comma."""
    with_point = cell.replace(",", ".")
    return cell if _number(with_point) is None else with_point


def _selected(
    names: list[str], factor_names: Sequence[str] | None, path: pathlib.Path
) -> Sequence[str]:
    """The names of the columns to take, after a check that they are there once."""
    twice = ", ".join(name for name, count in Counter(names).items() if count > 1)
    checks.require(not twice, str(path), "have each column once", f"{twice} twice")
    missing = [name for name in factor_names or () if name not in names]
    rule = f"have the columns {', '.join(factor_names or ())}"
    received = f"no {', '.join(missing)} in {', '.join(names)}"
    checks.require(not missing, str(path), rule, received)
    return names if factor_names is None else factor_names


def _match(
    header: Sequence[str],
    columns: Sequence[Sequence[str]],
    images: Sequence[str],
    path: pathlib.Path,
    in_order: bool,
) -> tuple[list[int], int | None]:
    """Finds the line of each image, and the column that names the images."""
    tries: dict[int, list[int | None]] = {}
    # An index may happen to fit: it is tried last.
    for k in sorted(range(len(columns)), key=lambda k: header[k] in _INDEX):
        tries[k] = _rows_of(images, columns[k])
        if None not in tries[k]:
            break
    place = min(tries, key=lambda k: tries[k].count(None))
    rows, names = tries[place], columns[place]
    missing, rule = rows.count(None), "have a line for each image"
    if in_order and missing and len(names) == len(images):
        return list(range(len(names))), None
    if missing:
        image = images[rows.index(None)]
        same = [name for name in names if _base(name) == _base(image)]
        what = ("names in the table", "like it in the table", "it may be one of")
        shown = ", ".join(same[:3] or names[:3]) or "none"
        received = f"{missing} of {len(images)} images without, such as {image}; "
        received += f"{what[min(len(same), 2)]}: {shown}"
        if in_order:
            remedy = "Give one for each, in order, or a column of numbers 0, 1, ..."
        elif same or missing == len(images):
            remedy = "Give the images' names, with their folders where needed."
        else:
            remedy = "Add what is missing, or move these images to another folder."
        checks.require(False, str(path), rule, received, remedy)
    image_of: dict[int, str] = {}
    for image, row in zip(images, rows, strict=True):
        received = f"one line, {names[row]}, for {image_of.get(row)} and {image}"
        remedy = "Write their folders or suffixes too."
        checks.require(row not in image_of, str(path), rule, received, remedy)
        image_of[row] = image
    if without := [name for row, name in enumerate(names) if row not in image_of]:
        text = "%s: %d of %d lines are left out, since there is no such image: %s"
        shown = ", ".join(without[:3]) + (", ..." if len(without) > 3 else "")
        _logger.warning(text, path, len(without), len(names), shown)
    return rows, place


def _rows_of(images: Sequence[str], names: Sequence[str]) -> list[int | None]:
    """The number of the name that each image has; None where there is not one.

    Names are matched first by paths, of which either side may leave out the first
    folders; then the base names are matched with the remaining names. Each time they
    are tried as they stand, then without regard to case, then without suffixes.
    """
    rows: list[int | None] = [None] * len(images)
    left = list(range(len(names)))
    for is_whole in (True, False):
        for form in (_plain, _folded, _without_suffix):
            if None not in rows:
                return rows
            forms = {row: form(names[row]) for row in left}
            by_end: dict[str, list[int]] = defaultdict(list)
            for row, name in forms.items():
                for end in _ends(name):
                    by_end[end].append(row)
            for k in [k for k, row in enumerate(rows) if row is None]:
                rows[k] = _row_of(form(images[k]), forms, by_end, is_whole)
        left = sorted({*left} - {*rows})
    return rows


def _row_of(
    image: str,
    forms: Mapping[int, str],
    by_end: Mapping[str, list[int]],
    is_whole: bool,
) -> int | None:
    """The one name, in `forms`, that has the longest end in common with the image's.

    With `is_whole`, the common end must be the whole of one of the two.
    """
    for end in _ends(image):
        rows = by_end.get(end, [])
        exact = [row for row in rows if forms[row] == end]
        rows = exact if exact or (is_whole and end != image) else rows
        if rows:
            return rows[0] if len(rows) == 1 else None
    return None


def _ends(path: str) -> list[str]:
    """The path, and what is left of it without its first folders."""
    parts = path.split("/")
    return ["/".join(parts[k:]) for k in range(len(parts))]


def _plain(name: str) -> str:
    """A path with slashes and composed letters, however a system writes it."""
    name = unicodedata.normalize("NFC", name).replace("\\", "/")
    return name.removeprefix("./").strip("/")


def _folded(name: str) -> str:
    return _plain(name).casefold()


def _without_suffix(name: str) -> str:
    return os.path.splitext(_folded(name))[0]


def _base(name: str) -> str:
    return _without_suffix(name).rpartition("/")[2]


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
    is_exact = (np.abs(column) < 2**53).all() and (column == np.round(column)).all()
    return column.astype(np.int64) if is_exact else column


def _number(text: str) -> float | None:
    if "_" in text:  # 1_2 is 12 in Python, but a label in a table.
        return None
    with contextlib.suppress(ValueError):
        return float(text)
    return None
