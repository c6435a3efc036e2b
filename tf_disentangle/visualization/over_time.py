"""Numbers that each latent has at each step, as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tf_disentangle.checks import require
from tf_disentangle.visualization.charts import INK, style, subplots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH = 420


def over_time(
    values: np.ndarray,
    *,
    steps: Sequence[int],
    names: Sequence[str],
    title: str = "",
) -> Figure:
    """Shows numbers of latents as they change: a strip each, from left to right.

    Colours go from white at 0 to dark red at the largest magnitude of all, blue below
    0. The largest magnitude is written under the title, and each strip's last number
    beside it.

    Args:
        values: [T, L]: the KL of each latent at each of T steps; all finite.
        steps: The T steps.
        names: The L names, from top to bottom.
        title: Text above everything.

    Returns:
        A matplotlib figure.

    Raises:
        ArgumentError: If the values are empty or not finite, or their shape is not that
            of steps and names.
    """
    values = np.asarray(values, np.float64)
    rule = f"have shape [T, L] with T = {len(steps)} steps and L = {len(names)} names"
    fits = values.shape == (len(steps), len(names)) and values.size > 0
    require(fits, "values", rule, values.shape)
    require(np.isfinite(values).all(), "values", "be finite", values)
    largest = np.abs(values).max() or 1.0
    # Each column shows the last step before it, so that strips of any T are as wide.
    columns = np.linspace(0, len(steps), _WIDTH, endpoint=False).astype(int)
    below = f"{-largest:.3g} (dark blue) over " if (values < 0).any() else ""
    title = f"{title}\nfrom {below}0 (white) to {largest:.3g} (dark red)".strip()
    with style():
        size = (4.4, 0.2 * len(names) + 0.5)
        figure, ((axes,),) = subplots(1, 1, size, title)
        axes.imshow(
            values.T[:, columns],
            cmap="RdBu_r",
            vmin=-largest,
            vmax=largest,
            aspect="auto",
            interpolation="nearest",
        )
        axes.set_yticks(range(len(names)), names)
        for row, number in enumerate(values[-1]):
            place = (_WIDTH, row)
            text = f" {round(number, 2) + 0.0:.2f}"  # never -0.00
            axes.annotate(text, place, va="center", color=INK, annotation_clip=False)
        axes.set_yticks(np.arange(len(names) - 1) + 0.5, minor=True)
        axes.grid(which="minor", axis="y", color="white", linewidth=2)
        axes.tick_params(which="both", length=0)
        axes.set_xticks([0, _WIDTH - 1], [f"step {steps[0]:,}", f"{steps[-1]:,}"])
        axes.spines[:].set_visible(False)
    return figure
