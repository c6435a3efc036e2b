"""Converts pixels of any type and scale to bytes, and says what to do about others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tf_disentangle import checks

_WHITES = (1, 255, 65535)


def white_of(dtype: np.dtype, white: int | None, name: str) -> int:
    """Returns `white`, or if it is None 1 for floats and booleans, 255 for others.

    Raises:
        ArgumentError: If the values are not pixels.
    """
    checks.require(dtype.kind in "biuf", name, "hold pixels", dtype.name)
    if white is not None:
        return checks.one_of(white, _WHITES, "white")
    return 1 if dtype.kind in "bf" else 255


def to_bytes(pixels: np.ndarray, white: int, name: str, first: int = 0) -> np.ndarray:
    """Pixels [n, ...] of any type in [0, white] as uint8, rounded.

    Errors mention the `name` of the pixels; `first` is the number of the first image.

    Raises:
        ArgumentError: If a pixel is out of this range, or NaN; the error suggests a
            remedy.
    """
    if pixels.dtype == np.uint8 and white == 255:
        return pixels
    axes = tuple(range(1, pixels.ndim))
    (wrong,) = np.nonzero(~np.isfinite(pixels).all(axis=axes))
    rule = "have a number for each pixel"
    received = f"NaN or infinity in image {first + wrong[0]}" if len(wrong) else None
    remedy = "Leave that image out, or replace them by numpy.nan_to_num."
    checks.require(not len(wrong), name, rule, received, remedy)
    low, high = pixels.min(initial=0), pixels.max(initial=0)
    # Half a step beyond is rounding.
    slack = white / 510 if pixels.dtype.kind == "f" else 0
    fits = low >= -slack and high <= white + slack
    rule, received = f"have pixels in [0, {white}]", f"{low} to {high}"
    checks.require(fits, name, rule, received, _remedy(low, high, white))
    return np.round(pixels * np.float32(255 / white)).clip(0, 255).astype(np.uint8)


def require_white(is_dark: bool, name: str) -> None:
    """Refuses whole numbers that are all 0 or 1, unless white is given."""
    rule, received = "have pixels up to 255", "none but 0 and 1"
    remedy = "Give white=1 if 1 is white in it, white=255 if it is as dark as that."
    checks.require(not is_dark, name, rule, received, remedy)


def require_channels_last(shape: Sequence[int], name: str) -> None:
    """Refuses images [..., C, h, w] that can be nothing else: h = w, C of 1 or 3."""
    is_first = (
        len(shape) >= 3
        and shape[-3] in (1, 3)
        and shape[-1] == shape[-2]
        and shape[-1] > 4
    )
    rule = "have the channels last, [n, h, w, C]"
    remedy = "Move them: numpy.moveaxis(images, -3, -1)."
    checks.require(not is_first, name, rule, tuple(shape), remedy)


def _remedy(low: float, high: float, white: int) -> str:
    """What to do with pixels of this range, so that nothing of them is lost."""
    if low >= 0:
        larger = [white for white in _WHITES if high <= white]
        return f"Give white={larger[0]}." if larger else "Divide them by their largest."
    if low >= -1 and high <= 1:
        return "They seem to lie in [-1, 1]: give (x + 1) / 2."
    return (
        "They seem standardised: undo that, or give "
        "(x - x.min()) / (x.max() - x.min()), with the minimum and maximum of all."
    )
