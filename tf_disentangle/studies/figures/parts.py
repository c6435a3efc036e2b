"""What the figures of a study share: words, looks of methods, matrices, legends.

A figure is as wide as one column of a paper, has one subject and labels its axes, with
units. It draws what `studies.analysis` computes, and computes nothing by itself.
"""

from __future__ import annotations

import dataclasses
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tf_disentangle.visualization.charts import (
    COLOURS,
    DASHES,
    FAINT,
    INK,
    MARKERS,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Inches: one column of a paper.
WIDTH = 3.4
#: More points than this are drawn as pixels: vectors would take megabytes.
MOST_VECTORS = 300
# Text on cells keeps its colour on a dark page, since the cells keep theirs.
_ON_CELLS = "#101010"
# Beyond it cells would be too dark for their numbers.
_DARKEST = 1 / 0.62

#: What metrics and terms are called on axes.
WORDS = {
    "beta_vae": "BetaVAE score",
    "factor_vae": "FactorVAE score",
    "mig": "MIG",
    "dci": "DCI disentanglement",
    "sap": "SAP",
    "irs": "IRS",
    "udr": "UDR",
    "elbo": "ELBO, nats per image",
    "loss": "loss, nats per image",
    "reconstruction": "reconstruction error, nats per image",
    "kl_term": "KL term, nats per image",
    "mutual_information": "mutual information, nats",
    "total_correlation": "total correlation, nats",
    "gaussian_total_correlation": "Gaussian total correlation, nats",
    "dimension_kl": "KL of the single latents, nats",
    "hoyer": "Hoyer sparsity",
    "hoyer_sparsity": "Hoyer sparsity",
    "statistical_efficiency": "statistical efficiency",
}


def words(name: str) -> str:
    """Returns what a metric, a term or a binding is called on an axis.

    What follows it, such as its protocol in brackets or "of sampled codes", stays.
    """
    metric, space, rest = name.partition(" ")
    if metric in WORDS:
        return WORDS[metric] + space + rest
    return name if "." in metric else metric.replace("_", " ") + space + rest


def label(name: str) -> str:
    """Returns `words` for a vertical axis, on two lines if they are long."""
    return "\n".join(textwrap.wrap(words(name), 26))


def short(name: str) -> str:
    """Returns what `words` does, without the unit."""
    metric, space, rest = name.partition(" ")
    return words(metric).split(",")[0] + space + rest


def number(value: Any) -> str:
    """Returns a setting as people write it: 4, 0.5, 13,000; "" for none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool | str | np.str_):
        return str(value)
    text = f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"
    return text.replace("-", "\N{MINUS SIGN}")


def wrapped(text: str, width: int = 24) -> str:
    """Returns a long name on several lines, which may end after "_"."""
    lines = textwrap.wrap(text.replace("_", "_ "), width)
    return "\n".join(line.replace("_ ", "_") for line in lines)


@dataclasses.dataclass(frozen=True)
class Look:
    """How a method is drawn: a colour, and a marker and a dash that identify it too."""

    colour: str
    marker: str
    dash: Any

    @property
    def line(self) -> dict[str, Any]:
        """Options of a line."""
        return {
            "color": self.colour,
            "marker": self.marker,
            "linestyle": self.dash,
        }


def method_looks(table: pd.DataFrame) -> dict[str, Look]:
    """Returns the look of each method, the same in all figures of a table."""
    return looks(table["method"].unique())


def looks(names: Iterable[str]) -> dict[str, Look]:
    """Returns the look of each name; those beyond the sixth get other markers."""
    found = {}
    for place, name in enumerate(names):
        again, colour = divmod(place, len(COLOURS))
        other = (colour + again) % len(MARKERS)
        found[name] = Look(COLOURS[colour], MARKERS[other], DASHES[other])
    return found


def legend(figure: Figure, axes: Axes, note: str = "") -> None:
    """Adds a legend below the figure if the axes have several curves.

    The figure grows by the space that the legend takes.

    Args:
        figure: In constrained layout.
        axes: Axes whose labelled parts are named.
        note: A sentence above the names.
    """
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) < 2:
        handles, labels = [], []
    lines = textwrap.wrap(note, 64)
    if not labels and not lines:
        return
    width, height = figure.get_size_inches()
    columns, num_rows = 1, 0
    if labels:
        room = int(width / (0.07 * max(map(len, labels)) + 0.5))
        columns = max(1, min(len(labels), room))
        num_rows = -(-len(labels) // columns)
    extra = 0.15 * num_rows + 0.125 * len(lines) + 0.1
    figure.set_size_inches(width, height + extra)
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=columns,
        fontsize=7,
        handlelength=2.2,
        columnspacing=1.2,
        title="\n".join(lines),
        title_fontsize=6.5,
        alignment="left" if lines else "center",
    )


def runs_by_method(axes: Axes, runs: pd.DataFrame, methods: Mapping[str, Look]) -> None:
    """Draws a point for each run, in the look of its method.

    Args:
        axes: To draw in.
        runs: Columns method, x, y.
        methods: Looks by method.
    """
    for method, look in methods.items():
        own = runs[runs["method"] == method]
        if own.empty:
            continue
        axes.scatter(
            own["x"],
            own["y"],
            s=9,
            color=look.colour,
            marker=look.marker,
            alpha=0.7,
            linewidths=0,
            rasterized=len(runs) > MOST_VECTORS,
            label=method,
        )


def limits(
    axes: Axes,
    values: Iterable[float],
    bounds: pd.DataFrame | None = None,
    axis: str = "y",
) -> None:
    """Sets the range of an axis by values and bounds.

    Intervals may reach beyond it: those of a mean of two runs are so wide that they
    would squeeze everything else together.

    Args:
        axes: Axes whose range is set.
        values: Values of runs; those that are not finite do not count.
        bounds: As for `score_bounds`.
        axis: "x" or "y".
    """
    known = np.asarray(list(values), float)
    if bounds is not None:
        known = np.concatenate([known, bounds[["low", "high"]].to_numpy().ravel()])
    known = known[np.isfinite(known)]
    if not known.size:
        return
    margin = 0.06 * np.ptp(known) or 0.05 * abs(known[0]) or 0.05
    ends = known.min() - margin, known.max() + margin
    (axes.set_xlim if axis == "x" else axes.set_ylim)(*ends)


def score_bounds(
    axes: Axes,
    bounds: pd.DataFrame | None,
    direction: str = "horizontal",
    named: bool = True,
) -> None:
    """Draws the floor and the ceiling of a score: a line, or a band where runs differ.

    Args:
        axes: Axes with the score on one of them.
        bounds: Rows "floor" and "ceiling" with columns "low" and "high"; None draws
            nothing.
        direction: That of the lines: "horizontal" where the score is on the vertical
            axis.
        named: Whether to write beside the lines what they are.
    """
    if bounds is None:
        return
    upright = direction == "vertical"
    for name, (low, high) in bounds[["low", "high"]].iterrows():
        if not math.isfinite(low) or not math.isfinite(high):
            continue
        span, line = (
            (axes.axvspan, axes.axvline) if upright else (axes.axhspan, axes.axhline)
        )
        if high > low:
            span(low, high, color=FAINT, alpha=0.22, linewidth=0, zorder=0)
        middle = (low + high) / 2
        line(middle, color=FAINT, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0)
        if not named:
            continue
        place = (middle, 1.0) if upright else (1.0, middle)
        transform = (
            axes.get_xaxis_transform() if upright else axes.get_yaxis_transform()
        )
        axes.annotate(
            str(name),
            place,
            (0, 2) if upright else (-1, -2 if name == "ceiling" else 2),
            xycoords=transform,
            textcoords="offset points",
            ha="center" if upright else "right",
            va="top" if name == "ceiling" and not upright else "bottom",
            fontsize=6.5,
            color=INK,
        )


def setting_ticks(axes: Axes, labels: Sequence[str], columns: int) -> None:
    """Names settings in their order at equal distances 0, 1, 2, ...

    Args:
        axes: One of several side by side.
        labels: Labels of the settings.
        columns: How many axes are side by side.
    """
    crowded = sum(map(len, labels)) > 42 // columns
    axes.set_xticks(range(len(labels)), labels, fontsize=6.5)
    if crowded:
        axes.tick_params(axis="x", labelrotation=45)
    axes.set_xlim(-0.5, len(labels) - 0.5)


def light_grid(axes: Axes, axis: Literal["x", "y"] = "y") -> None:
    """Draws faint lines across axes."""
    axes.grid(axis=axis, color=FAINT, alpha=0.3, linewidth=0.5)
    axes.set_axisbelow(True)


def matrix(
    axes: Axes,
    frame: pd.DataFrame,
    *,
    limit: float = 1.0,
    names: Sequence[Sequence[str]] | None = None,
) -> None:
    """Draws a matrix as colours with its values, times 100, written into it.

    Blue is below zero, red above, white at zero; unknown values are grey.

    Args:
        axes: Empty.
        frame: Rows and columns named.
        limit: The magnitude at which colours end.
        names: Names of the rows and of the columns as they are to be shown; None takes
            the frame's.
    """
    import matplotlib

    values = frame.to_numpy(np.float64)
    finite = np.isfinite(values)
    end = limit * _DARKEST
    axes.imshow(
        np.ma.masked_array(values, ~finite),
        cmap=matplotlib.colormaps["RdBu_r"].with_extremes(bad="#b9b9b9"),
        vmin=-end,
        vmax=end,
        aspect="auto",
    )
    size = 7.0 if max(values.shape) <= 8 else 5.5
    for (row, column), value in np.ndenumerate(values):
        text = str(round(100 * value)) if math.isfinite(value) else "\N{EN DASH}"
        text = text.replace("-", "\N{MINUS SIGN}")
        centred: Any = {"ha": "center", "va": "center"}
        axes.text(column, row, text, fontsize=size, color=_ON_CELLS, **centred)
    rows, columns = names or (
        [short(str(name)) for name in frame.index],
        [short(str(name)) for name in frame.columns],
    )
    axes.set_yticks(range(len(rows)), [wrapped(name, 22) for name in rows])
    few = len(columns) * max(map(len, columns)) <= 30
    axes.set_xticks(
        range(len(columns)),
        columns if few else [wrapped(name, 22) for name in columns],
        rotation=0 if few else 45,
        ha="center" if few else "left",
        rotation_mode="anchor",
    )
    axes.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
    axes.set_xticks(np.arange(len(columns) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(rows) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0, top=False, bottom=False)
    axes.spines[:].set_visible(False)
