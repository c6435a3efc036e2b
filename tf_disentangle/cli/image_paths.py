"""Image files as they are named on a command line, and their contents for a model."""

from __future__ import annotations

import glob
import hashlib
import io
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import TextIO

from tf_disentangle import checks
from tf_disentangle.datasets.files.image_files import decoded
from tf_disentangle.datasets.files.readers import IMAGE_NAME

_ORIENTATION = 0x0112  # EXIF's tag; 1 is upright.
# The largest that is made a PNG: a photograph of 12 megapixels would be one of 20 MB,
# which servers refuse, and a model makes it so small that it does not see the loss.
_MOST_PNG_PIXELS = 2**20
_LONGEST_JPEG_SIDE = 65_500


class Images:
    """The files that names stand for, as often as they are asked for.

    A list on stdin is kept, since it can be read only once.

    Args:
        names: As `paths` takes them.
        stdin: Likewise.

    Attributes:
        count: How many files there are.
        checksum: Of all their paths, in their order.

    Raises:
        ArgumentError: If there is no file, or none of a pattern.
    """

    def __init__(self, names: Sequence[str], stdin: TextIO) -> None:
        self._names = names
        self._list = io.StringIO(stdin.read() if "-" in names else "")
        digest, self.count = hashlib.sha256(), 0
        for path in self:
            digest.update(os.fsencode(path) + b"\0")
            self.count += 1
        self.checksum = digest.hexdigest()

    def __iter__(self) -> Iterator[str]:
        """Yields the paths, from the first."""
        self._list.seek(0)
        return paths(self._names, self._list)


def stamp(path: str) -> tuple[int, int]:
    """Returns size in bytes and time of change in ns; -1, -1 for what is not there."""
    try:
        found = os.stat(path)
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns


def paths(names: Sequence[str], stdin: TextIO) -> Iterator[str]:
    """Yields the files that names stand for, one after the other, in a fixed order.

    Args:
        names: Files; folders, for the images in them and below; patterns such as
            *.png or **/*.png; - for a list on `stdin`, one path a line.
        stdin: Where that list is read.

    Raises:
        ArgumentError: If there is no file, or none of that pattern.
    """
    for name in names:
        path = pathlib.Path(name)
        if name == "-":
            lines = (line.rstrip("\r\n") for line in stdin)
            yield from (line for line in lines if line)
        elif path.is_dir():
            yield from _below(name)
        elif path.exists():
            yield name
        else:
            found = sorted(glob.iglob(name, recursive=True))
            rule = "name existing files or folders, or patterns that match some"
            checks.require(found, "IMAGES", rule, name)
            yield from (file for file in found if os.path.isfile(file))


def _below(folder: str) -> Iterator[str]:
    """Yields the image files of a folder and those below it, hidden ones left out."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if IMAGE_NAME.search(name) and not name.startswith("."):
                yield os.path.join(parent, name)


def content(path: str) -> bytes:
    """Returns a file as a PNG or JPEG that a model takes.

    PNG and JPEG are returned as they are. Other formats, and photographs that lie on
    their side by their EXIF data, are made a PNG of the pixels that they show; large
    ones a JPEG of high quality.

    Raises:
        ArgumentError: If it cannot be read, is no image, or has more than 8 bits.
    """
    from PIL import Image

    try:
        data = pathlib.Path(path).read_bytes()
    except OSError as error:
        text = checks.message(path, "be readable", error.strerror or str(error))
        raise checks.ArgumentError(text) from error
    try:
        image = Image.open(io.BytesIO(data))  # The header alone.
        turned = image.getexif().get(_ORIENTATION, 1) != 1
        as_it_is = image.format == "JPEG" and image.mode in ("L", "RGB")
        as_it_is |= image.format == "PNG" and image.mode in ("L", "LA", "RGB", "RGBA")
        as_it_is &= not turned and ";16" not in str(image.tile)
    except Exception:
        as_it_is = False
    if as_it_is:
        return data
    shown, stream = Image.fromarray(decoded(path, data)), io.BytesIO()
    is_large = shown.width * shown.height > _MOST_PNG_PIXELS
    if is_large and max(shown.size) <= _LONGEST_JPEG_SIDE:
        shown.save(stream, "JPEG", quality=95, subsampling=0)
    else:
        shown.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def changes(data: bytes, image_shape: tuple[int, int, int]) -> tuple[bool, bool]:
    """Whether a model resizes an image, and whether it makes it grey.

    Args:
        data: A PNG or JPEG; its header alone is read.
        image_shape: (H, W, C) of the model's images.
    """
    from PIL import Image

    height, width, channels = image_shape
    image = Image.open(io.BytesIO(data))
    is_colour = image.mode not in ("1", "L", "LA")
    return image.size != (width, height), is_colour and channels == 1
