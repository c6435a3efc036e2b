"""What every picture needs: images as RGB, and text that fits."""

from __future__ import annotations

import functools
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tf_disentangle.checks import require
from tf_disentangle.interfaces import Decode

INK = (30, 30, 30)
FAINT = (150, 150, 150)
FRAME = (185, 185, 185)

#: Pixels of a line of a label and of a title. Pictures of about 800 pixels stay legible
#: in TensorBoard's thumbnails, which are half as wide.
FONT_SIZE, TITLE_SIZE = 18, 22


class Faint(str):
    """A label that is written in grey."""


# Rounding in a float32 decoder may leave [0, 1] by this much.
_RANGE_SLACK = 1e-4
_DECODE_BATCH = 256
# The font that comes with pillow draws a box for these.
_REPLACEMENTS = str.maketrans(
    {
        "\N{MINUS SIGN}": "-",
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{HORIZONTAL ELLIPSIS}": "...",
    }
)


def rgb(images: np.ndarray, argument: str = "images") -> np.ndarray:
    """Returns images as uint8 [..., H, W, 3].

    Args:
        images: [..., H, W, C] with C 1 or 3, uint8 or float in [0, 1].
        argument: Its name in errors.

    Raises:
        ArgumentError: If the shape, the type or the range is another.
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
        ArgumentError: If `decode` returns anything but as many images.
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


def legible(text: str) -> str:
    """Replaces what the font lacks: dashes by hyphens, other scripts by "?"."""
    latin = text.translate(_REPLACEMENTS).encode("latin-1", errors="replace")
    return latin.decode("latin-1")


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def line_height(size: int) -> int:
    """Pixels from one line to the next."""
    return sum(_font(size).getmetrics())


def text_size(text: str, size: int) -> tuple[int, int]:
    """Width and height of text, in pixels; (0, 0) for none."""
    if not text:
        return 0, 0
    lines = legible(text).split("\n")
    width = max(max(_font(size).getbbox(line)[2] for line in lines), 0)
    return math.ceil(width), line_height(size) * len(lines)


def draw_text(
    page: Image.Image, x: float, y: float, text: str, size: int, *, centre: bool = False
) -> None:
    """Writes lines from (x, y) downwards; x is their left edge, or their centre."""
    draw, colour = ImageDraw.Draw(page), FAINT if isinstance(text, Faint) else INK
    for number, line in enumerate(legible(text).split("\n")):
        left = x - text_size(line, size)[0] / 2 if centre else x
        position = (round(left), round(y) + number * line_height(size))
        draw.text(position, line, fill=colour, font=_font(size))
