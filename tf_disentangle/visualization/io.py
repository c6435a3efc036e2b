"""Pictures to files: written under a temporary name, then renamed.

Pixels become PNG and GIF as they are. For PDF and SVG a grid of images becomes one
picture of its tiles with its text set over it, and a chart is vectors throughout.
"""

from __future__ import annotations

import io
import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tf_disentangle import files
from tf_disentangle.checks import real, require
from tf_disentangle.visualization.canvas import FRAME, INK, Picture, Text, line_height
from tf_disentangle.visualization.charts import encoded, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PathLike = str | os.PathLike

# Pixels per inch of a page in PDF and SVG.
_PAGE_DPI = 160
_PAGE_COLOURS = ((255, 255, 255), (0, 0, 0), INK, FRAME)


def save(picture: np.ndarray | Figure, path: PathLike) -> None:
    """Writes a picture as PNG, PDF or SVG, whichever the path ends in.

    Args:
        picture: uint8 [H, W, 3], or a matplotlib figure. What the functions of this
            package return keeps its text as text in PDF and SVG; other pixels have
            none.
        path: Ends in .png, .pdf or .svg; missing folders are made.

    Raises:
        ArgumentError: If the array or the path has another form.
    """
    form = pathlib.Path(path).suffix.lower().removeprefix(".")
    rule = "end in .png, .pdf or .svg"
    require(form in ("png", "pdf", "svg"), "path", rule, str(path))
    with files.replacing(pathlib.Path(path)) as temporary:
        temporary.write_bytes(picture_bytes(picture, form))


def picture_bytes(picture: np.ndarray | Figure, form: str) -> bytes:
    """Returns a picture as the content of a file; see `save`.

    Args:
        picture: uint8 [H, W, 3], or a matplotlib figure.
        form: "png", "pdf" or "svg".
    """
    if not isinstance(picture, np.ndarray):
        return encoded(picture, form)
    _check(picture, 3, "picture")
    if form != "png":
        return encoded(_as_figure(picture), form)
    file = io.BytesIO()
    pixels = np.ascontiguousarray(picture)
    Image.fromarray(pixels).save(file, "png", optimize=True)
    return file.getvalue()


def _as_figure(picture: np.ndarray) -> Figure:
    """Returns a matplotlib figure of a page: its tiles, and its text over them."""
    from matplotlib.figure import Figure

    texts: Sequence[Text] = ()
    tiles: np.ndarray = np.asarray(picture)
    if isinstance(picture, Picture) and picture.tiles is not None:
        texts, tiles = picture.texts, picture.tiles
    height, width = picture.shape[:2]
    with style():
        figure = Figure((width / _PAGE_DPI, height / _PAGE_DPI), dpi=_PAGE_DPI)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.axis("off")
        extent = (0, width, height, 0)
        axes.imshow(tiles, extent=extent, aspect="auto", interpolation="none")
        for text in texts:
            for number, line in enumerate(text.text.split("\n")):
                axes.text(
                    text.x,
                    text.y + (number + 0.5) * line_height(text.size),
                    line,
                    color=[channel / 255 for channel in text.colour],
                    fontsize=text.size * 72 / _PAGE_DPI,
                    horizontalalignment="center" if text.centre else "left",
                    verticalalignment="center",
                )
    return figure


def save_gif(frames: np.ndarray, path: PathLike, *, fps: float = 10.0) -> None:
    """Writes frames as a GIF that loops.

    Grey frames are kept exactly; colours share one palette of 256, so that nothing
    flickers. Equal successive frames are stored as one that is shown for longer.

    Args:
        frames: uint8 [T, H, W, 3].
        path: Ends in .gif; missing folders are made.
        fps: Frames per second, in (0, 50]; GIF counts in steps of 10 ms, so the time of
            a frame is rounded to those.

    Raises:
        ArgumentError: If the array, the path or the speed does not fit these.
    """
    _check(frames, 4, "frames")
    real(fps, "fps", above=0.0, at_most=50.0)
    first, *rest = _indexed(frames)
    duration = 10 * round(100 / fps)
    options = {"save_all": True, "append_images": rest, "duration": duration, "loop": 0}
    _save(first, path, "gif", **options)


def _check(pixels: np.ndarray, ndim: int, argument: str) -> None:
    rule = f"have shape {'[T, H, W, 3]' if ndim == 4 else '[H, W, 3]'}"
    fits = pixels.ndim == ndim and pixels.shape[-1] == 3 and pixels.size > 0
    require(fits, argument, rule, pixels.shape)
    require(pixels.dtype == np.uint8, argument, "be uint8", pixels.dtype.name)


def _indexed(frames: np.ndarray) -> list[Image.Image]:
    """Frames with at most 256 colours."""
    if np.all(frames == frames[..., :1]):
        return [Image.fromarray(np.ascontiguousarray(f[..., 0])) for f in frames]
    palette = _palette(frames)
    return [_with_palette(frame, palette) for frame in frames]


def _palette(frames: np.ndarray) -> Image.Image:
    """A palette for all frames that ends with the colours of the page."""
    # Each colour counts once: by area, black and white would fill the palette.
    some = frames[:, ::2, ::2].astype(np.uint32)
    packed = np.unique(some[..., 0] << 16 | some[..., 1] << 8 | some[..., 2])
    distinct = np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=-1)
    num_free = 256 - len(_PAGE_COLOURS)
    reduced = Image.fromarray(distinct[np.newaxis].astype(np.uint8)).quantize(num_free)
    free = reduced.getpalette()[: 3 * num_free]
    free += [0] * (3 * num_free - len(free))
    palette = Image.new("P", (1, 1))
    palette.putpalette(free + [c for colour in _PAGE_COLOURS for c in colour])
    return palette


def _with_palette(frame: np.ndarray, palette: Image.Image) -> Image.Image:
    """One frame in the palette's colours."""
    picture = Image.fromarray(np.ascontiguousarray(frame))
    indexed = picture.quantize(palette=palette, dither=Image.Dither.NONE)
    # Pillow looks colours up coarsely, which would tint the white page.
    pixels = np.array(indexed)
    for place, colour in enumerate(_PAGE_COLOURS, 256 - len(_PAGE_COLOURS)):
        pixels[np.all(frame == colour, axis=-1)] = place
    exact = Image.fromarray(pixels)
    exact.putpalette(palette.getpalette())
    return exact


def _save(image: Image.Image, path: PathLike, form: str, **options: Any) -> None:
    """Writes beside `path` and renames, so that `path` is never half a file."""
    path = pathlib.Path(path)
    require(path.suffix.lower() == f".{form}", "path", f"end in .{form}", str(path))
    with files.replacing(path) as temporary, temporary.open("xb") as file:
        image.save(file, format=form, **options)
