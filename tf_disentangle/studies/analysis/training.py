"""Terms and scores as training goes on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tf_disentangle.checks import require
from tf_disentangle.studies.analysis.selection import (
    KINDS,
    SETTING,
    of_data,
    setting_of,
)
from tf_disentangle.studies.analysis.statistics import t_interval


def mean_curves(
    table: pd.DataFrame,
    curves: pd.DataFrame,
    metric: str,
    *,
    data: str | None = None,
    every_setting: bool = False,
) -> pd.DataFrame:
    """Returns the mean of a term or score over seeds as training goes on.

    Figures 4 and 9 of CHyVAE are such curves. Only the steps that all runs of a setting
    have count, so that a curve is the mean of the same runs all along and does not
    jump.

    Args:
        table: Results of a study, which describe the runs.
        curves: Its curves.
        metric: A score, or a term: held out where available, else in training.
        data: A data set; None is the only one.
        every_setting: Whether all settings of a method are given. Otherwise, for a
            score, the one with the greatest mean at the end is given, and for a term,
            the first and the last by strength.

    Returns:
        method, setting, strength, step, num, mean, low and high: the 95% t interval of
        the mean, NaN for one seed.

    Raises:
        ArgumentError: If no run has it during training.
    """
    about = of_data(table, data).drop_duplicates("run").set_index("run")
    points = curves[(curves["metric"] == metric) & curves["run"].isin(about.index)]
    points = points[np.isfinite(points["value"])]
    kind = next((k for k in KINDS if (points["kind"] == k).any()), None)
    require(kind, "metric", "be one that has a curve", metric)
    about = about.assign(setting=setting_of(about))[[*SETTING, "strength", "index"]]
    points = points[points["kind"] == kind].join(about, on="run")
    points = points.sort_values(["strength", "index", "step"], kind="stable")
    rows = []
    for key, group in points.groupby(SETTING, sort=False):
        num, strength = group["run"].nunique(), group["strength"].iloc[0]
        setting = {**dict(zip(SETTING, key, strict=True)), "strength": strength}
        for step, values in group.groupby("step")["value"]:
            if len(values) == num:
                low, high = t_interval(values.to_numpy(float))
                numbers = {"mean": values.mean(), "low": low, "high": high}
                rows.append({**setting, "step": step, "num": num, **numbers})
    require(rows, "curves", f"have {metric} at one step of all runs of a setting", "no")
    found = pd.DataFrame(rows)
    if every_setting:
        return found
    ends = found.drop_duplicates(SETTING, keep="last")
    if kind == "score":
        shown = ends.loc[ends.groupby("method")["mean"].idxmax()]
    else:
        shown = pd.concat([ends.groupby("method").nth(place) for place in (0, -1)])
    return found.merge(shown[SETTING].drop_duplicates()).reset_index(drop=True)
