"""Pixels of any type and scale as bytes."""

from __future__ import annotations

import numpy as np

from tf_disentangle import checks


def white_of(dtype: np.dtype, white: int | None, name: str) -> int:
    """What a white pixel is: as given, else 1 for floats and booleans, 255 for others.

    Raises:
        ArgumentError: If the values are no pixels.
    """
    checks.require(dtype.kind in "biuf", name, "hold pixels", dtype.name)
    if white is not None:
        return checks.one_of(white, (1, 255), "white")
    return 1 if dtype.kind in "bf" else 255


def to_bytes(pixels: np.ndarray, white: int, name: str) -> np.ndarray:
    """Pixels in [0, white] as uint8, rounded.

    Raises:
        ArgumentError: If one is outside, or NaN.
    """
    if pixels.dtype == np.uint8 and white == 255:
        return pixels
    scaled = np.round(pixels * np.float32(255) if white == 1 else pixels)
    low, high = scaled.min(initial=0), scaled.max(initial=0)
    rule = f"have pixels in [0, {white}]"
    received = f"{pixels.min(initial=0)} to {pixels.max(initial=0)}"
    remedy = "Give white=255, or clip them." if white == 1 else "Scale them to this."
    fits = low >= 0 and high <= 255  # NaN is neither.
    checks.require(fits, name, rule, received, remedy)
    return scaled.astype(np.uint8)


def require_told(is_dark: bool, name: str) -> None:
    """Refuses whole numbers of which all are 0 or 1 until white is given."""
    rule, received = "have pixels up to 255", "none but 0 and 1"
    remedy = "Give white=1 if 1 is white in it, white=255 if it is as dark as that."
    checks.require(not is_dark, name, rule, received, remedy)
