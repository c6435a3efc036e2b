"""What a study's page says in words about which method is better."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tf_disentangle.studies import analysis
from tf_disentangle.studies.analysis.statistics import least_p
from tf_disentangle.studies.figures.settings import settings_of
from tf_disentangle.studies.report_scores import Score, scores_of

if TYPE_CHECKING:
    import pandas as pd

#: A p value times the number of pairs (Bonferroni) that is below this shows a
#: difference.
LEVEL = 0.05

# Settings that a sentence names.
_NAMED = 5


def sentences(results: pd.DataFrame) -> list[str]:
    """Returns whether the best method is better than others, by data set.

    By the first score of each data set, the method with the greatest mean is compared
    with the others, each at its best setting, paired by seed. If there is only one
    method, its settings are compared.

    Args:
        results: Table of a study.

    Returns:
        A sentence for each data set with two methods or settings to compare.
    """
    first: dict[str, Score] = {}
    for score in scores_of(results):
        first.setdefault(score.data, score)
    found = [_sentence(score, len(first) > 1) for score in first.values()]
    return [text for text in found if text]


def _sentence(score: Score, names_data: bool) -> str:
    """Returns the sentence of one score; "" if there is nothing to compare."""
    cells = analysis.by_setting(score.table, score.metric, **score.selected)
    kind = "settings"
    if cells["method"].nunique() > 1:
        kind = "methods"
        cells = cells.loc[cells.groupby("method", sort=False)["mean"].idxmax()]
    if len(cells) < 2:
        return ""
    cells = cells.sort_values("mean", ascending=False, kind="stable")
    where = score.label.replace("_", " ")
    where += f" on {score.data}" if names_data else ""
    # The best was chosen out of all, so all pairs count.
    pairs = math.comb(len(cells), 2)
    if least_p(math.inf) * pairs >= LEVEL:
        return (
            f"{len(cells)} {kind} are too many to compare all pairs of them by "
            f"{where}, with any number of seeds."
        )
    runs = analysis.values(score.table, score.metric, **score.selected)
    best, *others = cells.itertuples()
    compared = [analysis.compare(_of(runs, best), _of(runs, one)) for one in others]
    most = max(each.num for each in compared)
    needed = analysis.FEWEST
    while least_p(needed) * pairs >= LEVEL:
        needed += 1
    if most < needed:
        seeds = "1 seed is" if most == 1 else f"{most or 'No common'} seeds are"
        return (
            f"{seeds} too few to tell these {kind} apart by {where}: a comparison "
            f"of {len(cells)} needs {needed}."
        )
    names = settings_of(score.table)
    better: list[str] = []
    unknown: list[str] = []
    for one, each in zip(others, compared, strict=True):
        name = names.name(one.method, one.setting)
        is_shown = each.p_value * pairs < LEVEL and each.difference > 0
        (better if is_shown else unknown).append(name)
    top = names.name(best.method, best.setting)
    if not better:
        return (
            f"By {where}, {top} has the greatest mean, but {most} seeds show no "
            f"difference from {_listed(unknown)}."
        )
    rest = f"; from {_listed(unknown)} no difference is shown" if unknown else ""
    return f"By {where}, {top} is better than {_listed(better)} ({most} seeds){rest}."


def _of(runs: pd.DataFrame, cell: Any) -> dict[int, float]:
    """Returns the scores of a setting by seed."""
    is_own = (runs["method"] == cell.method) & (runs["setting"] == cell.setting)
    return runs[is_own].set_index("seed")["value"].to_dict()


def _listed(names: list[str]) -> str:
    if len(names) > _NAMED:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} others"
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
