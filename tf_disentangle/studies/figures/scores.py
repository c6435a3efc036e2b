"""Scores: their spread by method, against strength, against reconstruction."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tf_disentangle.studies import analysis
from tf_disentangle.studies.figures import parts, rows
from tf_disentangle.studies.figures.settings import Settings, settings_of
from tf_disentangle.visualization.charts import INK, style, subplots

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A violin of fewer runs would show the smoothing, not the runs.
_FEWEST_FOR_A_VIOLIN = 10
_MOST_NAMED = 12


def score_against_reconstruction(
    table: pd.DataFrame,
    metric: str,
    *,
    data: str | None = None,
    representation: str = "mean",
    reconstruction: str = "reconstruction",
) -> Figure:
    """Plots a score against the reconstruction error: CHyVAE's figures 2 and 3.

    A small point is a run, a large one the mean of a setting with the 95% intervals of
    both means over seeds; a line joins the settings of a method in their order.
    Better is above and to the left.

    Args:
        table: Results of a study.
        metric: The score.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.
        reconstruction: The term on the horizontal axis.

    Returns:
        A matplotlib figure.

    Raises:
        ArgumentError: If no run has both.

    References:
        Ansari and Soh (2019), arXiv 1809.04497; Kim and Mnih (2018), arXiv 1802.05983.
    """
    found = analysis.score_against(
        table, metric, reconstruction, data=data, representation=representation
    )
    bounds = analysis.bounds(table, metric, data=data, representation=representation)
    kept, names = _kept(table, found.runs), settings_of(table)
    with style():
        figure, ((axes,),) = subplots(1, 1, (parts.WIDTH, 2.3))
        for method, look in parts.method_looks(table).items():
            runs = found.runs[found.runs["method"] == method]
            if runs.empty:
                continue
            axes.scatter(
                runs["x"],
                runs["y"],
                s=5,
                color=look.colour,
                marker=look.marker,
                alpha=0.45,
                linewidths=0,
                rasterized=len(found.runs) > parts.MOST_VECTORS,
            )
            cells = found.cells[found.cells["method"] == method]
            _crosses(axes, cells, look)
            if len(found.cells) <= _MOST_NAMED:
                _name_settings(axes, cells, names)
        parts.limits(axes, kept["x"], axis="x")
        parts.limits(axes, found.runs["y"], bounds)
        parts.score_bounds(axes, bounds)
        axes.set(xlabel=parts.words(reconstruction), ylabel=parts.label(metric))
        parts.light_grid(axes)
        low, high = axes.get_xlim()
        outside = int((~found.runs["x"].between(low, high)).sum())
        note = f"Collapsed runs that lie outside: {outside}." if outside else ""
        parts.legend(figure, axes, note)
    return figure


def _kept(table: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Returns the runs that did not collapse; all, if none is left."""
    kept = runs[~runs["run"].isin(analysis.exclude(table).runs["run"])]
    return kept if len(kept) else runs


def _crosses(axes: Axes, cells: pd.DataFrame, look: parts.Look) -> None:
    """Draws the means of one method with the intervals on both axes."""
    for one in cells.itertuples():
        for ends, along in (
            ((one.x_low, one.x_high), "x"),
            ((one.y_low, one.y_high), "y"),
        ):
            if all(map(math.isfinite, ends)):
                other = [one.y, one.y] if along == "x" else [one.x, one.x]
                places = (ends, other) if along == "x" else (other, ends)
                axes.plot(*places, color=look.colour, linewidth=0.8, alpha=0.8)
    axes.plot(
        cells["x"],
        cells["y"],
        **look.line,
        linewidth=0.7,
        markersize=5.5,
        markeredgecolor="white",
        markeredgewidth=0.5,
        label=cells["method"].iloc[0],
    )


def _name_settings(axes: Axes, cells: pd.DataFrame, names: Settings) -> None:
    for one in cells.itertuples():
        axes.annotate(
            names.texts[one.method, one.setting],
            (one.x, one.y),
            (4, 3),
            textcoords="offset points",
            fontsize=6,
            color=INK,
        )


