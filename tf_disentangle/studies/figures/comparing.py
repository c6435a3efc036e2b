"""Methods beside each other: best settings, interquartile means, paired differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tf_disentangle.studies import analysis
from tf_disentangle.studies.figures import parts
from tf_disentangle.visualization.charts import COLOURS, FAINT, INK, style, subplots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def best_settings(
    table: pd.DataFrame,
    metric: str,
    *,
    data: str | None = None,
    representation: str = "mean",
) -> Figure:
    """Pictures each method at its best strength, without collapsed runs: JointVAE's 6.

    Args:
        table: Results of a study.
        metric: The score.
        data: A data set; None is the only one.
        representation: Of the codes that were scored.

    Returns:
        A matplotlib figure: runs, their mean with its 95% interval, and the best run.
        Runs without an active latent are crosses and do not count; what they are
        stands below.

    Raises:
        ArgumentError: If no run has the score.

    References:
        Dupont (2018), arXiv 1804.00104, figure 6.
    """
    selected = {"data": data, "representation": representation}
    found = analysis.scores_of_methods(table, metric, **selected)
    runs = analysis.values(table, metric, **selected)
    methods, collapsed = found.methods, runs["run"].isin(found.collapsed["run"])
    with style():
        names = zip(methods["method"], methods["strength"], methods["num"], strict=True)
        labels = [f"{name} {parts.number(x)} ({num:.0f})" for name, x, num in names]
        figure, axes = _rows([label.replace("  ", " ") for label in labels])
        for place, one in enumerate(methods.itertuples()):
            look = parts.method_looks(table)[one.method]
            same = runs["strength"].eq(one.strength) | pd.isna(one.strength)
            own = (runs["method"] == one.method) & same
            _points(axes, runs.loc[own & ~collapsed, "value"], place, look)
            dead = runs.loc[own & collapsed, "value"]
            axes.scatter(dead, [place] * len(dead), marker="x", s=18, color=INK)
        _estimates(axes, methods, "mean", "low", "high")
        axes.plot(methods["best"], range(len(methods)), **_STAR, label="best run")
        bounds = analysis.bounds(table, metric, **selected)
        parts.score_bounds(axes, bounds, "vertical")
        axes.set(xlabel=f"{parts.words(metric)} at the best strength")
        parts.limits(axes, [*runs["value"]], bounds, "x")
        names = ", ".join(_names(found.collapsed))
        note = f"\N{MULTIPLICATION SIGN} {found.rule} {names}." if names else ""
        parts.legend(figure, axes, note)
    return figure


def _names(runs: pd.DataFrame) -> list[str]:
    """Returns what runs are called, the first ten of them."""
    names = [
        f"{one.method} {parts.number(one.strength)} seed {one.seed} ({one.run[:6]})"
        for one in runs.head(10).itertuples()
    ]
    more = len(runs) - len(names)
    return [*names, f"and {more} more"] if more else names


def selection(
    table: pd.DataFrame,
    metric: str,
    *,
    selectors: Sequence[str] | None = None,
    data: str | None = None,
    representation: str = "mean",
) -> Figure:
    """Pictures what UDR and others select without labels, between chance and oracle.

    Args:
        table: Results of a study.
        metric: The score.
        selectors: Names among `analysis.SELECTORS`; None takes those that are known.
        data: A data set; None is the only one.
        representation: Of the codes that were scored.

    Returns:
        A matplotlib figure, a row for each method: the score of the run that each
        selector finds, on a line from the mean of all runs to the best one.

    Raises:
        ArgumentError: If the score or every selector is missing.

    References:
        Duan et al. (2020), Unsupervised Model Selection for Variational Disentangled
        Representation Learning, arXiv 1905.12614.
    """
    selected = {"data": data, "representation": representation}
    found = analysis.selection_without_labels(
        table, metric, selectors=selectors, **selected
    )
    methods = list(found["method"].unique())
    with style():
        figure, axes = _rows(methods)
        names = list(found["selector"].unique())
        for number, (name, look) in enumerate(parts.looks(names).items()):
            own = found[found["selector"] == name].set_index("method").loc[methods]
            shift = 0.12 * (number - (len(names) - 1) / 2)
            places = np.arange(len(methods)) + shift
            axes.scatter(
                own["selected"],
                places,
                s=18,
                color=look.colour,
                marker=look.marker,
                linewidths=0,
                zorder=3,
                label=parts.short(name),
            )
        ends = found.drop_duplicates("method").set_index("method").loc[methods]
        places = np.arange(len(methods))
        axes.hlines(places, ends["random"], ends["oracle"], color=FAINT, linewidth=1)
        chance = {"linestyle": "", "color": INK, "markersize": 11}
        axes.plot(ends["random"], places, marker="|", label="mean of all", **chance)
        axes.plot(ends["oracle"], places, **_STAR, label="best run (oracle)")
        bounds = analysis.bounds(table, metric, **selected)
        parts.score_bounds(axes, bounds, "vertical")
        axes.set(xlabel=f"{parts.words(metric)} of the selected run")
        parts.legend(figure, axes)
    return figure


def interquartile_means(
    table: pd.DataFrame,
    metric: str,
    *,
    data: str | None = None,
    representation: str = "mean",
) -> Figure:
    """Pictures the interquartile mean of each method with its bootstrap interval.

    Args:
        table: Results of a study.
        metric: The score.
        data: A data set; None is the only one.
        representation: Of the codes that were scored.

    Returns:
        A matplotlib figure. Of methods with few runs there is no interval.

    Raises:
        ArgumentError: If no run has the score.

    References:
        Agarwal et al. (2021), arXiv 2108.13264.
    """
    selected = {"data": data, "representation": representation}
    cells = analysis.by_method(table, metric, **selected)
    with style():
        names = zip(cells["method"], cells["num"], strict=True)
        figure, axes = _rows([f"{name} ({num})" for name, num in names])
        _estimates(axes, cells, "iqm", "iqm_low", "iqm_high", "interquartile mean")
        places = range(len(cells))
        axes.plot(cells["mean"], places, "|", color=INK, markersize=9, label="mean")
        axes.plot(cells["best"], places, **_STAR, label="best run")
        bounds = analysis.bounds(table, metric, **selected)
        parts.score_bounds(axes, bounds, "vertical")
        axes.set(xlabel=parts.words(metric))
        parts.legend(figure, axes)
    return figure


def paired_comparisons(
    table: pd.DataFrame,
    metric: str,
    *,
    data: str | None = None,
    representation: str = "mean",
    settings: Sequence[tuple[str, float]] | None = None,
) -> Figure:
    """Pictures how much better one setting is than another, seed by seed.

    Args:
        table: Results of a study.
        metric: The score; greater is better.
        data: A data set; None is the only one.
        representation: Of the codes that were scored.
        settings: Pairs (method, strength); None takes each method's best strength.

    Returns:
        A matplotlib figure: a row for each pair with the differences of runs of the
        same seed, their mean with its interval, and the probability that a run of the
        first is better than one of the second. Where there are too few seeds for an
        interval the row says so.

    Raises:
        ArgumentError: If there are fewer than two settings.
    """
    selected = {"data": data, "representation": representation}
    pairs = analysis.paired_comparisons(table, metric, settings, **selected)
    with style():
        labels = [
            f"{one.first} {parts.number(one.first_strength)}\n"
            f"\N{MINUS SIGN} {one.second} {parts.number(one.second_strength)}"
            for one in pairs.itertuples()
        ]
        figure, axes = _rows(labels)
        for place, one in enumerate(pairs.itertuples()):
            look = parts.Look(COLOURS[0], "o", "-")
            _points(axes, one.differences, place, look)
            text = f"P = {one.improvement:.2f}"
            if math.isfinite(one.improvement_low):
                text += f" [{one.improvement_low:.2f}, {one.improvement_high:.2f}]"
            axes.annotate(
                text,
                (1.02, place),
                xycoords=axes.get_yaxis_transform(),
                va="center",
                fontsize=6.5,
                color=INK,
            )
        _estimates(axes, pairs, "difference", "low", "high")
        axes.axvline(0, color=FAINT, linewidth=0.8)
        axes.set(xlabel=f"difference in {parts.short(metric)}")
        axes.set_title("P: a run of the first is better", fontsize=6.5, loc="right")
        every = [d for differences in pairs["differences"] for d in differences]
        parts.limits(axes, [*every, 0.0], axis="x")
        reasons = dict.fromkeys(reason for reason in pairs["reason"] if reason)
        parts.legend(figure, axes, "; ".join(reasons))
    return figure


_STAR = {
    "linestyle": "",
    "marker": "*",
    "markersize": 7,
    "color": INK,
    "markeredgecolor": "white",
    "markeredgewidth": 0.4,
}


def _rows(labels: Sequence[str]) -> tuple[Figure, Axes]:
    """Returns a figure with a row for each label, from top to bottom."""
    names = [
        "\n".join(parts.wrapped(line, 26) for line in label.split("\n"))
        for label in labels
    ]
    lines = sum(max(1.6, 0.75 + name.count("\n")) for name in names)
    figure, ((axes,),) = subplots(1, 1, (parts.WIDTH, 0.17 * lines + 0.65))
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    parts.light_grid(axes, "x")
    return figure, axes


def _points(
    axes: Axes, values: Sequence[float], place: float, look: parts.Look
) -> None:
    """Draws the values of runs around a row."""
    values = np.asarray(values, float)
    jitter = np.random.default_rng(0).uniform(-0.16, 0.16, len(values))
    axes.scatter(
        values,
        place + jitter,
        s=6,
        color=look.colour,
        marker=look.marker,
        alpha=0.6,
        linewidths=0,
        rasterized=len(values) > parts.MOST_VECTORS,
    )


def _estimates(
    axes: Axes, rows: pd.DataFrame, name: str, low: str, high: str, label: str = "mean"
) -> None:
    """Draws estimates with their intervals, a row for each."""
    places = range(len(rows))
    axes.hlines(places, rows[low], rows[high], color=INK, linewidth=1.4)
    axes.plot(
        rows[name],
        places,
        linestyle="",
        marker="D",
        markersize=4.5,
        color=INK,
        label=f"{label}, 95% interval",
    )
