"""Arrays that are generated once and kept in a folder.

An array is one `.npy` file and one `.npy.json` beside it, with its shape, dtype,
description and checksum. Both are written under temporary names and renamed, the
array last, so whatever has a final name is whole; an opening verifies it, and what
fails is built again, with a message. The whole file is read for that at the first
opening after it changed; later ones compare what the system notes of changes.

The checksum is CRC-32: it guards against accidents, not malice, and takes 0.3 s for
the 0.8 GB of CorrelatedEllipses, where sha256 takes twice and blake2b four times that.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import logging
import math
import os
import pathlib
import re
import secrets
import shutil
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any

import numpy as np
import tqdm

from tf_disentangle import checks

try:
    import fcntl
except ImportError:  # Windows: temporary files of killed processes stay.
    fcntl = None

CACHE_HELP = """\
Generated images are kept in $TF_DISENTANGLE_CACHE if it is set, else in
$XDG_CACHE_HOME/tf_disentangle, else in ~/.cache/tf_disentangle. They are checked
when they are opened after any change and made again when they are damaged or missing:
deleting the folder, or any file in it, is always safe and frees its space."""

SCHEMA_VERSION = 1

# generate(out, progress): fills `out`; progress(k) says that k more rows are done.
Generate = Callable[[np.ndarray, Callable[[int], None]], None]

_BLOCK = 1 << 24
_TICK = 1_000_000_000  # ns, and more than any file system's
_TEMPORARY = ".building"
_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _Entry:
    """Where an array of the cache lies and what its sidecar must say."""

    path: pathlib.Path
    shape: tuple[int, ...]
    dtype: np.dtype
    description: Mapping[str, Any]

    @property
    def sidecar(self) -> pathlib.Path:
        return self.path.with_name(self.path.name + ".json")

    @property
    def num_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def record(self) -> dict[str, Any]:
        """What must be equal in the sidecar, less size and checksum."""
        return {
            "schema_version": SCHEMA_VERSION,
            "shape": list(self.shape),
            "dtype": self.dtype.str,
            "description": dict(self.description),
        }


def cache_dir() -> pathlib.Path:
    """The folder of generated data; see `CACHE_HELP`. It need not exist.

    Raises:
        ArgumentError: if no variable names it and there is no home folder.
    """
    chosen = os.environ.get("TF_DISENTANGLE_CACHE")
    if chosen:
        return pathlib.Path(os.path.abspath(os.path.expanduser(chosen)))
    # The XDG specification has relative paths ignored.
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.expanduser("~/.cache")
    remedy = "Set $TF_DISENTANGLE_CACHE to a folder."
    rule = "be below a known home folder"
    checks.require(os.path.isabs(base), "the cache folder", rule, base, remedy)
    return pathlib.Path(base) / "tf_disentangle"


def cached_array(
    key: str,
    shape: Sequence[int],
    dtype: Any,
    generate: Generate,
    *,
    description: Mapping[str, Any] | None = None,
    directory: str | os.PathLike | None = None,
) -> np.ndarray:
    """Returns the array called `key`, generating it if it is missing or damaged.

    Of two processes that want the same array at once, one builds it and the other
    waits for it, with a message. Where the file system has no locks both build, and
    the last to finish gives its name to its own: `generate` must give equal arrays
    for equal arguments.

    Args:
        key: File name without suffix: letters, digits, "_", "-" and ".".
        shape: Of the array, no side 0; progress counts its first axis.
        dtype: Of the array.
        generate: Called as generate(out, progress): fills `out`, a memory-mapped
            array of zeros, and calls progress(k) after each k rows.
        description: JSON values that determine the array's contents; a file of
            another description is built again.
        directory: The folder; `cache_dir()` if None.

    Returns:
        A read-only memory map.

    Raises:
        ArgumentError: if the folder cannot be written to or lacks the space.
    """
    checks.require_type(key, str, "key")
    is_name = re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", key)
    checks.require(is_name, "key", "be made of letters, digits, '_', '-', '.'", key)
    shape = tuple(checks.integer(side, "shape", at_least=1) for side in shape)
    folder = cache_dir() if directory is None else pathlib.Path(directory).absolute()
    # Through JSON and back, so that it compares equal with what is read.
    description = json.loads(json.dumps(dict(description or {})))
    entry = _Entry(folder / f"{key}.npy", shape, np.dtype(dtype), description)

    if not _is_whole(entry, _logger.debug):
        with _only_builder(entry) as is_alone:
            # Another process may have built it while this one waited.
            if not _is_whole(entry, _logger.warning):
                _build(entry, generate, is_alone)
    return np.load(entry.path, mmap_mode="r")


def _is_whole(entry: _Entry, tell: Callable[..., None]) -> bool:
    """Whether the array is there and undamaged; tells of damage."""
    if not entry.path.exists():
        return False
    damage = _damage(entry)
    if damage is not None:
        tell("%s: %s. Building it again.", entry.path, damage)
    return damage is None


def _damage(entry: _Entry) -> str | None:
    """Why the file of `entry` cannot be used, or None if it can."""
    try:
        found = json.loads(entry.sidecar.read_text())
        for name, expected in entry.record().items():
            if found[name] != expected:
                return f"its {name} is {found[name]!r}, not {expected!r}"
        size = entry.path.stat().st_size
        if size != found["size"]:
            return f"it has {size} bytes, not {found['size']}"
        if not _has_checksum(entry, found["crc32"]):
            return "its checksum is wrong, so its contents have changed"
        # The checksum covers the header too, so this cannot differ from the record.
    except FileNotFoundError:
        return f"{entry.sidecar.name} is missing beside it"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    except (ValueError, KeyError, TypeError) as error:
        return f"{entry.sidecar.name} is damaged ({type(error).__name__}: {error})"
    return None


def _has_checksum(entry: _Entry, crc32: int) -> bool:
    """Compares the checksum, unless that was done since the file last changed.

    The system notes the time of any change (ctime), which no program sets and no copy
    takes along. A disk that loses bits by itself changes nothing of this: to have the
    file read again, delete the note.
    """
    note = entry.path.with_name(f".{entry.path.stem}.verified")
    status = entry.path.stat()
    times = f"{status.st_ctime_ns} {status.st_mtime_ns}"
    seen = f"{crc32} {status.st_ino} {status.st_size} {times}"
    with contextlib.suppress(OSError, ValueError):
        if note.read_text() == seen:
            return True
    if _checksum(entry.path) != crc32:
        return False
    # Two changes within a tick of the file system's clock have the same time.
    if time.time_ns() - status.st_ctime_ns > _TICK:
        with contextlib.suppress(OSError):  # A folder that only others may write to.
            note.write_text(seen)
    return True


def _checksum(path: pathlib.Path) -> int:
    """CRC-32 of a whole file, read in blocks that do not stay in memory."""
    value, block = 0, memoryview(bytearray(_BLOCK))
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(block):
            value = zlib.crc32(block[:count], value)
    return value


def _build(entry: _Entry, generate: Generate, is_alone: bool) -> None:
    """Generates the array of `entry` under a temporary name and renames it."""
    with _file_errors(entry):
        if is_alone:
            _remove_stale(entry)
        _require_space(entry)
    with _temporary(entry) as file:
        with _file_errors(entry):
            header = {
                "descr": np.lib.format.dtype_to_descr(entry.dtype),
                "fortran_order": False,
                "shape": entry.shape,
            }
            np.lib.format.write_array_header_1_0(file, header)
            file.flush()
            offset = file.tell()
            _reserve(file, offset, entry.num_bytes)
            out = np.memmap(file, entry.dtype, "r+", offset, entry.shape)
        # Outside `_file_errors`: an error of the generator is not the folder's.
        _generate(entry, generate, out)
        with _file_errors(entry):
            out.flush()
            del out
            os.fsync(file.fileno())
            _publish(entry, file)


def _generate(entry: _Entry, generate: Generate, out: np.ndarray) -> None:
    """Calls the generator with a progress bar, shown if it takes over a second."""
    name, unit = entry.path.stem, " images" if out.ndim == 4 else " rows"
    with tqdm.tqdm(
        total=len(out), desc=name, unit=unit, file=sys.stderr, delay=1.0
    ) as bar:
        generate(out, lambda count: bar.update(count) and None)


def _publish(entry: _Entry, file: IO[bytes]) -> None:
    """Writes the sidecar and gives both files their final names.

    The sidecar comes first: an array that has its final name then always has one.
    """
    temporary = pathlib.Path(file.name)
    record = entry.record()
    record["size"] = temporary.stat().st_size
    record["crc32"] = _checksum(temporary)
    sidecar = temporary.with_name(temporary.name + ".json")
    try:
        with open(sidecar, "w") as text:
            json.dump(record, text, indent=2)
            text.flush()
            os.fsync(text.fileno())
        os.replace(sidecar, entry.sidecar)
    finally:
        sidecar.unlink(missing_ok=True)
    # Shortening a file kills whoever has it mapped: no one writes to it by accident.
    os.chmod(temporary, 0o444)
    os.replace(temporary, entry.path)
    _sync_folder(entry.path.parent)


def _sync_folder(folder: pathlib.Path) -> None:
    """Makes the renames in `folder` outlast a power cut, where that is possible."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _temporary(entry: _Entry) -> Iterator[IO[bytes]]:
    """Opens a temporary file beside the final one and removes it at the end."""
    name = f".{entry.path.stem}.{secrets.token_hex(4)}{_TEMPORARY}"
    path = entry.path.with_name(name)
    with _file_errors(entry):
        file = open(path, "x+b")  # noqa: SIM115 closed below, by the context
    try:
        yield file
    finally:
        path.unlink(missing_ok=True)
        file.close()


