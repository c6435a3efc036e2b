"""The score of each method at its best strength, collapsed runs counted apart."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pandas as pd

from tf_disentangle.studies.analysis.selection import RUN, exclude, of_data, values
from tf_disentangle.studies.analysis.statistics import by_strength


@dataclasses.dataclass(frozen=True, eq=False)
class MethodScores:
    """The score of each method at its best strength: JointVAE's figure 6.

    Attributes:
        methods: method, strength, num, mean with its t interval low to high, deviation,
            best, of the runs that did not collapse; num_collapsed and
            mean_with_collapsed of the same setting; reason.
        collapsed: The runs that were left out, with the reason.
        rule: The rule, with the count.
    """

    methods: pd.DataFrame
    collapsed: pd.DataFrame
    rule: str


def scores_of_methods(
    table: pd.DataFrame,
    metric: str,
    *,
    data: str | None = None,
    representation: str = "mean",
) -> MethodScores:
    """Returns the mean score of each method at its best strength, collapsed runs apart.

    The best strength is that of the greatest mean over the runs that did not collapse,
    as in JointVAE's figure 6, which removes "outliers where the model collapsed to the
    mean" without saying how many; here they are counted and named, and the mean with
    them stands beside. A strength all of whose runs collapsed cannot be the best.

    Args:
        table: Results of a study.
        metric: The score.
        data: A data set; None is the only one.
        representation: Of the codes that were scored.

    References:
        Dupont (2018), Learning Disentangled Joint Continuous and Discrete
        Representations, arXiv 1804.00104.
    """
    rows = of_data(table, data)
    without = exclude(rows)
    selected: dict[str, Any] = {"representation": representation}
    everything = values(rows, metric, **selected)
    cells = by_strength(rows, metric, **selected)
    if len(without.table) and metric in set(without.table["metric"]):
        cells = by_strength(without.table, metric, **selected)
    best = cells.loc[cells.groupby("method", sort=False)["mean"].idxmax()]
    best = best.reset_index(drop=True)
    counts, means = [], []
    for row in best.itertuples():
        same = everything["strength"].eq(row.strength)
        same |= everything["strength"].isna() & math.isnan(row.strength)
        own = everything[(everything["method"] == row.method) & same]
        means.append(own["value"].mean())
        counts.append(int(own["run"].isin(without.runs["run"]).sum()))
    best = best.assign(num_collapsed=counts, mean_with_collapsed=means)
    lost = [m for m in everything["method"].unique() if m not in set(best["method"])]
    gone = [{"method": m, "num": 0, "reason": "every run collapsed"} for m in lost]
    if gone:
        best = pd.concat([best, pd.DataFrame(gone)], ignore_index=True)
    return MethodScores(best, without.runs[[*RUN, "reason"]], without.rule)
