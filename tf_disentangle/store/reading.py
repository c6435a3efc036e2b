"""The files of a published model, checked: of a folder, a .zip or a .tar.

The content that was checked is held in memory and is what is used; nothing is unpacked.
Whoever wrote the files is not trusted: the list of an archive's files has a limit, and
names, kinds and sizes are checked before a byte of a file is read. The checksums reveal
accidents on the way, but not who the author is.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import io
import logging
import os
import pathlib
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from tf_disentangle import checks
from tf_disentangle.store.places import CHECKSUMS, RECORD

WEIGHTS, EXAMPLES = "model.safetensors", "examples.safetensors"
HISTORY, SCORES = "metrics.jsonl", "scores.json"
README = "README.md"
#: The files that `load` reads, with the most bytes that each may have.
LIMITS = {
    CHECKSUMS: 2**20,
    RECORD: 2**24,
    WEIGHTS: 2**30,
    HISTORY: 2**28,
    EXAMPLES: 2**28,
    SCORES: 2**20,
}
_MOST_BYTES, _MOST_FILES = 2**32, 1_000
# Of an archive, to learn what is in it: some 1.5 kB for each file.
_MOST_LISTING = 2**22
_BLOCK = 2**20
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")
_DAMAGE = (
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
#: The remedy for what was damaged on the way.
AGAIN = "Fetch it again, or ask its author for it."
_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _File:
    """One file: its size, as is claimed, and what opens it."""

    size: int
    open: Callable[[], Any]


def read(path: pathlib.Path) -> dict[str, bytes]:
    """Returns the contents of the files in `LIMITS` that are there, by name.

    On return, all files that SHA256SUMS names are there and have their checksums. A
    changed README.md, which people edit and no program reads, only gives a warning.
    Files that SHA256SUMS does not name are left alone.

    Args:
        path: The folder or archive.

    Raises:
        ArgumentError: If a file is missing, damaged, too large, or none to be read.
    """
    with _explaining(path), _opened(path) as there:
        sums = _sums(path, there)
        total = sum(there[name].size for name in sums if name in there)
        rule = f"have at most {_MOST_BYTES:,} bytes in all"
        checks.require(total <= _MOST_BYTES, str(path), rule, f"{total:,}")
        kept = {}
        for name, expected in sums.items():
            found = name in there
            checks.require(found, str(path), "be complete", f"no {name}", AGAIN)
            file, limit = there[name], LIMITS.get(name, LIMITS[WEIGHTS])
            content, received = _checked(path, name, file, limit, name in LIMITS)
            if received != expected and name == README:
                _logger.warning("%s: README.md was edited after publishing.", path)
                continue
            rule = f"be the file that was published, as {CHECKSUMS} records it"
            same = received == expected
            checks.require(same, f"{name} of {path}", rule, "another", AGAIN)
            if name in LIMITS:
                kept[name] = content
    return kept


def _checked(
    path: pathlib.Path, name: str, file: _File, limit: int, keep: bool
) -> tuple[bytes, str]:
    """Returns a file's content, if it is to be kept, and its SHA-256."""
    where, rule = f"{name} of {path}", f"have at most {limit:,} bytes"
    checks.require(file.size <= limit, where, rule, f"{file.size:,}")
    digest, blocks, size = hashlib.sha256(), [], 0
    with file.open() as stream:
        while block := stream.read(_BLOCK):
            size += len(block)  # It may be more than was claimed.
            checks.require(size <= limit, where, rule, "more")
            digest.update(block)
            if keep:
                blocks.append(block)
    return b"".join(blocks), digest.hexdigest()


def _sums(path: pathlib.Path, there: dict[str, _File]) -> dict[str, str]:
    """Returns the SHA-256 of each file of the model by its name."""
    rule, remedy = f"be a published model, with {CHECKSUMS}", "run.publish writes one."
    checks.require(CHECKSUMS in there, "model", rule, str(path), remedy)
    text, _ = _checked(path, CHECKSUMS, there[CHECKSUMS], LIMITS[CHECKSUMS], True)
    sums: dict[str, str] = {}
    where = f"{CHECKSUMS} of {path}"
    for line in text.decode("utf-8", "replace").splitlines():
        match = _LINE.fullmatch(line)
        rule = "have lines of a SHA-256, two blanks and a name"
        checks.require(match, where, rule, line[:200], AGAIN)
        checks.require(match[2] not in sums, where, "name a file once", match[2])
        sums[_plain_name(path, match[2])] = match[1]
    checks.require(len(sums) <= _MOST_FILES, where, "name fewer files", len(sums))
    for name in (RECORD, WEIGHTS):
        checks.require(name in sums, where, f"name {name}", sorted(sums)[:20], AGAIN)
    return sums


def _plain_name(path: pathlib.Path, name: str) -> str:
    """Returns the name of a file, if it stays in the model's folder."""
    parts = name.split("/")
    plain = all(part not in ("", ".", "..") for part in parts)
    plain = plain and not set(name) & set("\\:\0")
    rule = "hold files of its own folder only (no '..', no absolute path)"
    checks.require(plain, str(path), rule, name, "Do not use it.")
    return name


