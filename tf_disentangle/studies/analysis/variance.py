"""How much of a score's variance the objective, its strength and the seed explain.

Two nested models are fitted to the scores of all runs of one data set by least squares:
one mean for each objective, and one mean for each objective with each of its settings.
Their R^2 = 1 - residual sum of squares / total sum of squares give

    objective    R^2 of the first
    strength     R^2 of the second less that of the first
    seed         the rest, which only the seed can have caused

With one category for each group, the fitted values of least squares are the means of
the groups, whatever their sizes, so missing runs need no special care.

R^2 grows with the number of means that are fitted: were all runs alike, p groups of n
runs would still explain (p - 1) / (n - 1). The adjusted columns subtract that,
1 - (1 - R^2) (n - 1) / (n - p); for the study's 1,800 runs it makes no difference, for
54 runs it does.

References:
    Locatello et al. (2019), Challenging Common Assumptions, arXiv 1811.12359, section
    5.4: "the objective function explains 37 % of the variance", with the strength 59 %.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from tf_disentangle.checks import NOTHING, require
from tf_disentangle.studies.analysis.selection import SETTING, scores


def variance_shares(
    table: pd.DataFrame,
    *,
    data: str | None = None,
    representation: str = "mean",
) -> pd.DataFrame:
    """Returns the share of each score's variance that each cause explains.

    Args:
        table: Results of a study.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.

    Returns:
        By metric: objective, strength and seed, which sum to 1; the same adjusted, as
        `adjusted_objective`, `adjusted_strength` (either may be below 0) and
        `adjusted_seed`; num, the runs; settings, their number; reason. Shares are NaN,
        with the reason, where all scores are equal or there are fewer than two seeds
        per setting on average: then seed and setting cannot be told apart.

    Raises:
        ArgumentError: If the table has no score.
    """
    wide = scores(table, data=data, representation=representation)
    require(wide.shape[1], "table", "have a score", NOTHING)
    rows = {str(name): _shares(wide[name].dropna()) for name in wide.columns}
    return pd.DataFrame.from_dict(rows, orient="index")


def _shares(values: pd.Series) -> dict[str, float | int | str]:
    """Shares of one score, indexed by run, method, setting and seed."""
    settings = values.groupby(level=SETTING).ngroups
    counts = {"num": len(values), "settings": settings}
    total = float(((values - values.mean()) ** 2).sum())
    # Equal but for rounding of the mean.
    tiny = np.finfo(np.float64).eps * len(values) * float((values**2).sum())
    reason = ""
    if len(values) < 2 * max(1, settings):
        reason = "fewer than two seeds a setting: they cannot be told apart"
    elif total <= tiny:
        reason = "all runs score the same"
    if reason:
        return {**dict.fromkeys(_NAMES, math.nan), **counts, "reason": reason}
    first = r_squared(values, ["method"])
    both = r_squared(values, SETTING)
    methods = values.groupby(level="method").ngroups
    adjusted = _adjusted(first, len(values), methods)
    adjusted_both = _adjusted(both, len(values), settings)
    shares = (
        *(first, both - first, 1 - both),
        *(adjusted, adjusted_both - adjusted, 1 - adjusted_both),
    )
    return {**dict(zip(_NAMES, shares, strict=True)), **counts, "reason": ""}


_NAMES = (
    *("objective", "strength", "seed"),
    *("adjusted_objective", "adjusted_strength", "adjusted_seed"),
)


def r_squared(values: pd.Series, by: list[str]) -> float:
    """Returns R^2 of the least-squares fit of one mean for each group.

    Args:
        values: Finite, not all equal, indexed by the groups.
        by: Names of the levels of the index that make a group.
    """
    fitted = values.groupby(level=by).transform("mean")
    total = float(((values - values.mean()) ** 2).sum())
    return 1 - float(((values - fitted) ** 2).sum()) / total


def _adjusted(share: float, num: int, groups: int) -> float:
    """R^2 less what as many groups would explain by chance."""
    return 1 - (1 - share) * (num - 1) / (num - groups)
