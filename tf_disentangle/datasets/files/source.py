"""Reads arrays from where they are in blocks: never all of them are in memory."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gzip
import math
import pathlib
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import IO, cast

import numpy as np

from tf_disentangle import checks

#: Images of one block: one array, or one array for each where their sizes differ.
Block = np.ndarray | Sequence[np.ndarray]

_BLOCK_BYTES = 1 << 24
_FORMAT_ERRORS = (zlib.error, zipfile.BadZipFile, tarfile.TarError)
_IDX_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_NORB_TYPES = {0x1E3D4C55: "u1", 0x1E3D4C54: "<i4"}


@dataclasses.dataclass(frozen=True)
class Source:
    """The images of a set as they were published.

    Attributes:
        count: Number of images.
        blocks: Returns an iterator over blocks of images in order, uint8 [H, W] or
            [H, W, C] each.
        factors: Factors of the images in the same order, int64 [count, K]; None if none
            are known.
    """

    count: int
    blocks: Callable[[], Iterator[Block]]
    factors: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Stored:
    """An array in a file; `blocks` returns an iterator over consecutive rows."""

    path: pathlib.Path
    shape: tuple[int, ...]
    dtype: np.dtype
    blocks: Callable[[], Iterator[np.ndarray]]

    def all(self) -> np.ndarray:
        """The array itself, for small ones."""
        empty = np.empty((0, *self.shape[1:]), self.dtype)
        return np.concatenate([empty, *self.blocks()])


@contextlib.contextmanager
def reading(path: pathlib.Path) -> Iterator[None]:
    """Turns what a damaged file raises into one message with a remedy."""
    try:
        yield
    except (checks.ArgumentError, checks.ArgumentTypeError):
        raise
    except FileNotFoundError as error:
        message = checks.message("the data file", "exist", str(path))
        raise checks.ArgumentError(message) from error
    except (OSError, EOFError, ValueError, *_FORMAT_ERRORS) as error:
        rule, remedy = "be an intact file", "Replace it by an intact one."
        message = checks.message(str(path), rule, str(error), remedy)
        raise checks.ArgumentError(message) from error


def array(path: pathlib.Path, *keys: str) -> Stored:
    """Finds an array of one of the names in a .npz, .h5 or .npy file.

    A file of one array needs no name.

    Raises:
        ArgumentError: If the file is damaged, of another format, or has none of the
            names.
    """
    if path.suffix.lower() == ".npy":
        return _npy(path)
    names = names_in(path)
    matches = [key for key in keys if key in names]
    key = next(iter(matches or (names if len(names) == 1 else [])), None)
    rule, received = f"hold an array {keys[0]}", f"arrays {', '.join(sorted(names))}"
    remedy = f"Save it under that name: numpy.savez(file, {keys[0]}=...)."
    checks.require(key is not None, str(path), rule, received, remedy)
    return (_npz if path.suffix.lower() == ".npz" else _h5)(path, key)


def names_in(path: pathlib.Path) -> list[str]:
    """Names of the arrays in a .npz, .h5 or .npy file; the last gives none."""
    suffix, formats = path.suffix.lower(), (".npy", ".npz", ".h5", ".hdf5")
    rule = f"be a file {', '.join(formats[:-1])} or {formats[-1]}"
    checks.require(suffix in formats, str(path), rule, suffix or "no suffix")
    if suffix == ".npy":
        return []
    with reading(path):
        if suffix != ".npz":
            return _h5_names(path)
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]


def idx(path: pathlib.Path) -> Stored:
    """The array of an idx file, as MNIST is published in, gzipped or not."""
    with reading(path), _opened(path) as file:
        zero, kind, ndim = np.frombuffer(_exactly(file, 4), ">u2, u1, u1")[0]
        if zero or kind not in _IDX_TYPES:
            raise ValueError("its first bytes are not those of an idx file")
        shape = np.frombuffer(_exactly(file, 4 * ndim), ">i4").tolist()
    start = functools.partial(_opened, path, 4 + 4 * int(ndim))
    return _streamed(path, start, tuple(shape), np.dtype(_IDX_TYPES[kind]))


def norb(path: pathlib.Path) -> Stored:
    """The array of one of SmallNORB's .mat files, gzipped or not."""
    with reading(path), _opened(path) as file:
        kind, ndim = np.frombuffer(_exactly(file, 8), "<i4").tolist()
        if kind not in _NORB_TYPES:
            raise ValueError("its first bytes are not those of a NORB matrix")
        # At least three sizes are written.
        sizes = np.frombuffer(_exactly(file, 4 * max(3, ndim)), "<i4")
    start = functools.partial(_opened, path, 8 + sizes.nbytes)
    shape = tuple(sizes[:ndim].tolist())
    return _streamed(path, start, shape, np.dtype(_NORB_TYPES[kind]))


