"""Terms and scores as training goes on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tf_disentangle.checks import require
from tf_disentangle.studies.analysis.selection import SETTING, of_data
from tf_disentangle.studies.analysis.statistics import t_interval


def mean_curves(
    table: pd.DataFrame,
    curves: pd.DataFrame,
    metric: str,
    *,
    data: str | None = None,
    every_strength: bool = False,
) -> pd.DataFrame:
    """Returns the mean of a term or score over seeds as training goes on.

    Figures 4 and 9 of CHyVAE are such curves. A step counts that at least half of the
    runs of a setting have, so that a run that is still training ends no curve and makes
    no jump.

    Args:
        table: Results of a study, which say what the runs are.
        curves: Its curves.
        metric: A score, or a term: held out where it is, else in training.
        data: A data set; None is the only one.
        every_strength: Whether all strengths of a method are given; else, of a score,
            the one with the greatest mean at the end, and of a term the least and the
            greatest strength.

    Returns:
        method, strength, step, num, mean, low and high: the 95% t interval of the mean,
        NaN for one seed.

    Raises:
        ArgumentError: If no run has it on the way.
    """
    about = of_data(table, data).drop_duplicates("run").set_index("run")
    points = curves[(curves["metric"] == metric) & curves["run"].isin(about.index)]
    points = points[np.isfinite(points["value"])]
    kinds = [k for k in ("score", "unsupervised", "held_out", "term")]
    kind = next((k for k in kinds if (points["kind"] == k).any()), None)
    require(kind, "metric", "be one that has a curve", metric)
    points = points[points["kind"] == kind].join(about[SETTING], on="run")
    sizes = points.groupby(SETTING, dropna=False)["run"].nunique()
    rows = []
    keys = [*SETTING, "step"]
    for key, group in points.groupby(keys, dropna=False):
        sample = group["value"].to_numpy(float)
        if 2 * len(sample) < _size(sizes, key[:2]):
            continue
        low, high = t_interval(sample)
        numbers = {"num": len(sample), "mean": sample.mean(), "low": low, "high": high}
        rows.append({**dict(zip(keys, key, strict=True)), **numbers})
    found = pd.DataFrame(rows)
    if every_strength:
        return found
    return found[found.apply(_is_shown(found, kind), axis=1)].reset_index(drop=True)


def _size(sizes: pd.Series, key: tuple[str, float]) -> int:
    """Runs of a setting; its strength may be NaN, which is no key for pandas."""
    method, strength = key
    own = sizes[sizes.index.get_level_values(0) == method]
    level = own.index.get_level_values(1)
    same = level.isna() if pd.isna(strength) else level == strength
    return int(own[same].iloc[0])


def _is_shown(found: pd.DataFrame, kind: str) -> Any:
    """Which rows are of a strength that stands for its method."""
    shown: dict[str, set[float]] = {}
    for method, group in found.groupby("method"):
        ends = group.groupby("strength", dropna=False)["mean"].last()
        if kind == "score":
            chosen = {ends.idxmax()} if len(ends) > 1 else set(ends.index)
        else:
            chosen = {ends.index.min(), ends.index.max()}
        shown[str(method)] = chosen

    def is_shown(row: pd.Series) -> bool:
        return pd.isna(row["strength"]) or row["strength"] in shown[row["method"]]

    return is_shown
