"""Terms and scores as training goes on: CHyVAE's figures 4 and 9."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tf_disentangle.studies import analysis
from tf_disentangle.studies.figures import parts
from tf_disentangle.visualization.charts import style, subplots

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_MOST_MARKERS = 8


def curves_over_training(
    table: pd.DataFrame,
    curves: pd.DataFrame,
    metric: str,
    *,
    data: str | None = None,
) -> Figure:
    """Pictures the mean of a term or score over seeds as training goes on.

    The band is the 95% interval of the mean. Of methods with several strengths the one
    with the best mean at the end is drawn, for a term the first and the last.

    Args:
        table: Results of a study.
        curves: Its curves.
        metric: A term or a score.
        data: A data set; None is the only one.

    Returns:
        A matplotlib figure.

    Raises:
        ArgumentError: If no run has it at several steps.
    """
    found = analysis.mean_curves(table, curves, metric, data=data)
    groups = found.groupby(["method", "strength"], sort=False, dropna=False)
    several = found.groupby("method", sort=False)["strength"].nunique() > 1
    names = {
        key: f"{key[0]} {parts.number(key[1])}".strip() if several[key[0]] else key[0]
        for key, _ in groups
    }
    with style():
        figure, ((axes,),) = subplots(1, 1, (parts.WIDTH, 2.5))
        for (key, curve), look in zip(groups, parts.looks(names).values(), strict=True):
            axes.fill_between(
                curve["step"],
                curve["low"],
                curve["high"],
                color=look.colour,
                alpha=0.18,
                linewidth=0,
            )
            axes.plot(
                curve["step"],
                curve["mean"],
                **look.line,
                markevery=max(1, len(curve) // _MOST_MARKERS),
                label=names[key],
            )
        axes.set(xlabel="training step", ylabel=parts.words(metric))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.locator_params(axis="x", nbins=5)
        parts.light_grid(axes)
        parts.legend(figure, axes)
    return figure
