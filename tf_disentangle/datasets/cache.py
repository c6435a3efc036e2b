"""Arrays that are generated once and kept in a folder.

An array is one `.npy` file and one `.npy.json` beside it, with its shape, dtype,
description and checksum. Both are written under temporary names and renamed, the
array last, so whatever has a final name is complete. Each time it is opened, an array
is verified; if that fails, it is built again, with a message. The whole file is read
for that only when it is first opened after a change; later on, the system's record of
changes is compared.

The checksum is CRC-32, which takes 0.3 s for the 0.8 GB of CorrelatedEllipses, while
sha256 takes twice and blake2b four times as long.
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
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any

import numpy as np

from tf_disentangle import checks, files
from tf_disentangle.progress import progress_bar

CACHE_HELP = """\
Generated images are kept in $TF_DISENTANGLE_CACHE if it is set, else in
$XDG_CACHE_HOME/tf_disentangle, else in ~/.cache/tf_disentangle. A file is
checked when it is opened after any change, and made again if it is damaged or missing.
To free space it is always safe to delete the folder, or any file in it."""

SCHEMA_VERSION = 1

# generate(out, progress): fills `out`; progress(k) says that k more rows are done.
Generate = Callable[[np.ndarray, Callable[[int], None]], None]

_BLOCK = 1 << 24
_TICK = 1_000_000_000  # ns, and more than any file system's
_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _Entry:
    """Where an array of the cache lies and what its sidecar must say."""

    path: pathlib.Path
    shape: tuple[int, ...]
    dtype: np.dtype
    description: Mapping[str, Any]

    @property
    def num_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def hidden(self, suffix: str) -> pathlib.Path:
        """A hidden file beside the array: its lock, its note."""
        return self.path.with_name(f".{self.path.stem}.{suffix}")

    def record(self) -> dict[str, Any]:
        """What must be equal in the sidecar, apart from size and checksum."""
        return {
            "schema_version": SCHEMA_VERSION,
            "shape": list(self.shape),
            "dtype": self.dtype.str,
            "description": dict(self.description),
        }

    @contextlib.contextmanager
    def explaining(self) -> Iterator[None]:
        """Names the folder, and its variable, in errors of the file system."""
        name = str(self.path.parent)
        if self.path.parent == cache_dir():
            name = "the cache folder, $TF_DISENTANGLE_CACHE,"
        with files.explaining(self.path, name, self.num_bytes):
            yield


def cache_dir() -> pathlib.Path:
    """The folder of generated data; see `CACHE_HELP`. It need not exist.

    Raises:
        ArgumentError: If no variable names it and there is no home folder.
    """
    if folder := os.environ.get("TF_DISENTANGLE_CACHE"):
        return pathlib.Path(os.path.abspath(os.path.expanduser(folder)))
    # The XDG specification has relative paths ignored.
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.expanduser("~/.cache")
    remedy = "Set $TF_DISENTANGLE_CACHE to a folder."
    rule = "be below a home folder"
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

    If two processes want the same array at once, one builds it and the other waits for
    it, with a message. Where the file system has no locks, both build it, and the array
    of the last to finish is kept, so `generate` must give equal arrays for equal
    arguments.

    Args:
        key: File name without suffix: letters, digits, "_", "-" and ".".
        shape: Its shape, no side 0; progress counts the first axis.
        dtype: Its type.
        generate: Called as generate(out, progress): fills `out`, a memory-mapped
            array of zeros, and calls progress(k) after each k rows.
        description: JSON values that determine the array's contents; a file of
            another description is built again.
        directory: The folder; `cache_dir()` if None.

    Returns:
        A read-only memory map.

    Raises:
        ArgumentError: If the folder cannot be written to or lacks the space.
    """
    checks.require_type(key, str, "key")
    is_name = re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", key)
    checks.require(is_name, "key", "be made of letters, digits, '_', '-', '.'", key)
    shape = tuple(checks.integer(side, "shape", at_least=1) for side in shape)
    folder = cache_dir() if directory is None else pathlib.Path(directory).absolute()
    # Through JSON and back, so that it compares equal with what is read.
    description = json.loads(json.dumps(dict(description or {})))
    entry = _Entry(folder / f"{key}.npy", shape, np.dtype(dtype), description)

    if not _is_intact(entry, _logger.debug):
        notice = f"{entry.path} is being built by another process; waiting for it."
        with contextlib.ExitStack() as stack:
            with entry.explaining():
                lock = files.locked(entry.hidden("lock"), notice=notice)
                is_alone = stack.enter_context(lock)
            # Another process may have built it while this one waited.
            if not _is_intact(entry, _logger.warning):
                _build(entry, generate, is_alone)
    return np.load(entry.path, mmap_mode="r")


