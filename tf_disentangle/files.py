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


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path`, renamed to it when the block ends well.

    The block may make a file or a folder there. On an error it is removed again.

    Raises:
        ArgumentError: If the disk is full or the folder cannot be written.
    """
    path = pathlib.Path(path)
    # The suffix stays, for writers that choose a format by it.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        with explaining(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            if temporary.is_file():
                _sync(temporary)
            os.replace(temporary, path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        elif temporary.exists():
            temporary.unlink()


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
        if error.errno not in remedies:
            raise
        raise checks.ArgumentError(
            checks.message("output", "be writable", str(path), remedies[error.errno])
        ) from error


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes `text` (UTF-8) to `path` at once or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Writes `value` as indented JSON to `path` at once or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _sync(path: pathlib.Path) -> None:
    """Forces a file's content to disk, so that the rename cannot overtake it."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
