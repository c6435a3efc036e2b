"""What every grid of images needs: images as RGB, text that fits, and the picture."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import io
import math
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tf_disentangle.checks import require
from tf_disentangle.interfaces import Decode

INK = (30, 30, 30)
FAINT = (150, 150, 150)
FRAME = (185, 185, 185)

#: Pixels of a line of a label and of a title. Pictures of about 800 pixels stay legible
#: in TensorBoard's thumbnails, which are half as wide.
FONT_SIZE, TITLE_SIZE = 20, 24


class Faint(str):
    """A label that is written in grey."""


# Rounding in a float32 decoder may leave [0, 1] by this much.
_RANGE_SLACK = 1e-4
_DECODE_BATCH = 256


def rgb(images: np.ndarray, argument: str = "images") -> np.ndarray:
    """Returns images as uint8 [..., H, W, 3].

    Args:
        images: [..., H, W, C] with C 1 or 3, uint8 or float in [0, 1].
        argument: Its name in errors.

    Raises:
        ArgumentError: If the shape, the type or the range is not one of these.
    """
    images = np.asarray(images)
    fits = images.ndim >= 3 and images.shape[-1] in (1, 3) and images.size > 0
    rule = "have shape [..., H, W, C] with C 1 or 3 and no empty axis"
    require(fits, argument, rule, images.shape)
    is_float = np.issubdtype(images.dtype, np.floating)
    rule = "be uint8, or float in [0, 1]"
    require(is_float or images.dtype == np.uint8, argument, rule, images.dtype.name)
    if is_float:
        low, high = float(images.min()), float(images.max())
        in_range = low >= -_RANGE_SLACK and high <= 1 + _RANGE_SLACK  # not if NaN
        received = f"float from {low:.4g} to {high:.4g}"
        require(in_range, argument, rule, received, "Give probabilities, not logits.")
        images = np.round(255 * np.clip(images, 0, 1)).astype(np.uint8)
    return np.broadcast_to(images, (*images.shape[:-1], 3))


def decoded(decode: Decode, codes: np.ndarray) -> np.ndarray:
    """Decodes codes [N, L] in batches.

    Returns:
        [N, H, W, 1 or 3] as `decode` gives them, uint8 or float in [0, 1].

    Raises:
        ArgumentError: If `decode` does not return one image for each code.
    """
    batches = []
    for start in range(0, len(codes), _DECODE_BATCH):
        batch = codes[start : start + _DECODE_BATCH]
        images = np.asarray(decode(batch))
        fits = images.ndim == 4 and len(images) == len(batch)
        rule = f"return images of shape [{len(batch)}, H, W, C]"
        require(fits, "decode(codes)", rule, images.shape)
        batches.append(images)
    return np.concatenate(batches)


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Returns the font of the charts, which has Greek letters and signs.

    It comes with matplotlib, which is found but not imported: that takes long.
    """
    found = importlib.util.find_spec("matplotlib")
    folder = pathlib.Path(found.origin).parent if found and found.origin else None
    require(folder, "matplotlib", "be installed", None, "pip install matplotlib")
    return ImageFont.truetype(folder / "mpl-data/fonts/ttf/DejaVuSans.ttf", size)


def line_height(size: int) -> int:
    """Pixels from one line to the next."""
    return sum(_font(size).getmetrics())


def text_size(text: str, size: int) -> tuple[int, int]:
    """Width and height of text, in pixels; (0, 0) for none."""
    if not text:
        return 0, 0
    lines = text.split("\n")
    width = max(max(_font(size).getbbox(line)[2] for line in lines), 0)
    return math.ceil(width), line_height(size) * len(lines)


@dataclasses.dataclass(frozen=True)
class Text:
    """Lines of text on a page.

    Attributes:
        x: The left edge of the lines, or their centre, in pixels.
        y: Top of the first line, in pixels.
        text: The lines; a `Faint` one is grey.
        size: Height of the font, in pixels.
        centre: Whether x is the centre.
    """

    x: float
    y: float
    text: str
    size: int
    centre: bool = False

    @property
    def colour(self) -> tuple[int, int, int]:
        """Colour of the ink."""
        return FAINT if isinstance(self.text, Faint) else INK


class Picture(np.ndarray):
    """A page of image tiles: pixels, uint8 [height, width, 3], which know their text.

    It is an array like any other. What it stores besides its pixels lets `save` write
    its text as text (PDF, SVG), and lets a notebook show it as a picture.

    Attributes:
        texts: The text of the page.
        tiles: The page without text, uint8 [height, width, 3]; None for a part of a
            page, and for what was computed from one.
    """

    texts: Sequence[Text] = ()
    tiles: np.ndarray | None = None

    def __array_finalize__(self, obj: Any) -> None:
        """Forgets the text, which belongs to a whole page only."""
        self.texts, self.tiles = (), None

    def _is_page(self) -> bool:
        return self.dtype == np.uint8 and self.ndim == 3 and self.shape[-1] == 3

    def __repr__(self) -> str:
        """Says how large the picture is; other arrays say what is in them."""
        if not self._is_page():
            return super().__repr__()
        return f"<Picture, {self.shape[1]} x {self.shape[0]} pixels>"

    def _repr_png_(self) -> bytes | None:
        """Shows the picture in a notebook; a grey one takes a third of the space."""
        if not self._is_page():
            return None
        pixels = np.ascontiguousarray(self)
        is_grey = (pixels == pixels[..., :1]).all()
        file = io.BytesIO()
        Image.fromarray(pixels[..., 0] if is_grey else pixels).save(file, "png")
        return file.getvalue()


def written(tiles: np.ndarray, texts: Sequence[Text]) -> Picture:
    """Writes texts onto a page of tiles, uint8 [height, width, 3]."""
    page = Image.fromarray(tiles)
    draw = ImageDraw.Draw(page)
    for text in texts:
        for number, line in enumerate(text.text.split("\n")):
            shift = text_size(line, text.size)[0] / 2 if text.centre else 0.0
            y = round(text.y) + number * line_height(text.size)
            position = (round(text.x - shift), y)
            draw.text(position, line, fill=text.colour, font=_font(text.size))
    picture = np.array(page).view(Picture)
    picture.texts, picture.tiles = tuple(texts), tiles
    return picture
