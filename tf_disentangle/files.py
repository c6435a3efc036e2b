"""Files that are never half-written: temporary name, then rename.

A killed process leaves at most a temporary file (its name starts with a dot), never a
partial file under the final name.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

from tf_disentangle import checks

_MARK = ".tmp"


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path`, renamed to it when the block ends well.

    The block may make a file or a folder there. On an error it is removed again.

    Raises:
        ArgumentError: If the disk is full or the folder cannot be written.
    """
    path = pathlib.Path(path)
    temporary = _temporary(path)
    try:
        with explaining(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _delete(temporary)  # Of a killed process that had this number.
            yield temporary
            for part in [temporary, *temporary.rglob("*")]:
                _sync(part)
            if path.is_dir():
                remove(path)  # A folder that holds something cannot be renamed over.
            os.replace(temporary, path)
            _sync(path.parent)
    finally:
        _delete(temporary)


def remove(path: str | os.PathLike) -> None:
    """Removes a file or folder; it loses its name before it loses its content."""
    path = pathlib.Path(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}.old{_MARK}")
    os.replace(path, aside)
    _delete(aside)


def remove_temporaries(folder: str | os.PathLike) -> None:
    """Removes what killed processes left in `folder`, not looking into its folders.

    Only for a folder in which no other process writes.
    """
    for path in pathlib.Path(folder).glob(f".*{_MARK}*"):
        _delete(path)


@contextlib.contextmanager
def explaining(path: str | os.PathLike) -> Iterator[None]:
    """Turns an `OSError` of writing to `path` into an `ArgumentError` with a remedy."""
    remedies = {
        errno.ENOSPC: "The disk is full: free some space or choose another folder.",
        errno.EDQUOT: "The quota is used up: free some space or choose another folder.",
        errno.EFBIG: "A limit on file sizes is in force (ulimit -f).",
        errno.EACCES: "No permission to write there: choose another folder.",
        errno.EPERM: "No permission to write there: choose another folder.",
        errno.EROFS: "The file system is read-only: choose another folder.",
        errno.ENOTDIR: "A part of the path is a file: choose another folder.",
        errno.EEXIST: "A part of the path is a file: choose another folder.",
    }
    try:
        yield
    except OSError as error:
        received = f"{path}: {error.strerror or error}"
        raise checks.ArgumentError(
            checks.message(
                "output",
                "be writable",
                received,
                remedies.get(error.errno, "Choose another folder."),
            )
        ) from error


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes `text` (UTF-8) to `path` at once or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Writes `value` as indented JSON to `path` at once or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _temporary(path: pathlib.Path) -> pathlib.Path:
    """Returns the name beside `path` that its content has before and after its life."""
    # The suffix stays, for writers that choose a format by it.
    return path.with_name(f".{path.stem}.{os.getpid()}{_MARK}{path.suffix}")


def _delete(path: pathlib.Path) -> None:
    """Deletes a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    elif path.exists():
        path.unlink(missing_ok=True)


def _sync(path: pathlib.Path) -> None:
    """Forces a file or folder to disk, so that a rename cannot overtake its content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError if path.is_dir() else ()):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
