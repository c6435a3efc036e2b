"""Choosing a model without labels: what a selector finds, against the oracle.

Among the runs of one method on one data set (all strengths and seeds) a selector that
sees no factors takes one run. The score of that run is compared with that of the best
run, which only somebody with the factors can choose (the oracle), and with the mean of
all runs, which is what choosing at random gives:

    share = (selected - random) / (oracle - random)

is 1 for a perfect selector and 0 for one that is no better than chance, on average.

References:
    Duan et al. (2020), Unsupervised Model Selection for Variational Disentangled
    Representation Learning, arXiv 1905.12614.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from tf_disentangle.checks import require
from tf_disentangle.studies.analysis.agreement import unsupervised
from tf_disentangle.studies.analysis.relations import rank_correlation
from tf_disentangle.studies.analysis.selection import scores

#: Numbers that are considered a sign of a good model when they are large (1) or small
#: (-1).
SELECTORS = {
    "udr": 1,
    "udr_all_strengths": 1,
    "elbo": 1,
    "reconstruction": -1,
    "kl_term": -1,
    "total_correlation": -1,
    "gaussian_total_correlation": -1,
}


def selection_without_labels(
    table: pd.DataFrame,
    metric: str,
    *,
    selectors: Sequence[str] | None = None,
    data: str | None = None,
    representation: str = "mean",
) -> pd.DataFrame:
    """Returns what each selector finds among the runs of each method.

    Args:
        table: Results of a study; `bin/study udr` puts UDR into them.
        metric: The score, of which greater is better.
        selectors: Names among `SELECTORS`; None takes those that are known.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.

    Returns:
        A row for each method and selector: scored, the number of runs with the score,
        from which oracle and random are computed; num, how many of them have the
        selector; selected (the mean of those that tie), selected_run (the first of
        them), share, correlation (Spearman's, of the selector with the score, its sign
        such that 1 is perfect); reason. NaN with the reason where no run has both, or
        where all runs score the same.

    Raises:
        ArgumentError: If the metric is missing, or none of the selectors is known.
    """
    wide = scores(table, data=data, representation=representation)
    rule = f"be one of the scores {list(wide.columns)}"
    require(metric in wide, "metric", rule, metric)
    known = unsupervised(table, data=data, representation=representation)
    if selectors is None:
        selectors = [name for name in SELECTORS if name in known]
    for name in selectors:
        rule = f"be among {list(SELECTORS)}"
        require(name in SELECTORS, "selectors", rule, name)
    rule = f"have one of {list(SELECTORS)}"
    remedy = "Run `bin/study udr DIR` for UDR."
    require(len(selectors), "table", rule, list(known.columns), remedy)
    rows = []
    for method, own in wide.groupby(level="method", sort=False):
        for name in selectors:
            sign = SELECTORS[name]
            hints = sign * known[name] if name in known else pd.Series(dtype=float)
            both = pd.DataFrame({"hint": hints, "score": own[metric]})
            found = _found(both.dropna(subset="score"))
            rows.append({"method": method, "selector": name, **found})
    return pd.DataFrame(rows)


def _found(runs: pd.DataFrame) -> dict[str, float | int | str]:
    """What the greatest hint finds among runs that have a score each."""
    both = runs.dropna()
    tied = both[both["hint"] == both["hint"].max()]
    selected, oracle = tied["score"].mean(), runs["score"].max()
    chance = runs["score"].mean()
    room = oracle - chance
    if both.empty:
        reason = "no run has both the selector and the score"
    elif len(runs) < 2:
        reason = "one run: no choice"
    else:
        reason = "" if room > 0 else "all runs score the same"
    return {
        "scored": len(runs),
        "num": len(both),
        "selected_run": "" if both.empty else tied.index.get_level_values("run")[0],
        "selected": float(selected),
        "oracle": float(oracle),
        "random": float(chance),
        "share": float((selected - chance) / room) if room > 0 else math.nan,
        "correlation": rank_correlation(both["hint"], both["score"]),
        "reason": reason,
    }
