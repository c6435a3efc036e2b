"""Files that are never half-written, locks and checksums, for the whole library.

A file is written under a temporary name and then renamed: a killed process leaves at
most a temporary file (its name starts with a dot), never a partial file under the final
name.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import pathlib
import secrets
import shutil
import zlib
from collections.abc import Iterator
from typing import Any

import filelock

from tf_disentangle import checks

#: The file by which a published model is known, in place of a run.
CHECKSUMS = "SHA256SUMS"
_MARK = ".tmp"
_BLOCK = 1 << 24
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_logger = logging.getLogger(__name__)


def no_such_folder(path: pathlib.Path) -> str:
    """Returns the remedy for a missing folder, with a like name beside it if any."""
    beside = path.absolute().parent.glob("[!.]*")
    hint = checks.suggestion(path.name, [p.name for p in beside if p.is_dir()])
    return f"There is no such folder. {hint}".strip()


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path`, renamed to it when the block ends well.

    The block may make a file or a folder there. On an error it is removed again.

    Raises:
        ArgumentError: If the disk is full or the folder cannot be written.
    """
    with explaining(path), building(path) as temporary:
        yield temporary


@contextlib.contextmanager
def building(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """As `replacing`, for a block that explains its own errors of the file system."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays, for writers that choose a format by it.
    name = f".{path.stem}.{secrets.token_hex(4)}{_MARK}{path.suffix}"
    temporary = path.with_name(name)
    try:
        yield temporary
        for part in [temporary, *temporary.rglob("*")]:
            _sync(part)
        if path.is_dir():
            remove(path)  # A folder that holds something cannot be renamed over.
        os.replace(temporary, path)
        _sync(path.parent)
    finally:
        _delete(temporary)


@contextlib.contextmanager
def locked(
    path: str | os.PathLike, argument: str = "output", *, notice: str | None = None
) -> Iterator[bool]:
    """Keeps other processes out of the block that lock the same path.

    The system drops the lock with the process, however that ends. The lock file stays:
    removing it would let two processes hold locks on two files of one name. Where the
    file system has no locks, nobody is kept out; the block is told whether it has one.

    Args:
        path: The lock file; made if it is missing.
        argument: Name of what is locked, for the error.
        notice: Logged as a warning when another process has the lock, before waiting
            for it; "" waits silently. None does not wait, and raises instead.

    Raises:
        ArgumentError: If another process has the lock and `notice` is None.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path, poll_interval=0.1)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        if notice is None:
            rule = "not be in use by another process"
            message = checks.message(argument, rule, str(path.parent))
            raise checks.ArgumentError(message) from error
        if notice:
            _logger.warning("%s", notice)
        lock.acquire()
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    try:
        yield lock.is_locked
    finally:
        lock.release()


def checksum(path: str | os.PathLike) -> int:
    """Returns the CRC-32 of a file, read in blocks that do not stay in memory.

    It guards against accidents, not malice.
    """
    value, block = 0, memoryview(bytearray(_BLOCK))
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(block):
            value = zlib.crc32(block[:count], value)
    return value


def remove(path: str | os.PathLike) -> None:
    """Removes a file or folder; it loses its name before it loses its content."""
    path = pathlib.Path(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}.old{_MARK}")
    os.replace(path, aside)
    _delete(aside)


def remove_temporaries(folder: str | os.PathLike, stem: str | None = None) -> None:
    """Removes what killed processes left in `folder`, not looking into its folders.

    Only for files that no other process writes: all in the folder, or those whose
    final name has the given stem.
    """
    pattern = f".*{_MARK}*" if stem is None else f".{stem}.????????{_MARK}*"
    for path in pathlib.Path(folder).glob(pattern):
        _delete(path)


@contextlib.contextmanager
def explaining(
    path: str | os.PathLike, argument: str = "output", num_bytes: int | None = None
) -> Iterator[None]:
    """Turns an `OSError` of writing to `path` into an `ArgumentError` with a remedy.

    Args:
        path: What is written.
        argument: Name of what the user must change.
        num_bytes: How much is to be written, if that is known.
    """
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
        rule = "be writable"
        if error.errno in _FULL and num_bytes is not None:
            rule = f"have {num_bytes / 1e9:.3g} GB free"
        received = f"{path}: {error.strerror or error}"
        remedy = remedies.get(error.errno, "Choose another folder.")
        message = checks.message(argument, rule, received, remedy)
        raise checks.ArgumentError(message) from error


def require_writable(
    folder: str | os.PathLike, argument: str = "output"
) -> pathlib.Path:
    """Returns a folder in which a file can be made; it is made if need be.

    For work whose result shall not be lost for a folder that cannot take it.

    Raises:
        ArgumentError: If it cannot be written.
    """
    folder = pathlib.Path(folder)
    probe = folder / f".{secrets.token_hex(4)}{_MARK}"
    with explaining(folder, argument):
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    return folder


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes `text` (UTF-8) to `path` at once or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Writes `value` as indented JSON to `path` at once or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


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
        os.fsync(descriptor)
    except OSError:
        if not path.is_dir():  # Some file systems sync no folders.
            raise
    finally:
        os.close(descriptor)
