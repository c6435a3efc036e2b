"""A painted-looking picture, for backgrounds that need no file."""

from __future__ import annotations

import numpy as np

# Stops of the colour scale, from dark blue over orange to cream.
_COLOURS = np.array(
    [[24, 32, 72], [40, 96, 120], [120, 60, 40], [225, 120, 45], [245, 215, 140]], float
)


def texture(height: int, width: int) -> np.ndarray:
    """Draws flowing bands of colour: waves whose coordinates are bent by other waves.

    Args:
        height: In pixels.
        width: In pixels.

    Returns:
        uint8 [height, width, 3], the same at every call.
    """
    y, x = np.mgrid[0:height, 0:width] / 100.0
    for frequency in (1.3, 2.1, 3.7):
        x, y = (
            x + 0.45 / frequency * np.sin(frequency * (2.3 * y + 0.7 * x) + frequency),
            y + 0.45 / frequency * np.cos(frequency * (1.9 * x - 0.6 * y) - frequency),
        )
    value = 0.5 + 0.3 * np.sin(5.0 * y + 1.1 * x) + 0.2 * np.sin(17.0 * y - 3.0 * x)
    stops = np.linspace(0, 1, len(_COLOURS))
    channels = [np.interp(value, stops, channel) for channel in _COLOURS.T]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
