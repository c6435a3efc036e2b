"""The pictures of a run on its page: in columns, wide ones first.

Pictures are drawn on white paper. In the dark, pages turn the paper and the labels dark
and leave the images as they are: their places are known by the frames around them.
"""

from __future__ import annotations

import io
import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy import ndimage

from tf_disentangle.metrics.results import MATRICES
from tf_disentangle.pages.html import Html, data_uri, escaped, without_tags
from tf_disentangle.visualization.canvas import FRAME

# Letters of pictures are drawn for 1.5 pixels to one of the screen's.
_SCALE = 1.5
# A picture is shrunk at most this far to fit into its column, and scrolled beyond.
_LEAST = 0.8
# From this width on, in pixels of the page, a picture has a row of its own.
_WIDE = 660
_SMALLEST_TILE = 16
# What is drawn by matplotlib; beside these, all matrices.
_CHARTS = ("posteriors", "hyperprior", "points")
#: What a picture shows, by the beginning of its file's name; the longest one counts.
_CAPTIONS = {
    "traversals": "Each image moves one latent and keeps the others.",
    "reconstructions": "Images, and below each what the model makes of its code.",
    "same_codes": "Images, and what the generator makes of their inferred codes.",
    "samples": "Images decoded from draws from the prior.",
    "samples_": "One row for each category, one draw of the other latents a column.",
    "starts": "The same traversals from images that lie far apart: a latent that is "
    "disentangled does the same to each.",
    "plane_": "Two latents against each other.",
    "interpolation": "From the first image to the last, in a straight line between "
    "their codes.",
    "edits_": "Images with one latent set to other values.",
    "posteriors": "Codes of images against the factors of these images. The percentage "
    "is the share of the code's variance that the factor explains.",
    "hyperprior": "Covariances drawn from the hyperprior.",
    "data": "Images of the data, and rows in which one factor varies.",
    "points": "Data, reconstructions, samples and codes.",
    "checkpoints": "The same traversals with the weights of several checkpoints.",
    "cycle_": "Every latent along a cycle that begins and ends at one image.",
}


def of_files(paths: Sequence[pathlib.Path]) -> str:
    """Returns PNG and GIF files with what they show, HTML; "" for none.

    Args:
        paths: Files of a run's pictures; those of other formats are left out.
    """
    wide: list[str] = []
    others: list[str] = []
    for path in sorted(paths):
        form = path.suffix.lower().removeprefix(".")
        # The strips of the page are the traversals; the animation shows them at once.
        if form not in ("png", "gif") or path.name == "traversals.png":
            continue
        try:
            text, width = _figure(path)
        except OSError:  # One damaged file does not lose the page.
            caption = escaped(f"{path.name} cannot be read")
            text, width = f"<figure><figcaption>{caption}</figcaption></figure>", 0
        (wide if width > _WIDE else others).append(text)
    zones = {"wide": wide, "columns": others}
    parts = [f'<div class="{k}">{"".join(v)}</div>' for k, v in zones.items() if v]
    return f'<div class="gallery">{"".join(parts)}</div>' if parts else ""


def _figure(path: pathlib.Path) -> tuple[str, int]:
    """Returns a picture with its caption, and its width in pixels of the page.

    A wide one is scrolled, not shrunk: its text stays legible on a phone.
    """
    content, form = path.read_bytes(), path.suffix.lower().removeprefix(".")
    caption = _caption(path.stem)
    with Image.open(io.BytesIO(content)) as image:
        pixels = np.asarray(image.convert("RGB"))
    height, width = pixels.shape[:2]
    shown = round(width / _SCALE)
    kinds = ["moving"] * (form == "gif") + ["plot"] * _is_chart(path.stem)
    style = f"width:clamp({_LEAST * shown:.0f}px,100%,{shown}px)"
    tiles = [] if _is_chart(path.stem) else tiles_of(pixels)
    if tiles:
        kinds.append("grid")
        style += f";--paper:{_paper(tiles, width, height)}"
    text = (
        '<figure><div class="scroll" tabindex="0" role="group" aria-label="Picture">'
        f'<div class="picture {" ".join(kinds)}" '
        f'style="aspect-ratio:{width}/{height};{style}">'
        f'<img alt="{without_tags(Html(caption))}" '
        f'src="{data_uri(content, form)}"></div></div>'
        f"<figcaption>{caption}</figcaption></figure>"
    )
    return text, shown


def _is_chart(name: str) -> bool:
    return name.startswith(_CHARTS) or name.endswith(tuple(f"_{m}" for m in MATRICES))


def tiles_of(pixels: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Finds the images of a picture by their frames: left, top, right, bottom.

    Args:
        pixels: uint8 [height, width, 3].
    """
    is_frame = np.all(pixels == FRAME, axis=-1)
    parts, _ = ndimage.label(is_frame, np.ones((3, 3)))
    found = []
    for ys, xs in ndimage.find_objects(parts):
        ring = is_frame[ys, xs]
        edges = (ring[0], ring[-1], ring[:, 0], ring[:, -1])
        if min(ring.shape) >= _SMALLEST_TILE and all(edge.all() for edge in edges):
            found.append((xs.start, ys.start, xs.stop, ys.stop))
    return found


def _paper(tiles: Sequence[tuple[int, int, int, int]], width: int, height: int) -> str:
    """Returns the part of a picture that is no image, as CSS clips by it."""
    # One line around the picture and each image, through the corner: what it goes
    # around an even number of times is left out.
    corners = [(0, 0), (width, 0), (width, height), (0, height), (0, 0)]
    for left, top, right, bottom in tiles:
        ring = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
        corners += [*ring, (0, 0)]
    shares = [(100 * x / width, 100 * y / height) for x, y in corners]
    points = ",".join(f"{x:.4g}% {y:.4g}%" for x, y in shares)
    return f"polygon(evenodd,{points})"


def _caption(name: str) -> str:
    """Returns the caption of a picture, HTML."""
    known = [prefix for prefix in _CAPTIONS if name.startswith(prefix)]
    text = _CAPTIONS[max(known, key=len)] if known else ""
    for field, what in MATRICES.items():
        if name.endswith(f"_{field}"):
            text = f"For each latent and factor: {what}."
    if "_against_" in name:
        text = "One row for each category, while a continuous latent moves."
    return f"<b>{escaped(name.replace('_', ' '))}</b> {escaped(text)}".strip()