@contextlib.contextmanager
def _explaining(path: pathlib.Path) -> Iterator[None]:
    """Turns the errors of reading an archive into one of what was given."""
    try:
        yield
    except _DAMAGE as error:
        reason = f"{type(error).__name__}: {error}"
        text = checks.message(str(path), "be intact", reason, AGAIN)
        raise checks.ArgumentError(text) from error


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[dict[str, _File]]:
    """Yields the files of a folder or an archive by their names in the model."""
    with contextlib.ExitStack() as stack:
        if path.is_dir():
            yield _of_folder(path)
            return
        rule = f"have at most {_MOST_BYTES:,} bytes"
        size = path.stat().st_size
        checks.require(size <= _MOST_BYTES, str(path), rule, f"{size:,}")
        file = stack.enter_context(_Listed(path))
        if zipfile.is_zipfile(file):
            found = _of_zip(path, stack.enter_context(zipfile.ZipFile(file)))
        else:
            file.seek(0)
            found = _of_tar(path, stack.enter_context(_tar(path, file)))
        file.is_listed = True
        yield _below_one_folder(found)


def _tar(path: pathlib.Path, file: _Listed) -> tarfile.TarFile:
    try:
        # Of a compressed one a few bytes can claim any number of entries.
        return tarfile.TarFile(fileobj=file, mode="r")
    except tarfile.ReadError as error:
        rule, received = "be an intact .zip or .tar", "a file that is neither"
        text = checks.message(str(path), rule, received, AGAIN)
        raise checks.ArgumentError(text) from error


class _Listed(io.FileIO):
    """An archive, of which little is read before it is known what is in it.

    What the directory of a .zip, or a header of a .tar, says of its own size decides
    how much Python's modules read at once.

    Attributes:
        is_listed: Whether it is known; then as much is read as is asked for.
    """

    is_listed = False

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__(path)
        self._path, self._left = path, _MOST_LISTING

    def read(self, size: int = -1) -> bytes:
        """Reads at most `size` bytes.

        Raises:
            ArgumentError: If the list of the files is longer than one may be.
        """
        if not self.is_listed:
            rest = os.fstat(self.fileno()).st_size - self.tell()
            self._left -= rest if size < 0 else min(size, rest)
            rule = f"list its files in at most {_MOST_LISTING:,} bytes"
            checks.require(self._left >= 0, str(self._path), rule, "more")
        return super().read(size)


def _of_folder(path: pathlib.Path) -> dict[str, _File]:
    """The files of a folder; links are followed, as in Hugging Face's cache."""
    found: dict[str, _File] = {}
    for parent, folders, names in os.walk(path):
        # Such as .git and .cache; never followed into links to folders.
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            file = pathlib.Path(parent, name)
            if file.is_file():
                opener = functools.partial(open, file, "rb")
                place = file.relative_to(path).as_posix()
                found[place] = _File(file.stat().st_size, opener)
        rule = f"hold at most {_MOST_FILES:,} files"
        checks.require(len(found) <= _MOST_FILES, str(path), rule, "more")
    return found


def _of_zip(path: pathlib.Path, archive: zipfile.ZipFile) -> dict[str, _File]:
    members = archive.infolist()
    _check_count(path, len(members))
    found: dict[str, _File] = {}
    for info in members:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir():
            continue
        _check_kind(path, info.filename, kind in (0, stat.S_IFREG))
        opener = functools.partial(archive.open, info)
        _add(path, found, info.filename, _File(info.file_size, opener))
    return found


def _of_tar(path: pathlib.Path, archive: tarfile.TarFile) -> dict[str, _File]:
    found: dict[str, _File] = {}
    for count, member in enumerate(archive, start=1):
        _check_count(path, count)
        if member.isdir():
            continue
        _check_kind(path, member.name, member.isreg() and not member.issparse())
        opener = functools.partial(archive.extractfile, member)
        name = member.name.removeprefix("./")
        _add(path, found, name, _File(member.size, opener))
    return found


def _check_count(path: pathlib.Path, count: int) -> None:
    rule = f"hold at most {_MOST_FILES:,} files"
    checks.require(count <= _MOST_FILES, str(path), rule, count)


def _check_kind(path: pathlib.Path, name: str, is_plain: bool) -> None:
    rule, remedy = "hold plain files only, no links", "Do not use it."
    checks.require(is_plain, str(path), rule, name, remedy)


def _add(path: pathlib.Path, found: dict[str, _File], name: str, file: _File) -> None:
    checks.require(name not in found, str(path), "hold each file once", name)
    found[_plain_name(path, name)] = file


def _below_one_folder(found: dict[str, _File]) -> dict[str, _File]:
    """Leaves out the folder that an archive may have around its files.

    What macOS adds beside it, __MACOSX/ and names that start with a dot, is left out.
    """
    if CHECKSUMS in found:
        return found
    tops = {name: name.partition("/")[0] for name in found}
    own = {n: top for n, top in tops.items() if top != "__MACOSX" and top[0] != "."}
    if len({*own.values()}) != 1:
        return found
    return {name.partition("/")[2]: found[name] for name in own}