def sidecar_of(path: Any) -> dict[str, Any]:
    """What is recorded of the array in a file: its shape, its "crc32", ...; or {}."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return dict(json.loads(_sidecar(pathlib.Path(path)).read_text()))
    return {}


def _sidecar(path: pathlib.Path) -> pathlib.Path:
    return path.with_name(f"{path.name}.json")


def _is_intact(entry: _Entry, log: Callable[..., None]) -> bool:
    """Whether the array exists and is undamaged; logs what is damaged."""
    if not entry.path.exists():
        return False
    damage = _damage(entry)
    if damage is not None:
        log("%s: %s. Building it again.", entry.path, damage)
    return damage is None


def _damage(entry: _Entry) -> str | None:
    """Why the file of `entry` cannot be used, or None if it can."""
    sidecar = _sidecar(entry.path)
    try:
        record = json.loads(sidecar.read_text())
        for name, expected in entry.record().items():
            if record[name] != expected:
                return f"its {name} is {record[name]!r}, not {expected!r}"
        size = entry.path.stat().st_size
        if size != record["size"]:
            return f"it has {size} bytes, not {record['size']}"
        if not _has_checksum(entry, record["crc32"]):
            return "its checksum is wrong, so its contents have changed"
        # The checksum covers the header too, so this cannot differ from the record.
    except FileNotFoundError:
        return f"{sidecar.name} is missing beside it"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    except (ValueError, KeyError, TypeError) as error:
        return f"{sidecar.name} is damaged ({type(error).__name__}: {error})"
    return None


def _has_checksum(entry: _Entry, crc32: int) -> bool:
    """Compares the checksum, unless that was done since the file last changed.

    The system notes the time of any change (ctime), which no program can set and no
    copy preserves. A disk that loses bits by itself does not change it: to have the
    file read again, delete the note.
    """
    note, status = entry.hidden("verified"), entry.path.stat()
    times = f"{status.st_ctime_ns} {status.st_mtime_ns}"
    seen = f"{crc32} {status.st_ino} {status.st_size} {times}"
    with contextlib.suppress(OSError, ValueError):
        if note.read_text() == seen:
            return True
    if files.checksum(entry.path) != crc32:
        return False
    # Two changes within a tick of the file system's clock have the same time.
    if time.time_ns() - status.st_ctime_ns > _TICK:
        with contextlib.suppress(OSError):  # A folder that only others may write to.
            note.write_text(seen)
    return True


def _build(entry: _Entry, generate: Generate, is_alone: bool) -> None:
    """Generates the array of `entry` under a temporary name and renames it."""
    if is_alone:
        files.remove_temporaries(entry.path.parent, entry.path.stem)
    with contextlib.ExitStack() as stack:
        with entry.explaining():
            if shutil.disk_usage(entry.path.parent).free < entry.num_bytes + _BLOCK:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            temporary = stack.enter_context(files.building(entry.path))
            out = _allocated(entry, temporary)
        # Not explained: an error of the generator is not the folder's fault.
        unit = " images" if out.ndim == 4 else " rows"
        options: dict[str, Any] = {"total": len(out), "unit": unit, "delay": 1.0}
        with progress_bar(desc=entry.path.stem, shown=True, **options) as bar:
            generate(out, lambda count: bar.update(count) and None)
        with entry.explaining():
            out.flush()
            record = entry.record() | {"size": temporary.stat().st_size}
            record["crc32"] = files.checksum(temporary)
            # Before the array: one that has its final name then always has a sidecar.
            files.write_json(_sidecar(entry.path), record)
            # Shortening a file kills whoever has it mapped.
            os.chmod(temporary, 0o444)


def _allocated(entry: _Entry, path: pathlib.Path) -> np.memmap:
    """Makes a .npy file of zeros whose space on the disk is reserved."""
    with open(path, "x+b") as file:
        header = {
            "descr": np.lib.format.dtype_to_descr(entry.dtype),
            "fortran_order": False,
            "shape": entry.shape,
        }
        np.lib.format.write_array_header_1_0(file, header)
        file.flush()
        offset = file.tell()
        _reserve(file, offset, entry.num_bytes)
        return np.memmap(file, entry.dtype, "r+", offset, entry.shape)


def _reserve(file: IO[bytes], offset: int, num_bytes: int) -> None:
    """Reserves the disk space now: a full disk under a memory map kills the process."""
    try:
        os.posix_fallocate(file.fileno(), offset, num_bytes)
    except AttributeError:  # macOS has none.
        pass
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
