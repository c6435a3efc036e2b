"""The score of each method at its best setting, with collapsed runs counted apart."""

from __future__ import annotations

import dataclasses

import pandas as pd

from tf_disentangle.studies.analysis.selection import (
    SETTING,
    exclude,
    of_data,
    values,
)
from tf_disentangle.studies.analysis.statistics import summary

_COLUMNS = [
    *("method", "setting", "strength", "num", "mean", "low", "high", "deviation"),
    *("best", "best_run", "num_collapsed", "mean_with_collapsed"),
]


@dataclasses.dataclass(frozen=True, eq=False)
class MethodScores:
    """The score of each method at its best setting: JointVAE's figure 6.

    Attributes:
        methods: method, setting, strength, num, mean with its t interval low to high,
            deviation, best, of the runs that did not collapse; num_collapsed and
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
    """Returns the mean score of each method at its best setting, collapsed runs apart.

    The best setting is that of the greatest mean over the runs that did not collapse,
    as in JointVAE's figure 6, which removes "outliers where the model collapsed to the
    mean" without saying how many; here they are counted and named, and the mean that
    includes them is given too. A setting all of whose runs collapsed cannot be the
    best.

    Args:
        table: Results of a study.
        metric: The score.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.

    References:
        Dupont (2018), Learning Disentangled Joint Continuous and Discrete
        Representations, arXiv 1804.00104.
    """
    rows = of_data(table, data)
    without = exclude(rows)
    everything = values(rows, metric, representation=representation)
    kept = everything[~everything["run"].isin(without.runs["run"])]
    cells = summary(kept, SETTING)
    found = []
    for method in everything["method"].unique():
        own = cells[cells["method"] == method] if len(cells) else cells
        same = everything[everything["method"] == method]
        best = {"method": method, "num": 0, "reason": "every run collapsed"}
        if len(own):
            best = own.loc[own["mean"].idxmax()].to_dict()
            same = same[same["setting"] == best["setting"]]
        num = int(same["run"].isin(without.runs["run"]).sum())
        whole = {"num_collapsed": num, "mean_with_collapsed": same["value"].mean()}
        found.append({**best, **whole})
    methods = pd.DataFrame(found).reindex(columns=[*_COLUMNS, "reason"])
    return MethodScores(methods, without.runs, without.rule)
