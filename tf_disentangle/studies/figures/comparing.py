"""Methods beside each other: best settings, interquartile means, paired differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tf_disentangle.studies import analysis
from tf_disentangle.studies.figures import parts, rows
from tf_disentangle.studies.figures.settings import Settings, settings_of
from tf_disentangle.visualization.charts import COLOURS, FAINT, INK, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_CHANCE = "mean of all"
# If there are more pairs, those with the best setting are drawn.
_MOST_PAIRS = 15


def best_settings(
    table: pd.DataFrame,
    metric: str,
    *,
    data: str | None = None,
    representation: str = "mean",
) -> Figure:
    """Plots each method at its best setting, without collapsed runs: JointVAE's 6.

    Args:
        table: Results of a study.
        metric: The score.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.

    Returns:
        A matplotlib figure: runs, their mean with its 95% interval, and the best run.
        Runs without an active latent are crosses and do not count; they are named
        below.

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
        names = settings_of(table)
        figure, axes = rows.rows(
            [
                f"{names.name(one.method, one.setting)} ({one.num})"
                for one in methods.itertuples()
            ]
        )
        for place, one in enumerate(methods.itertuples()):
            look = parts.method_looks(table)[one.method]
            same = runs["setting"].eq(one.setting) | pd.isna(one.setting)
            own = (runs["method"] == one.method) & same
            rows.points(axes, runs.loc[own & ~collapsed, "value"], place, look)
            dead = runs.loc[own & collapsed, "value"]
            axes.scatter(dead, [place] * len(dead), marker="x", s=18, color=INK)
        rows.estimates(axes, methods, "mean", "low", "high")
        rows.best(axes, methods["best"])
        bounds = analysis.bounds(table, metric, **selected)
        parts.score_bounds(axes, bounds, "vertical")
        axes.set(xlabel=f"{parts.words(metric)} at the best setting")
        parts.limits(axes, [*runs["value"]], bounds, "x")
        lost = ", ".join(_names(found.collapsed, names))
        note = f"\N{MULTIPLICATION SIGN} {found.rule} {lost}." if lost else ""
        parts.legend(figure, axes, note)
    return figure


def _names(runs: pd.DataFrame, settings: Settings) -> list[str]:
    """Returns the names of runs, at most the first ten."""
    names = [
        f"{settings.name(one.method, one.setting)} seed {one.seed} ({one.run[:6]})"
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
    """Plots what UDR and others select without labels, between chance and oracle.

    Args:
        table: Results of a study.
        metric: The score.
        selectors: Names among `analysis.SELECTORS`; None takes those that are known.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.

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
        figure, axes = rows.rows(methods)
        names = list(found["selector"].unique())
        for number, (name, look) in enumerate(parts.looks(names).items()):
            own = found[found["selector"] == name].set_index("method").loc[methods]
            shift = 0.12 * (number - (len(names) - 1) / 2)
            axes.scatter(
                own["selected"],
                np.arange(len(methods)) + shift,
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
        axes.plot(ends["random"], places, "|", color=INK, markersize=11, label=_CHANCE)
        rows.best(axes, ends["oracle"], "best run (oracle)")
        bounds = analysis.bounds(table, metric, **selected)
        parts.score_bounds(axes, bounds, "vertical")
        axes.set(xlabel=f"{parts.words(metric)} of the selected run")
        few = found[found["num"] < found["scored"]].groupby("selector", sort=False)
        notes = [
            f"{parts.short(name)} is known of {own['num'].sum()} of "
            f"{own['scored'].sum()} runs"
            for name, own in few
        ]
        parts.legend(figure, axes, "; ".join(notes))
    return figure


def interquartile_means(
    table: pd.DataFrame,
    metric: str,
    *,
    data: str | None = None,
    representation: str = "mean",
) -> Figure:
    """Plots the interquartile mean of each method with its bootstrap interval.

    Args:
        table: Results of a study.
        metric: The score.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.

    Returns:
        A matplotlib figure. Methods with few runs have no interval.

    Raises:
        ArgumentError: If no run has the score.

    References:
        Agarwal et al. (2021), arXiv 2108.13264.
    """
    selected = {"data": data, "representation": representation}
    cells = analysis.by_method(table, metric, **selected)
    with style():
        names = zip(cells["method"], cells["num"], strict=True)
        figure, axes = rows.rows([f"{name} ({num})" for name, num in names])
        rows.estimates(axes, cells, "iqm", "iqm_low", "iqm_high", "interquartile mean")
        places = range(len(cells))
        axes.plot(cells["mean"], places, "|", color=INK, markersize=9, label="mean")
        rows.best(axes, cells["best"])
        bounds = analysis.bounds(table, metric, **selected)
        parts.score_bounds(axes, bounds, "vertical")
        axes.set(xlabel=parts.words(metric))
        reasons = {f"{m}: {r}" for m, r in cells[["method", "reason"]].to_numpy() if r}
        parts.legend(figure, axes, "; ".join(sorted(reasons)))
    return figure


def paired_comparisons(
    table: pd.DataFrame,
    metric: str,
    *,
    data: str | None = None,
    representation: str = "mean",
    settings: Sequence[tuple[str, str]] | None = None,
) -> Figure:
    """Plots how much better one setting is than another, seed by seed.

    Args:
        table: Results of a study.
        metric: The score; greater is better.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.
        settings: Pairs (method, setting); None takes each method's best setting. If
            there are more than six pairs, only those with the best method are drawn.

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
    notes = []
    if len(pairs) > _MOST_PAIRS:
        best = analysis.by_setting(table, metric, **selected)
        best = best.loc[best["mean"].idxmax(), "method"]
        pairs = pairs[(pairs["first"] == best) | (pairs["second"] == best)]
        notes = [f"Of many pairs those with {best}, the best by its mean"]
    with style():
        names = settings_of(table)
        labels = [
            f"{names.name(one.first, one.first_setting)}\n"
            f"\N{MINUS SIGN} {names.name(one.second, one.second_setting)}"
            for one in pairs.itertuples()
        ]
        figure, axes = rows.rows(labels)
        for place, one in enumerate(pairs.itertuples()):
            look = parts.Look(COLOURS[0], "o", "-")
            rows.points(axes, one.differences, place, look)
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
        rows.estimates(axes, pairs, "difference", "low", "high")
        axes.axvline(0, color=FAINT, linewidth=0.8)
        axes.set(xlabel=f"difference in {parts.short(metric)}")
        axes.set_title("P: a run of the first is better", fontsize=6.5, loc="right")
        every = [d for differences in pairs["differences"] for d in differences]
        parts.limits(axes, [*every, 0.0], axis="x")
        reasons = dict.fromkeys(reason for reason in pairs["reason"] if reason)
        parts.legend(figure, axes, "; ".join([*notes, *reasons]))
    return figure
