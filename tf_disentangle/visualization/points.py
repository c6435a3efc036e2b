"""Points in the plane, curves over steps, and codes against factors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tf_disentangle.checks import integer, require
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.visualization.charts import (
    COLOURS,
    DASHES,
    FAINT,
    INK,
    MARKERS,
    readable,
    style,
    subplots,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Name of a group of points to the points, [N, 2], drawn in that order.
Groups = Mapping[str, np.ndarray]
#: Name of a curve to its steps and its values, [N] each.
Series = Mapping[str, tuple[Sequence[float], Sequence[float] | np.ndarray]]

_MOST_MARKERS, _MOST_MEANS = 12, 10
_EARLY, _FEW = 0.1, 5
_BACKGROUND = "#bebebe"


def scatters(
    panels: Mapping[str, Groups],
    *,
    limits: tuple[float, float] | None = None,
    num_columns: int = 4,
    title: str = "",
    size: float = 1.7,
) -> Figure:
    """Shows several squares of points side by side, a label above each.

    Args:
        panels: Label, of one line or more, to groups of points: at most seven,
            of which the first is grey, for the background.
        limits: (low, high) of both axes of all panels; points beyond are not drawn.
            None gives each panel the limits of its own points.
        num_columns: Panels side by side, at least 1; more wrap.
        title: Text above everything.
        size: Inches of a panel's sides.

    Returns:
        A matplotlib figure.

    Raises:
        ArgumentError: If there is no panel, a group is not [N, 2] and finite, or the
            limits are not increasing.
    """
    count = len(panels)
    require(count > 0, "panels", "have at least one entry", dict(panels))
    if limits is not None:
        require(limits[0] < limits[1], "limits", "be increasing", limits)
    columns = min(integer(num_columns, "num_columns", at_least=1), count)
    with style():
        figure, grid = subplots(
            math.ceil(count / columns), columns, (size, size), title
        )
        for axes in grid.flat[count:]:
            axes.set_visible(False)
        for axes, (label, groups) in zip(grid.flat, panels.items(), strict=False):
            _scatter(axes, groups, limits)
            axes.set_title(label)
    return figure


def _scatter(axes: Axes, groups: Groups, limits: tuple[float, float] | None) -> None:
    most = len(COLOURS) + 1
    rule = f"have 1 to {most} groups"
    require(1 <= len(groups) <= most, "groups", rule, len(groups))
    points = {name: _points(name, group) for name, group in groups.items()}
    low, high = limits or _range(np.concatenate([*points.values()]))
    axes.axhline(0, color=FAINT, linewidth=0.4)
    axes.axvline(0, color=FAINT, linewidth=0.4)
    colours = (_BACKGROUND, *COLOURS)
    for colour, group in zip(colours, points.values(), strict=False):
        # Thousands of points as vectors make files that no reader opens quickly.
        x, y = group.T
        dense = len(group) > 500
        axes.scatter(x, y, s=2.5, color=colour, linewidths=0, rasterized=dense)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(True)


def _range(points: np.ndarray) -> tuple[float, float]:
    """Returns limits that hold all points and a little more."""
    low, high = (points.min(), points.max()) if points.size else (0.0, 1.0)
    margin = 0.05 * (high - low) or 1.0
    return float(low - margin), float(high + margin)


def _points(name: str, points: np.ndarray) -> np.ndarray:
    """Returns the points as float64 [N, 2]."""
    points = np.asarray(points, np.float64)
    argument = f"groups[{name!r}]"
    shaped = points.ndim == 2 and points.shape[1] == 2
    require(shaped, argument, "have shape [N, 2]", points.shape)
    require(np.isfinite(points).all(), argument, "be finite", points)
    return points


def curves(
    series: Series,
    *,
    title: str = "",
    x_label: str = "step",
    y_label: str = "",
    size: tuple[float, float] = (3.3, 2.1),
) -> Figure:
    """Shows curves, each with its colour, dashes and marker.

    The vertical range is that of the last nine tenths of the steps, so that the first
    ones of a training do not flatten the rest; how far the first ones reach is written
    below. Values that are not finite are left out.

    Args:
        series: Name to steps and values; at most six.
        title: Text above.
        x_label: Of the horizontal axis.
        y_label: Of the vertical axis.
        size: Width and height in inches; the default fits one column of a paper.

    Returns:
        A matplotlib figure.

    Raises:
        ArgumentError: If there are no series or too many, or one is not [N], [N].
    """
    rule = f"hold 1 to {len(COLOURS)} curves"
    require(1 <= len(series) <= len(COLOURS), "series", rule, [*series])
    with style():
        figure, ((axes,),) = subplots(1, 1, size, layout=None)
        # Known margins: a page has many of these.
        figure.subplots_adjust(left=0.17, right=0.97, top=0.89, bottom=0.2)
        late, all_values = [], []
        for number, (name, (steps, values)) in enumerate(series.items()):
            x, y = np.asarray(steps, np.float64), np.asarray(values, np.float64)
            shaped = x.ndim == 1 and x.shape == y.shape and len(x)
            rule = "be steps [N] and values [N], N at least 1"
            require(shaped, f"series[{name!r}]", rule, (x.shape, y.shape))
            early = _EARLY * (x[-1] - x[0]) if len(x) >= _FEW else 0.0
            late.append(y[(x >= x[0] + early) & np.isfinite(y)])
            all_values.append(y[np.isfinite(y)])
            axes.plot(
                x,
                y,
                color=COLOURS[number],
                linestyle=DASHES[number],
                marker=MARKERS[number],
                markevery=max(1, len(x) // _MOST_MARKERS),
                label=name,
            )
        if (shown := np.concatenate(late)).size:
            low, high = shown.min(), shown.max()
            margin = 0.08 * (high - low) or 1.0
            axes.set_ylim(low - margin, high + margin)
            _say_what_is_beyond(axes, np.concatenate(all_values))
        axes.set_title(title, loc="left")
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.locator_params(nbins=5)
        axes.locator_params(axis="x", integer=True)
        axes.grid(axis="y", color=FAINT, alpha=0.3, linewidth=0.5)
        if len(series) > 1:
            axes.legend(fontsize=7, handlelength=3)
    return figure


def _say_what_is_beyond(axes: Axes, values: np.ndarray) -> None:
    """Writes below the axes how far values reach that lie outside of them."""
    low, high = axes.get_ylim()
    parts = []
    if values.max() > high:
        parts.append(f"\N{UPWARDS ARROW} first up to {readable(values.max())}")
    if values.min() < low:
        parts.append(f"\N{DOWNWARDS ARROW} first from {readable(values.min())}")
    if parts:
        axes.annotate(
            ", ".join(parts),
            (1, 0),
            (0, -17),
            xycoords="axes fraction",
            textcoords="offset points",
            horizontalalignment="right",
            verticalalignment="top",
            fontsize=7,
        )


def codes_against_factors(
    codes: np.ndarray,
    factors: np.ndarray,
    *,
    factor_names: Sequence[str],
    columns: Sequence[CodeColumn] | None = None,
    order: Sequence[int] | None = None,
    title: str = "",
) -> Figure:
    """Shows every latent against every factor, one panel for each pair.

    The dots are images; the line is the mean code for each value of the factor, or for
    neighbouring values together if there are many. The corner shows the share of the
    code's variance that the factor explains; the larger it is, the darker the panel. A
    disentangled latent has one dark panel.

    Args:
        codes: [N, L], such as posterior means.
        factors: [N, K], values of the factors.
        factor_names: The K names.
        columns: What each latent is; None for continuous latents z0, z1, ...
        order: The latents to show, from top to bottom; None shows all.
        title: Text above everything.

    Returns:
        A matplotlib figure.

    Raises:
        ArgumentError: If the shapes do not fit each other.
    """
    codes, factors = np.asarray(codes, np.float64), np.asarray(factors)
    good = codes.ndim == 2 and codes.size > 0 and np.isfinite(codes).all()
    require(good, "codes", "be finite, of shape [N, L]", codes.shape)
    good = factors.ndim == 2 and len(factors) == len(codes)
    require(good, "factors", f"have shape [{len(codes)}, K]", factors.shape)
    count = factors.shape[1]
    rule = f"have one name for each of the {count}"
    require(len(factor_names) == count, "factor_names", rule, len(factor_names))
    names = [f"z{d}" for d in range(codes.shape[1])]
    if columns is not None:
        rule = f"have one entry per latent, {len(names)}"
        require(len(columns) == len(names), "columns", rule, len(columns))
        names = [column.name for column in columns]
    latents = list(range(len(names))) if order is None else [int(d) for d in order]
    in_range = latents and all(0 <= latent < len(names) for latent in latents)
    require(in_range, "order", f"hold latents in [0, {len(names)})", order)
    rng = np.random.default_rng(0)
    with style():
        figure, grid = subplots(
            len(latents), count, (1.25, 0.85), title, sharex="col", sharey="row"
        )
        for row, latent in zip(grid, latents, strict=True):
            row[0].set_ylabel(names[latent], rotation=0, ha="right", va="center")
            for k, axes in enumerate(row):
                _panel(axes, factors[:, k], codes[:, latent], rng)
        for axes, name in zip(grid[0], factor_names, strict=True):
            axes.set_title(name)
    return figure


def explained_variance(codes: np.ndarray, values: np.ndarray) -> float:
    """Returns the share of the variance of codes [N] that values [N] explain.

    This is epsilon squared, 1 - s_w^2 / s^2 with the variances within the values and of
    all codes, both without bias. The plain correlation ratio is biased: with 500 codes,
    it would attribute a tenth of the variance to 50 meaningless values. For constant
    codes this function returns 0.

    References:
        Kelley (1935), An unbiased correlation ratio measure, PNAS 21.
    """
    codes = np.asarray(codes, np.float64)
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    means = np.bincount(group, codes) / counts
    degrees = len(codes) - len(counts)
    if degrees < 1 or codes.var() == 0:
        return 0.0
    within = ((codes - means[group]) ** 2).sum() / degrees
    return max(0.0, float(1 - within / codes.var(ddof=1)))


def _panel(
    axes: Axes, values: np.ndarray, codes: np.ndarray, rng: np.random.Generator
) -> None:
    """Draws one latent against one factor."""
    distinct, group = np.unique(values, return_inverse=True)
    share = explained_variance(codes, values)
    spread = 0.3 if len(distinct) <= 20 else 0.0
    x = group + rng.uniform(-spread, spread, len(group))
    axes.scatter(
        x, codes, s=1.5, color=COLOURS[0], alpha=0.35, linewidths=0, rasterized=True
    )
    # If there are many values, neighbours are taken together: their own means are
    # mostly noise.
    width = -(-len(distinct) // _MOST_MEANS)
    binned, counts = group // width, np.bincount(group // width)
    centres, means = (np.bincount(binned, y) / counts for y in (group, codes))
    axes.plot(centres, means, color=COLOURS[1], marker="o")
    axes.set_facecolor((1.0, 0.85, 0.55, 0.75 * share))
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(True)
    axes.annotate(
        f"{share:.0%}",
        (0.97, 0.95),
        xycoords="axes fraction",
        ha="right",
        va="top",
        fontsize=7,
        fontweight="bold" if share >= 0.5 else "normal",
        color=INK,
        bbox={"facecolor": "white", "alpha": 0.6, "linewidth": 0, "pad": 0.8},
    )
