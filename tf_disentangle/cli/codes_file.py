"""Reads codes and factors that another program wrote: an .npz file."""

from __future__ import annotations

import dataclasses
import os
import zipfile
import zlib
from typing import Any, BinaryIO

import numpy as np

from tf_disentangle import checks
from tf_disentangle.interfaces import CodeColumn

HELP = """\
It reads a file that numpy.savez(path, codes=..., factors=...) wrote, with the arrays
    codes [N, L]          numbers, one row per image
    factors [N, K]        whole numbers or text, the values of the ground-truth factors
and optionally
    test_codes, test_factors      a test part; without it a third is held out
    factor_names [K]              such as shape, scale; by default factor0, factor1, ...
    column_kinds [L]              of each latent: continuous (default) or categorical"""

_NUMBERS = ("codes", "factors", "test_codes", "test_factors")
_TEXTS = ("factor_names", "column_kinds")
# What bin/encode adds, and scores do not need.
_ABOUT = ("paths", "latent_names")
_REMEDY = "Write it with numpy.savez(path, codes=codes, factors=factors)."


@dataclasses.dataclass(frozen=True, eq=False)
class CodesFile:
    """What an .npz file of codes holds.

    Attributes:
        codes: Numbers [N, L].
        factors: Labels [N, K], None if the file has none.
        test_codes: Numbers [M, L], None if the file has none.
        test_factors: Labels [M, K], None if the file has none.
        factor_names: One for each column of the factors.
        columns: What the columns of the codes hold, None if the file does not say.
    """

    codes: np.ndarray
    factors: np.ndarray | None
    test_codes: np.ndarray | None
    test_factors: np.ndarray | None
    factor_names: tuple[str, ...]
    columns: tuple[CodeColumn, ...] | None


def read(path: str | os.PathLike) -> CodesFile:
    """Reads a file as `HELP` describes it.

    Raises:
        ArgumentError: If there is no such file, or it holds something else.
        ArgumentTypeError: If codes or factors are not numbers.
    """
    rule = "be an .npz file that numpy.savez wrote"
    try:
        with open(path, "rb") as stream:  # numpy leaves a damaged one open.
            stored = _arrays_of(stream, path, rule)
    except OSError as error:
        reason = f"{path}: {error.strerror or error}"
        raise checks.ArgumentError(checks.message("--codes", rule, reason)) from error
    except checks.ArgumentError:
        raise
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        text = checks.message("--codes", rule, str(path), _remedy_of(error))
        raise checks.ArgumentError(text) from error
    checks.require("codes" in stored, str(path), "hold codes", sorted(stored), _REMEDY)
    arrays = {name: stored[name] for name in _NUMBERS if name in stored}
    for name, array in arrays.items():
        rule = "have shape [N, K]" if name.endswith("factors") else "have shape [N, L]"
        remedy = ""
        if array.ndim == 1:
            remedy = f"For one column write {name}[:, numpy.newaxis]."
        checks.require(array.ndim == 2, name, rule, array.shape, remedy)
        _require_numbers(name, array)
    _require_orientation(arrays)
    return CodesFile(
        codes=arrays["codes"],
        factors=arrays.get("factors"),
        test_codes=arrays.get("test_codes"),
        test_factors=arrays.get("test_factors"),
        factor_names=_factor_names(stored),
        columns=_columns(stored),
    )


def _arrays_of(
    stream: BinaryIO, path: str | os.PathLike, rule: str
) -> dict[str, np.ndarray]:
    """Returns the arrays of an archive by name."""
    # Pickles are refused: they can run any code.
    loaded = np.load(stream, allow_pickle=False)
    is_archive = isinstance(loaded, np.lib.npyio.NpzFile)
    checks.require(is_archive, "--codes", rule, f"the one array {path}", _REMEDY)
    known = [*_NUMBERS, *_TEXTS, *_ABOUT]
    with loaded as file:
        for name in file.files:
            unnamed = name.startswith("arr_")  # numpy.savez(path, codes, factors)
            remedy = _REMEDY if unnamed else checks.nearest(name, known)
            fits = name in known or name.startswith("probabilities_")
            checks.require(fits, f"{path}", "hold known arrays", name, remedy)
        stored = {name: _array_of(file, name, path) for name in file.files}
    # What is no array in the archive comes as bytes.
    arrays = all(isinstance(array, np.ndarray) for array in stored.values())
    checks.require(
        arrays, "--codes", rule, f"{path}, an archive of other files", _REMEDY
    )
    return stored


def _array_of(
    file: np.lib.npyio.NpzFile, name: str, path: str | os.PathLike
) -> np.ndarray:
    """Returns one array; what holds Python objects is refused by its name."""
    try:
        return file[name]
    except ValueError as error:
        if "Object arrays" not in str(error):
            raise
        dtype = "numpy.float32" if name.endswith("codes") else "str"
        remedy = f"Write it with {name}={name}.astype({dtype})."
        rule = "hold numbers or text, no Python objects"
        text = checks.message(f"{name} of {path}", rule, "objects", remedy)
        raise checks.ArgumentError(text) from error


def _remedy_of(error: Exception) -> str:
    """Returns what to do about a file that numpy does not read.

    numpy takes any other file for a pickle, and says how to load it unsafely.
    """
    if isinstance(error, zipfile.BadZipFile | zlib.error):
        return "The archive is damaged; write it again."
    return _REMEDY


def _require_numbers(name: str, array: np.ndarray) -> None:
    """Raises unless an array holds numbers; factors may hold text too."""
    is_number = array.dtype.kind in "biuf"
    is_label = array.dtype.kind in "SU" and name.endswith("factors")
    if not is_number and not is_label:
        rule = "hold real numbers"
        raise checks.ArgumentTypeError(checks.message(name, rule, array.dtype.name))


def _require_orientation(arrays: dict[str, np.ndarray]) -> None:
    """Raises unless rows are images, before anything is said of the columns."""
    from tf_disentangle.metrics import tables

    for codes, factors in (_NUMBERS[:2], _NUMBERS[2:]):
        if factors in arrays and codes in arrays:
            tables.require_rows(arrays[codes], arrays[factors], codes, factors)
        elif codes in arrays:
            tables.require_row_per_image(arrays[codes], codes)


def _factor_names(stored: dict[str, np.ndarray]) -> tuple[str, ...]:
    count = stored["factors"].shape[1] if "factors" in stored else 0
    if "factor_names" not in stored:
        return tuple(f"factor{k}" for k in range(count))
    remedy = "" if "factors" in stored else "The file has no factors."
    names = tuple(str(name) for name in np.ravel(stored["factor_names"]))
    rule = f"name each of the {count} factors once"
    good = len(set(names)) == len(names) == count
    checks.require(good, "factor_names", rule, names, remedy)
    return names


def _columns(stored: dict[str, np.ndarray]) -> tuple[CodeColumn, ...] | None:
    if "column_kinds" not in stored:
        return None
    kinds = [str(kind) for kind in np.ravel(stored["column_kinds"])]
    count = stored["codes"].shape[1]
    rule = f"have one entry for each of the {count} latents"
    checks.require(len(kinds) == count, "column_kinds", rule, len(kinds))
    for kind in kinds:
        checks.one_of(kind, ("continuous", "categorical"), "column_kinds")
    columns: list[Any] = list(enumerate(kinds))  # The kinds are checked.
    return tuple(CodeColumn(f"z{i}", kind) for i, kind in columns)