def _opened(path: pathlib.Path, offset: int = 0) -> IO[bytes]:
    """Opens a file, unpacking it if it is gzipped, past its first bytes."""
    file: IO[bytes] = open(path, "rb")  # noqa: SIM115 closed by the caller
    if file.read(2) == b"\x1f\x8b":
        file.close()
        file = cast(IO[bytes], gzip.open(path))  # noqa: SIM115 as above
    file.seek(offset)
    return file


def _npy(path: pathlib.Path) -> Stored:
    with reading(path):
        with open(path, "rb") as file:
            _require_plain(path, _npy_header(file)[2])
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)

    def blocks() -> Iterator[np.ndarray]:
        step = _rows(mapped.shape, mapped.dtype)
        for start in range(0, len(mapped), step):
            yield np.asarray(mapped[start : start + step])

    return Stored(path, mapped.shape, mapped.dtype, blocks)


def _npz(path: pathlib.Path, key: str) -> Stored:
    """Streams a member: numpy itself would hold all of it in memory."""

    def start() -> IO[bytes]:
        with zipfile.ZipFile(path) as archive:
            file = archive.open(f"{key}.npy")
        _npy_header(file)
        return file

    with reading(path), zipfile.ZipFile(path) as archive:
        shape, fortran, dtype = _npy_header(archive.open(f"{key}.npy"))
    _require_plain(path, dtype, key)
    rule, remedy = f"store {key} row by row", "Save np.ascontiguousarray(x)."
    is_by_row = not fortran or len(shape) < 2
    checks.require(is_by_row, str(path), rule, "Fortran's order", remedy)
    return _streamed(path, start, shape, dtype)


def _require_plain(path: pathlib.Path, dtype: np.dtype, key: str = "values") -> None:
    """Refuses Python objects, which a file could only hold as code to run."""
    rule = f"store {key} as numbers or text"
    remedy = "Save np.array(x, float), or np.array(x, str)."
    checks.require(not dtype.hasobject, str(path), rule, "Python objects", remedy)


def _npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)


def _h5_names(path: pathlib.Path) -> list[str]:
    import h5py

    names: list[str] = []

    def visit(name: str, item: object) -> None:
        names.extend([name] * isinstance(item, h5py.Dataset))

    with h5py.File(path) as file:
        file.visititems(visit)
    return names


def _h5(path: pathlib.Path, key: str) -> Stored:
    import h5py

    with reading(path), h5py.File(path) as file:
        shape, dtype = file[key].shape, file[key].dtype

    def blocks() -> Iterator[np.ndarray]:
        step = _rows(shape, dtype)
        with reading(path), h5py.File(path) as file:
            for start in range(0, shape[0], step):
                yield file[key][start : start + step]

    return Stored(path, shape, dtype, blocks)


def _streamed(
    path: pathlib.Path,
    start: Callable[[], IO[bytes]],
    shape: tuple[int, ...],
    dtype: np.dtype,
) -> Stored:
    """An array that lies in a stream, row after row."""

    def blocks() -> Iterator[np.ndarray]:
        step, size = _rows(shape, dtype), math.prod(shape[1:]) * dtype.itemsize
        with reading(path), start() as file:
            for first in range(0, shape[0], step):
                count = min(step, shape[0] - first)
                data = _exactly(file, count * size)
                yield np.frombuffer(data, dtype).reshape(count, *shape[1:])
            # Reading to the end makes gzip and zip compare their checksums.
            if file.read(1):
                raise ValueError(f"there is more in it than the {shape} announced")

    return Stored(path, shape, dtype, blocks)


def _exactly(file: IO[bytes], count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise EOFError(f"{count - len(data)} bytes are missing at its end")
    return data


def _rows(shape: Sequence[int], dtype: np.dtype) -> int:
    """Rows of a block."""
    return max(1, _BLOCK_BYTES // max(1, math.prod(shape[1:]) * dtype.itemsize))
