"""Numbers that each latent has at each step, as one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tf_disentangle.checks import require
from tf_disentangle.visualization.grid import Labels, Layout
from tf_disentangle.visualization.matrices import diverging

_WIDTH, _HEIGHT = 420, 26


def over_time(
    values: np.ndarray,
    *,
    steps: Sequence[int],
    names: Sequence[str],
    title: str = "",
) -> np.ndarray:
    """Pictures numbers of latents as they change: a strip each, from left to right.

    Colours go from white at 0 to dark red at the largest magnitude of all, blue below
    0. The largest stands under the title, and each strip's last number beside it.

    Args:
        values: [T, L]: the KL of each latent at each of T steps; all finite.
        steps: The T steps.
        names: The L names, from top to bottom.
        title: Text above everything.

    Raises:
        ArgumentError: If the values are empty or not finite, or their shape is not that
            of steps and names.
    """
    values = np.asarray(values, np.float64)
    rule = f"have shape [T, L] with T = {len(steps)} steps and L = {len(names)} names"
    fits = values.shape == (len(steps), len(names)) and values.size > 0
    require(fits, "values", rule, values.shape)
    require(np.isfinite(values).all(), "values", "be finite", values)
    largest = np.abs(values).max()
    # Each pixel shows the last step before it, so that strips of any T are as wide.
    columns = np.linspace(0, len(steps), _WIDTH, endpoint=False).astype(int)
    strips = diverging(values.T / (largest or 1.0))[:, columns]
    tiles = strips[:, None, None].repeat(_HEIGHT, axis=2)
    numbers = zip(names, values[-1], strict=True)
    labels = Labels(
        title=f"{title}\nfrom 0 (white) to {largest:.3g} (dark red)".strip(),
        rows=[(name, f"{number:.2f}") for name, number in numbers],
        columns=[f"steps {steps[0]} to {steps[-1]}"],
    )
    shape, cell = (len(names), 1), (_HEIGHT, _WIDTH)
    return Layout(shape, cell, labels, scale=1).draw(tiles)
