"""Mean against sampled codes, efficiency of what is trained on codes, sweeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tf_disentangle.studies import analysis
from tf_disentangle.studies.figures import parts
from tf_disentangle.visualization.charts import COLOURS, INK, style, subplots

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: Mean codes are blue and drawn through, sampled ones orange and dashed.
_LOOKS = {
    "mean": parts.Look(COLOURS[0], "o", "-"),
    "sampled": parts.Look(COLOURS[1], "s", "--"),
}


def total_correlation(table: pd.DataFrame, *, data: str | None = None) -> Figure:
    """Pictures the total correlation of mean and of sampled codes against strength.

    That of sampled codes falls with the strength while that of mean codes need not:
    figure 3 of the study of 2019. Bands are 95% intervals of the mean over seeds.

    Args:
        table: Results of a study.
        data: A data set; None is the only one.

    Returns:
        A matplotlib figure, a panel for each method.

    Raises:
        ArgumentError: If the total correlation was not computed.
    """
    cells = analysis.total_correlation(table, data=data)
    methods = list(dict.fromkeys(cells["method"]))
    columns = min(3, len(methods))
    rows = -(-len(methods) // columns)
    with style():
        size = (parts.WIDTH / columns, 1.6 if rows > 1 else 2.1)
        figure, grid = subplots(rows, columns, size, sharey=True)
        for axes in grid.flat[len(methods) :]:
            axes.set_visible(False)
        for axes, method in zip(grid.flat, methods, strict=False):
            own = cells[cells["method"] == method]
            strengths = sorted(own["strength"].unique())
            for name, look in _LOOKS.items():
                curve = own[own["representation"] == name].sort_values("strength")
                x = [strengths.index(strength) for strength in curve["strength"]]
                axes.fill_between(
                    x, curve["low"], curve["high"], color=look.colour, alpha=0.2, linewidth=0
                )
                axes.plot(x, curve["mean"], **look.line, label=f"{name} codes")
            parts.strength_ticks(axes, strengths)
            axes.set_title(parts.wrapped(method, 44 // columns), fontsize=7)
            axes.set_xlabel(parts.strength_name(table, method), fontsize=7)
            parts.light_grid(axes)
        label = parts.words("gaussian_total_correlation")
        figure.supylabel(label, fontsize=8, color=INK)
        parts.legend(figure, grid[0, 0])
    return figure
