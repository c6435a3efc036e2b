"""Pictures to files: written under a temporary name, then renamed."""

from __future__ import annotations

import os
import pathlib
import uuid
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
from PIL import Image

from tf_disentangle.checks import real, require

PathLike = str | os.PathLike


def save_png(image: np.ndarray, path: PathLike) -> None:
    """Writes one picture as PNG, without loss.

    Args:
        image: uint8 [H, W, 3].
        path: Ends in .png; missing folders are made.

    Raises:
        ArgumentError: If the array or the path is another.
    """
    _check(image, 3, "image")
    picture = Image.fromarray(np.ascontiguousarray(image))
    _write(path, ".png", lambda file: picture.save(file, format="PNG", optimize=True))


def save_gif(frames: np.ndarray, path: PathLike, *, fps: float = 10.0) -> None:
    """Writes frames as a GIF that loops for ever.

    Grey frames are kept exactly; colours share one palette of 256, so that nothing
    flickers. Equal successive frames are stored as one that is shown for longer.

    Args:
        frames: uint8 [T, H, W, 3].
        path: Ends in .gif; missing folders are made.
        fps: Frames per second, in (0, 50]; GIF counts in steps of 10 ms, so the time of
            a frame is rounded to those.

    Raises:
        ArgumentError: If the array, the path or the speed is another.
    """
    _check(frames, 4, "frames")
    real(fps, "fps", above=0.0, at_most=50.0)
    first, *rest = _indexed(frames)
    _write(
        path,
        ".gif",
        lambda file: first.save(
            file,
            format="GIF",
            save_all=True,
            append_images=rest,
            duration=10 * round(100 / fps),
            loop=0,
        ),
    )


def _check(pixels: np.ndarray, ndim: int, argument: str) -> None:
    axes = "[T, H, W, 3]" if ndim == 4 else "[H, W, 3]"
    require(
        pixels.ndim == ndim and pixels.shape[-1] == 3 and pixels.size > 0,
        argument,
        f"have shape {axes}",
        pixels.shape,
    )
    require(pixels.dtype == np.uint8, argument, "be uint8", pixels.dtype.name)


def _indexed(frames: np.ndarray) -> list[Image.Image]:
    """Frames with at most 256 colours."""
    if np.all(frames == frames[..., :1]):
        return [Image.fromarray(np.ascontiguousarray(f[..., 0])) for f in frames]
    # The palette comes from all frames, thinned: a colour may appear late.
    some = frames[:, ::2, ::2]
    montage = Image.fromarray(np.ascontiguousarray(some).reshape(-1, *some.shape[2:]))
    palette = montage.quantize(256, dither=Image.Dither.NONE)
    return [
        Image.fromarray(np.ascontiguousarray(frame)).quantize(
            palette=palette, dither=Image.Dither.NONE
        )
        for frame in frames
    ]


def _write(path: PathLike, suffix: str, write: Callable[[BinaryIO], None]) -> None:
    """Writes beside `path` and renames, so that `path` is never half a file."""
    path = pathlib.Path(path)
    require(path.suffix.lower() == suffix, "path", f"end in {suffix}", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            write(file)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