@contextlib.contextmanager
def _only_builder(entry: _Entry) -> Iterator[bool]:
    """Waits until no other process builds this array; yields whether that is sure.

    The system drops the lock with the process, however that ends, so that a killed
    builder keeps no one waiting. The empty lock file stays: removing it would let two
    processes hold locks on two files of one name.
    """
    path = entry.path.with_name(f".{entry.path.stem}.lock")
    with _file_errors(entry):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "ab")  # noqa: SIM115 closed below, with the lock
    with file:
        locked = _lock(file, wait=False)
        if locked is False:
            _logger.warning(
                "%s is being built by another process; waiting for it.", entry.path
            )
            locked = _lock(file, wait=True)
        yield bool(locked)


def _lock(file: IO[bytes], wait: bool) -> bool | None:
    """Locks a file: True if done, False if another has it, None if that cannot be."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _remove_stale(entry: _Entry) -> None:
    """Removes the temporary files that dead builders of this array left."""
    for path in entry.path.parent.glob(f".{entry.path.stem}.????????{_TEMPORARY}*"):
        path.unlink(missing_ok=True)


def _require_space(entry: _Entry) -> None:
    """Raises an `OSError` unless the folder has room for the array."""
    if shutil.disk_usage(entry.path.parent).free < entry.num_bytes + _BLOCK:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _reserve(file: IO[bytes], offset: int, num_bytes: int) -> None:
    """Takes the disk space now: a full disk under a memory map kills the process."""
    try:
        os.posix_fallocate(file.fileno(), offset, num_bytes)
        return
    except AttributeError:  # macOS
        pass
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
    file.seek(offset)
    for start in range(0, num_bytes, _BLOCK):
        file.write(bytes(min(_BLOCK, num_bytes - start)))
    file.flush()


@contextlib.contextmanager
def _file_errors(entry: _Entry) -> Iterator[None]:
    """Turns what the file system refuses into the user's error, with the remedy."""
    try:
        yield
    except OSError as error:
        folder, name = entry.path.parent, entry.path.stem
        is_usual = folder == cache_dir()
        remedy = "Choose another folder" + " ($TF_DISENTANGLE_CACHE)" * is_usual
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            rule = f"have {entry.num_bytes / 1e9:.3g} GB free for {name}"
            remedy += ", or free that space"
        else:
            rule = f"be a folder that {name} can be written to"
        where = f"the {'cache ' * is_usual}folder {folder}"
        received = error.strerror or str(error)
        message = checks.message(where, rule, received, f"{remedy}.")
        raise checks.ArgumentError(message) from error
