"""Mean against sampled codes, efficiency of predictors trained on codes, sweeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tf_disentangle.studies import analysis
from tf_disentangle.studies.figures import parts
from tf_disentangle.studies.figures.settings import settings_of
from tf_disentangle.visualization.charts import COLOURS, INK, style, subplots

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: Mean codes are blue and solid, sampled ones orange and dashed.
_LOOKS = {
    "mean": parts.Look(COLOURS[0], "o", "-"),
    "sampled": parts.Look(COLOURS[1], "s", "--"),
}


def total_correlation(table: pd.DataFrame, *, data: str | None = None) -> Figure:
    """Plots the total correlation of mean and of sampled codes against strength.

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
    methods, names = list(dict.fromkeys(cells["method"])), settings_of(table)
    columns = min(3, len(methods))
    rows = -(-len(methods) // columns)
    with style():
        size = (parts.WIDTH / columns, 1.6 if rows > 1 else 2.1)
        figure, grid = subplots(rows, columns, size, sharey=True)
        for axes in grid.flat[len(methods) :]:
            axes.set_visible(False)
        for axes, method in zip(grid.flat, methods, strict=False):
            own = cells[cells["method"] == method]
            settings = list(own["setting"].unique())
            for name, look in _LOOKS.items():
                if name not in set(cells["representation"]):
                    continue
                curve = own[own["representation"] == name]
                x = [settings.index(setting) for setting in curve["setting"]]
                axes.fill_between(
                    x,
                    curve["low"],
                    curve["high"],
                    color=look.colour,
                    alpha=0.2,
                    linewidth=0,
                )
                axes.plot(x, curve["mean"], **look.line, label=f"{name} codes")
            labels = [names.texts[method, setting] for setting in settings]
            parts.setting_ticks(axes, labels, columns)
            axes.set_title(parts.wrapped(method, 44 // columns), fontsize=7)
            axes.set_xlabel(names.axes[method], fontsize=7)
            parts.light_grid(axes)
        label = parts.label("gaussian_total_correlation")
        figure.supylabel(label, fontsize=8, color=INK)
        parts.legend(figure, grid[0, 0])
    return figure


def efficiency(
    table: pd.DataFrame,
    metric: str,
    *,
    data: str | None = None,
    representation: str = "mean",
) -> Figure:
    """Plots how few labels a predictor on the codes needs, against a score.

    The statistical efficiency is the accuracy after few labelled images, divided by
    that after many.

    Args:
        table: Results of a study.
        metric: The score.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.

    Returns:
        A matplotlib figure with a point for each run and their rank correlation.

    Raises:
        ArgumentError: If no run has both.
    """
    selected = {"data": data, "representation": representation}
    found = analysis.efficiency(table, metric, data=data, representation=representation)
    bounds = analysis.bounds(table, metric, **selected)
    with style():
        figure, ((axes,),) = subplots(1, 1, (parts.WIDTH, 2.3))
        parts.runs_by_method(axes, found.runs, parts.method_looks(table))
        parts.limits(axes, found.runs["x"], bounds, "x")
        parts.score_bounds(axes, bounds, "vertical")
        label = parts.label("statistical_efficiency")
        axes.set(xlabel=parts.words(metric), ylabel=label)
        note = f"Rank correlation {found.correlation:.2f} over {len(found.runs)} runs."
        parts.light_grid(axes)
        parts.legend(figure, axes, note.replace("-", "\N{MINUS SIGN}"))
    return figure


def sweep(
    table: pd.DataFrame,
    binding: str,
    metric: str,
    *,
    data: str | None = None,
    representation: str = "mean",
) -> Figure:
    """Plots a score or term against one setting, a line for each of the others.

    Examples are the degrees of freedom of Student's t, and sparsity against alpha with
    a line for each gamma: the figures of Mathieu et al. (2019), arXiv 1812.02833.

    Args:
        table: Results of a study.
        binding: The varied binding on the horizontal axis: one of the table's columns.
        metric: A score or a term.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.

    Returns:
        A matplotlib figure: means over seeds with 95% intervals as bands, the best run
        as a star.

    Raises:
        ArgumentError: If the binding does not vary, or is not a number.
    """
    selected = {"data": data, "representation": representation}
    cells = analysis.sweep(table, binding, [metric], **selected)
    both = cells[["method", "others"]].agg(" ".join, axis=1).str.strip()
    cells = cells.assign(line=both)
    of_terms = table[table["kind"].isin(["term", "held_out"])]
    is_score = metric not in set(of_terms["metric"])
    bounds = analysis.bounds(table, metric, **selected)
    with style():
        figure, ((axes,),) = subplots(1, 1, (parts.WIDTH, 2.2))
        # For terms such as an error, the greatest is not the best.
        names = ["mean", "best"] if is_score else ["mean"]
        for line, look in parts.looks(cells["line"].unique()).items():
            own = cells[cells["line"] == line]
            x = own["binding"].astype(float)
            axes.fill_between(
                x, own["low"], own["high"], color=look.colour, alpha=0.2, linewidth=0
            )
            axes.plot(x, own["mean"], **look.line, label=line)
            if is_score:
                axes.plot(x, own["best"], "*", color=look.colour, markersize=5)
        values = np.unique(cells["binding"].astype(float))
        is_wide = values.min() > 0 and values.max() >= 20 * values.min()
        if is_wide:
            axes.set_xscale("log")
        if is_wide or len(values) <= 4:
            axes.set_xticks(values, [parts.number(value) for value in values])
            axes.minorticks_off()
        ends = cells[names].to_numpy().ravel()
        parts.limits(axes, ends, bounds)
        parts.score_bounds(axes, bounds)
        name = binding.rsplit(".", 1)[-1].replace("_", " ")
        axes.set(xlabel=name, ylabel=parts.label(metric))
        parts.light_grid(axes)
        parts.legend(figure, axes)
    return figure
