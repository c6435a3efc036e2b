"""Image files in a folder or an archive, read one after the other."""

from __future__ import annotations

import dataclasses
import io
import os
import pathlib
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets.files.source import reading


@dataclasses.dataclass(frozen=True)
class Files:
    """Files below a folder, or in a .zip or .tar archive.

    Attributes:
        path: The folder or archive.
        names: Relative to the folder, in the order of reading: alphabetical, or that
            of a tar, which is quick in no other.
        contents: Returns an iterator over their bytes in that order.
    """

    path: pathlib.Path
    names: list[str]
    contents: Callable[[], Iterator[bytes]]

    @classmethod
    def below(
        cls,
        path: pathlib.Path,
        wanted: Callable[[str], object],
        kind: str = "the files of the set",
    ) -> Files:
        """Finds the files that are `wanted` by their names.

        Args:
            path: A folder, which may hold links to others, or an archive.
            wanted: Whether a name is that of a file to read.
            kind: What is looked for, for the error.

        Raises:
            ArgumentError: If the archive is damaged or there are none.
        """
        with reading(path):
            if path.is_dir():
                read = cls._of_folder
            elif zipfile.is_zipfile(path):
                read = cls._of_zip
            else:
                rule = "be a folder, or an intact .zip or .tar"
                checks.require(tarfile.is_tarfile(path), str(path), rule, path.name)
                read = cls._of_tar
            files = read(path, wanted)
            received = None if files.names else _census(read(path, bool).names)
        checks.require(files.names, str(path), f"hold {kind}", received)
        return files

    @classmethod
    def _of_folder(cls, path: pathlib.Path, wanted: Callable[[str], object]) -> Files:
        found = (p.relative_to(path).as_posix() for p in _files_below(path))
        names = sorted(name for name in found if _is_visible(name) and wanted(name))

        def contents() -> Iterator[bytes]:
            for name in names:
                with reading(path / name):
                    data = (path / name).read_bytes()
                yield data

        return cls(path, names, contents)

    @classmethod
    def _of_zip(cls, path: pathlib.Path, wanted: Callable[[str], object]) -> Files:
        with zipfile.ZipFile(path) as archive:
            found = archive.namelist()
        names = sorted(name for name in found if _is_visible(name) and wanted(name))

        def contents() -> Iterator[bytes]:
            with reading(path), zipfile.ZipFile(path) as archive:
                for name in names:
                    yield archive.read(name)

        return cls(path, names, contents)

    @classmethod
    def _of_tar(cls, path: pathlib.Path, wanted: Callable[[str], object]) -> Files:
        def chosen(member: tarfile.TarInfo) -> bool:
            return bool(
                member.isfile() and _is_visible(member.name) and wanted(member.name)
            )

        with tarfile.open(path) as archive:
            names = [member.name for member in archive if chosen(member)]

        def contents() -> Iterator[bytes]:
            with reading(path), tarfile.open(path) as archive:
                for member in archive:
                    if chosen(member):
                        yield archive.extractfile(member).read()

        return cls(path, names, contents)


def _files_below(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """All files of a folder; links to folders are followed, each folder once."""
    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(parent))
        folders[:] = sorted(
            name
            for name in folders
            if os.path.realpath(os.path.join(parent, name)) not in seen
        )
        for name in names:
            path = pathlib.Path(parent, name)
            if path.is_file():
                yield path


def _census(names: list[str]) -> str:
    """What files there are, by suffix: "12 .npy, 3 .heic"."""
    suffixes = (pathlib.PurePath(name).suffix or "without suffix" for name in names)
    common = Counter(suffixes).most_common(5)
    return ", ".join(f"{count} {suffix}" for suffix, count in common) or "no files"


def _is_visible(name: str) -> bool:
    """Whether a name is none of those that systems leave in folders and archives."""
    parts = name.removeprefix("./").split("/")
    return not any(part.startswith((".", "__MACOSX")) for part in parts)


def decoded(name: str, data: bytes) -> np.ndarray:
    """Decodes an image file to uint8 [H, W] or [H, W, 3].

    It is turned as its EXIF data say; transparent pixels are seen before white.

    Args:
        name: Name of the file, for errors.
        data: Its bytes.

    Raises:
        ArgumentError: If it is no image, a huge one, or has more than 8 bits.
    """
    from PIL import Image, ImageOps

    try:
        image = Image.open(io.BytesIO(data))
        is_deep = _is_deep(image)
        image.load()
        image = ImageOps.exif_transpose(image)
    except Image.DecompressionBombError as error:
        rule = f"have at most {2 * Image.MAX_IMAGE_PIXELS:,} pixels"
        message = checks.message(name, rule, str(error), "Make it smaller.")
        raise checks.ArgumentError(message) from error
    except (OSError, SyntaxError, ValueError) as error:
        is_none = isinstance(error, Image.UnidentifiedImageError)
        received = "a file of no known format" if is_none else str(error)
        rule, remedy = "be an intact image", "Replace it, or leave it out."
        message = checks.message(name, rule, received, remedy)
        raise checks.ArgumentError(message) from error
    rule = "have 8 bits for each value"
    received = f"more, mode {image.mode}"
    checks.require(not is_deep, name, rule, received, "Convert it to 8 bits.")
    if "A" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))


def _is_deep(image) -> bool:  # noqa: ANN001 Pillow is imported late
    """Whether an opened image has more than 8 bits for each value.

    Pillow has no mode for 16-bit colours and cuts them while it loads; only what it
    opened for the decoder tells: "RGB;16B", or the largest value of a .ppm.
    """
    if image.mode[0] in "IF":
        return True
    for _, _, _, given in image.tile:
        kind, *rest = given if isinstance(given, tuple) else (given,)
        is_deep_ppm = image.format == "PPM" and max(rest, default=0) > 255
        if is_deep_ppm or ";16" in str(kind):
            return True
    return False
