"""Image files in a folder or an archive, read one after the other."""

from __future__ import annotations

import dataclasses
import functools
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
        names: Relative to the folder, in the order of reading: alphabetical, or for a
            tar its own order, since any other is slow.
        contents: Returns an iterator over their bytes in that order.
    """

    path: pathlib.Path
    names: list[str]
    contents: Callable[[], Iterator[bytes]]

    @classmethod
    def below(
        cls,
        path: pathlib.Path,
        is_wanted: Callable[[str], object],
        kind: str = "the files of the set",
    ) -> Files:
        """Finds files by their names in an archive or a folder, following links.

        Raises:
            ArgumentError: If the archive is damaged or there are no files of the kind.
        """
        read: Callable[[pathlib.Path, list[str]], Iterator[bytes]]
        with reading(path):
            if path.is_dir():
                every, read = sorted(_files_below(path)), _read_folder
            elif zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    every, read = sorted(archive.namelist()), _read_zip
            else:
                rule = "be a folder, or an intact .zip or .tar"
                checks.require(tarfile.is_tarfile(path), str(path), rule, path.name)
                with tarfile.open(path) as archive:
                    every = [member.name for member in archive if member.isfile()]
                read = _read_tar
        every = [name for name in every if _is_visible(name)]
        names = [name for name in every if is_wanted(name)]
        checks.require(names, str(path), f"hold {kind}", _census(every))
        return cls(path, names, functools.partial(read, path, names))


def _read_folder(folder: pathlib.Path, names: list[str]) -> Iterator[bytes]:
    for name in names:
        with reading(folder / name):
            data = (folder / name).read_bytes()
        yield data


def _read_zip(path: pathlib.Path, names: list[str]) -> Iterator[bytes]:
    with reading(path), zipfile.ZipFile(path) as archive:
        for name in names:
            yield archive.read(name)


def _read_tar(path: pathlib.Path, names: list[str]) -> Iterator[bytes]:
    names_to_read = {*names}
    with reading(path), tarfile.open(path) as archive:
        for member in archive:
            if member.isfile() and member.name in names_to_read:
                yield archive.extractfile(member).read()


def _files_below(folder: pathlib.Path) -> Iterator[str]:
    """Names of all files; links to folders are followed, each folder once."""
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
                yield path.relative_to(folder).as_posix()


def _census(names: list[str]) -> str:
    """What files there are, by suffix: "12 .npy, 3 .heic"."""
    suffixes = (pathlib.PurePath(name).suffix or "without suffix" for name in names)
    common = Counter(suffixes).most_common(5)
    return ", ".join(f"{count} {suffix}" for suffix, count in common) or "no files"


def _is_visible(name: str) -> bool:
    """Whether a name is not one that systems leave behind in folders and archives."""
    parts = name.removeprefix("./").split("/")
    return not any(part.startswith((".", "__MACOSX")) for part in parts)


def decoded(name: str, data: bytes) -> np.ndarray:
    """Decodes an image file to uint8 [H, W] or [H, W, 3].

    It is turned as its EXIF data say; transparent pixels are shown on white.

    Raises:
        ArgumentError: If it is not an image, is too large, or has more than 8 bits.
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
        received = str(error)
        if isinstance(error, Image.UnidentifiedImageError):  # It shows an address.
            received = "a file of no known format"
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
    for *_, settings in image.tile:
        kind, *rest = settings if isinstance(settings, tuple) else (settings,)
        is_deep_ppm = image.format == "PPM" and max(rest, default=0) > 255
        if is_deep_ppm or ";16" in str(kind):
            return True
    return False
