"""Terms and scores as training goes on: CHyVAE's figures 4 and 9."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tf_disentangle.checks import require
from tf_disentangle.studies import analysis
from tf_disentangle.studies.figures import parts
from tf_disentangle.studies.figures.settings import settings_of
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
    """Plots the mean of a term or score over seeds as training goes on.

    The band is the 95% interval of the mean. For methods with several settings, the one
    with the best mean at the end is drawn; for a term, the first and the last.

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
    steps = found["step"].unique()
    require(len(steps) > 1, "curves", f"have {metric} at several steps", steps.tolist())
    names = settings_of(table)
    groups = found.groupby(["method", "setting"], sort=False)
    methods = parts.method_looks(table)
    order = sorted(groups, key=lambda group: list(methods).index(group[0][0]))
    drawn: set[str] = set()
    with style():
        figure, ((axes,),) = subplots(1, 1, (parts.WIDTH, 2.1))
        for (method, setting), curve in order:
            look = methods[method]
            axes.fill_between(
                curve["step"],
                curve["low"],
                curve["high"],
                color=look.colour,
                alpha=0.18,
                linewidth=0,
            )
            # A method's other setting is dashed and hollow.
            is_other = method in drawn
            axes.plot(
                curve["step"],
                curve["mean"],
                color=look.colour,
                marker=look.marker,
                linestyle="--" if is_other else "-",
                markerfacecolor="none" if is_other else look.colour,
                markevery=max(1, len(curve) // _MOST_MARKERS),
                label=names.name(method, setting),
            )
            drawn.add(method)
        bounds = analysis.bounds(table, metric, data=data)
        parts.limits(axes, _late(found), bounds)
        parts.score_bounds(axes, bounds)
        axes.set(xlabel="training step", ylabel=parts.label(metric))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.locator_params(axis="x", nbins=5)
        parts.light_grid(axes)
        parts.legend(figure, axes)
    return figure


def _late(found: pd.DataFrame) -> pd.Series:
    """Returns the means beyond the first tenth, which would flatten the rest."""
    last = found["step"].max()
    late = found.loc[found["step"] >= 0.1 * last, "mean"]
    return late if len(late) else found["mean"]
