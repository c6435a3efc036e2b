"""How much of a score's variance the objective, its strength and the seed explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tf_disentangle.checks import require
from tf_disentangle.studies import analysis
from tf_disentangle.studies.figures import parts
from tf_disentangle.visualization.charts import COLOURS, style, subplots

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_COLOURS = {"objective": COLOURS[0], "strength": COLOURS[4], "seed": "#b4b4b4"}
_BEHIND = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.8}
_HATCHES = {"objective": "", "strength": "////", "seed": "...."}


def variance_shares(
    table: pd.DataFrame,
    *,
    data: str | None = None,
    representation: str = "mean",
) -> Figure:
    """Plots the share of variance by objective, strength and seed, a bar per metric.

    The shares are adjusted for the number of means that are fitted; those below 0 are
    drawn as 0. The share of the strength is that of the whole setting.

    Args:
        table: Results of a study.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.

    Returns:
        A matplotlib figure.

    Raises:
        ArgumentError: If no score has shares, as with one seed.

    References:
        Locatello et al. (2019), arXiv 1811.12359, section 5.4.
    """
    shares = analysis.variance_shares(table, data=data, representation=representation)
    known, reasons = shares["seed"].notna().any(), shares["reason"].unique()
    require(known, "table", "have two seeds a setting", "; ".join(reasons))
    with style():
        size = (parts.WIDTH, 0.3 * len(shares) + 0.9)
        figure, ((axes,),) = subplots(1, 1, size)
        objective = shares["adjusted_objective"].clip(lower=0)
        both = np.maximum(objective, 1 - shares["adjusted_seed"])
        widths = (objective, both - objective, 1 - both)
        left = np.zeros(len(shares))
        places = np.arange(len(shares))
        for (name, colour), share in zip(_COLOURS.items(), widths, strict=True):
            width = share.to_numpy()
            axes.barh(
                places,
                width,
                left=left,
                height=0.72,
                color=colour,
                alpha=0.65,
                hatch=_HATCHES[name],
                edgecolor="white",
                linewidth=0.5,
                label=name,
            )
            for place, part in enumerate(width):
                if part >= 0.08:
                    axes.text(
                        left[place] + part / 2,
                        place,
                        f"{part:.0%}",
                        ha="center",
                        va="center",
                        fontsize=7,
                        color="#101010",
                        bbox=_BEHIND,
                    )
            left += width
        axes.set_yticks(places, [parts.short(name) for name in shares.index])
        axes.invert_yaxis()
        axes.set(xlim=(0, 1), xlabel="share of the variance over runs, adjusted")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.tick_params(axis="y", length=0)
        counts = shares[["num", "settings"]].drop_duplicates().itertuples(index=False)
        notes = [f"{num} runs of {settings} settings" for num, settings in counts]
        parts.legend(figure, axes, "; ".join([*notes, *_reasons(shares)]))
    return figure


def _reasons(shares: pd.DataFrame) -> list[str]:
    """Returns why some metrics have no bar."""
    without = shares[shares["reason"] != ""]
    return [
        f"{parts.short(name)}: {reason}" for name, reason in without["reason"].items()
    ]
