"""Figures with a row for each method or pair: runs, estimates, the best run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tf_disentangle.studies.figures import parts
from tf_disentangle.visualization.charts import INK, subplots

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def rows(labels: Sequence[str]) -> tuple[Figure, Axes]:
    """Returns a figure with a row for each label, from top to bottom."""
    names = [
        "\n".join(parts.wrapped(line, 26) for line in label.split("\n"))
        for label in labels
    ]
    lines = sum(max(1.8, 0.75 + name.count("\n")) for name in names)
    figure, ((axes,),) = subplots(1, 1, (parts.WIDTH, 0.17 * lines + 0.65))
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    parts.light_grid(axes, "x")
    return figure, axes


def points(axes: Axes, values: Sequence[float], place: float, look: parts.Look) -> None:
    """Draws the values of runs around a row."""
    known = np.asarray(values, float)
    jitter = np.random.default_rng(0).uniform(-0.16, 0.16, len(known))
    axes.scatter(
        known,
        place + jitter,
        s=10 if len(known) <= 20 else 4,
        color=look.colour,
        marker=look.marker,
        alpha=0.6,
        linewidths=0,
        rasterized=len(known) > parts.MOST_VECTORS / 10,
    )


def estimates(
    axes: Axes,
    table: pd.DataFrame,
    name: str,
    low: str,
    high: str,
    label: str = "mean",
) -> None:
    """Draws estimates with their intervals, a row for each.

    Args:
        axes: The axes that `rows` made.
        table: A row for each.
        name: The column of the estimates.
        low: The column of the lower ends; those that are NaN are not drawn.
        high: The column of the upper ends.
        label: What the estimate is called.
    """
    places = range(len(table))
    axes.hlines(places, table[low], table[high], color=INK, linewidth=1.4)
    axes.plot(
        table[name],
        places,
        linestyle="",
        marker="D",
        markersize=4.5,
        color=INK,
        label=f"{label}, 95% interval",
    )


def best(axes: Axes, values: Sequence[float], label: str = "best run") -> None:
    """Draws a star for each row."""
    axes.plot(
        values,
        range(len(values)),
        linestyle="",
        marker="*",
        markersize=7,
        color=INK,
        markeredgecolor="white",
        markeredgewidth=0.4,
        label=label,
    )