def score_violins(
    table: pd.DataFrame,
    metric: str,
    *,
    data: str | None = None,
    representation: str = "mean",
) -> Figure:
    """Plots how a score spreads over all settings and seeds of each method.

    A small point is a run, the bar the mean, the star the best run. From ten runs on,
    the outline shows their density.

    Args:
        table: Results of a study.
        metric: The score.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.

    Returns:
        A matplotlib figure.

    Raises:
        ArgumentError: If no run has the score.
    """
    selected = {"data": data, "representation": representation}
    runs = analysis.values(table, metric, **selected)
    spread = analysis.by_method(table, metric, **selected)
    names = zip(spread["method"], spread["num"], strict=True)
    with style():
        figure, axes = rows.rows([f"{name} ({num})" for name, num in names])
        for place, method in enumerate(spread["method"]):
            look = parts.method_looks(table)[method]
            values = runs.loc[runs["method"] == method, "value"].to_numpy()
            if len(values) >= _FEWEST_FOR_A_VIOLIN and np.ptp(values) > 0:
                _violin(axes, values, place, look)
            rows.points(axes, values, place, look)
        axes.plot(
            spread["mean"],
            range(len(spread)),
            linestyle="",
            marker="|",
            markersize=13,
            markeredgewidth=2,
            color=INK,
            label="mean",
        )
        rows.best(axes, spread["best"])
        bounds = analysis.bounds(table, metric, **selected)
        parts.limits(axes, runs["value"], bounds, "x")
        parts.score_bounds(axes, bounds, "vertical")
        axes.set(xlabel=parts.words(metric))
        parts.legend(figure, axes)
    return figure


def _violin(axes: Axes, values: np.ndarray, place: int, look: parts.Look) -> None:
    """Draws the density of values around a row."""
    drawn: Any = axes.violinplot(
        [values], [place], orientation="horizontal", widths=0.8, showextrema=False
    )
    (body,) = drawn["bodies"]
    body.set(facecolor=look.colour, alpha=0.25, edgecolor="none")


def score_against_strength(
    table: pd.DataFrame,
    metric: str,
    *,
    data: str | None = None,
    representation: str = "mean",
) -> Figure:
    """Plots a score against the strength of each method, a panel for each.

    Where several bindings vary, the settings are drawn side by side. The line is the
    mean over seeds with its 95% interval, a star the best run.

    Args:
        table: Results of a study.
        metric: The score.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.

    Returns:
        A matplotlib figure.

    Raises:
        ArgumentError: If no run has the score.
    """
    selected = {"data": data, "representation": representation}
    cells = analysis.by_setting(table, metric, **selected)
    runs = analysis.values(table, metric, **selected)
    bounds = analysis.bounds(table, metric, **selected)
    methods, names = list(dict.fromkeys(cells["method"])), settings_of(table)
    columns = min(3, len(methods))
    lines = -(-len(methods) // columns)
    with style():
        size = (parts.WIDTH / columns, 1.6 if lines > 1 else 2.1)
        figure, grid = subplots(lines, columns, size, sharey=True)
        for axes in grid.flat[len(methods) :]:
            axes.set_visible(False)
        for axes, method in zip(grid.flat, methods, strict=False):
            look = parts.method_looks(table)[method]
            own = cells[cells["method"] == method]
            points = runs[runs["method"] == method]
            labels = [names.texts[method, setting] for setting in own["setting"]]
            _settings(axes, own, points, look)
            parts.setting_ticks(axes, labels, columns)
            axes.set_title(parts.wrapped(method, 44 // columns), fontsize=7)
            axes.set_xlabel(names.axes[method], fontsize=7)
            parts.limits(axes, runs["value"], bounds)
            parts.score_bounds(axes, bounds, named=axes is grid[0, 0])
            parts.light_grid(axes)
        figure.supylabel(parts.label(metric), fontsize=8, color=INK)
    return figure


def _settings(
    axes: Axes, cells: pd.DataFrame, runs: pd.DataFrame, look: parts.Look
) -> None:
    """Draws one method: settings in their order at equal distances."""
    place = {setting: x for x, setting in enumerate(cells["setting"])}
    x = np.arange(len(cells))
    axes.scatter(
        [place[setting] for setting in runs["setting"]],
        runs["value"],
        s=4,
        color=look.colour,
        alpha=0.4,
        linewidths=0,
        rasterized=len(runs) > parts.MOST_VECTORS / 6,
    )
    axes.fill_between(
        x, cells["low"], cells["high"], color=look.colour, alpha=0.2, linewidth=0
    )
    axes.plot(x, cells["mean"], **look.line)
    axes.plot(x, cells["best"], "*", color=INK, markersize=5)
