"""How often a setting that was chosen in one place beats a random one in another.

Settings are compared as in table 2 of the study of 2019. By one metric on one data set,
the best setting k is chosen among the runs of one seed s. It is then tried with another
seed s', by a metric on a data set, against a setting r that is drawn at random from the
other settings with the same seed s':

    probability = mean over s, s' != s, r != k of
                  1[score(k, s') > score(r, s')] + 1/2 1[score(k, s') = score(r, s')]

The study draws s, s' and r 10,000 times; here all combinations are counted, so that
nothing is left to chance. A random choice has 1/2. If several settings tie for the
best, each of them counts alike; a run that is missing takes part in no comparison.

References:
    Locatello et al. (2019), Challenging Common Assumptions, arXiv 1811.12359, section
    5.6: 80.7 % on the same data set by the same metric, 59.3 % on another data set,
    54.9 % where both differ.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from tf_disentangle.checks import require
from tf_disentangle.studies.analysis.selection import SETTING, scores


def transfer_of_settings(
    table: pd.DataFrame, *, representation: str = "mean"
) -> pd.DataFrame:
    """Returns how often a chosen setting beats a random one, for each pair of places.

    Args:
        table: Results of a study.
        representation: The kind of codes that were scored.

    Returns:
        A row for each ordered pair of (data set, metric): chosen_data, chosen_metric,
        tried_data, tried_metric, probability in [0, 1], num, the pairs of seeds behind
        it, and the reason if there is none.

    Raises:
        ArgumentError: If there are fewer than two settings.
    """
    places = _places(table, representation)
    count = len(next(iter(places.values()))) if places else 0
    rule, remedy = "have two settings to choose from", "Add a method or a value."
    require(count >= 2, "table", rule, count, remedy)
    wins = {place: _wins(values) for place, values in places.items()}
    best = {place: _best(values) for place, values in places.items()}
    rows = []
    for chosen in places:
        for tried in places:
            probability, num = _probability(best[chosen], wins[tried])
            rows.append(
                {
                    "chosen_data": chosen[0],
                    "chosen_metric": chosen[1],
                    "tried_data": tried[0],
                    "tried_metric": tried[1],
                    "probability": probability,
                    "num": num,
                    "reason": "" if num else "no other seed to try the setting with",
                }
            )
    return pd.DataFrame(rows)


def transfer_summary(transfers: pd.DataFrame) -> pd.DataFrame:
    """Returns the mean probability for the four cases of the study's table.

    Args:
        transfers: As `transfer_of_settings` returns them.

    Returns:
        Rows "same data set" and "other data set", columns "same metric" and "other
        metric", each the mean over all such pairs of places; NaN where there is none,
        as for other data sets in a study of one.
    """
    same_data = transfers["chosen_data"] == transfers["tried_data"]
    same_metric = transfers["chosen_metric"] == transfers["tried_metric"]
    found = {
        f"{metric} metric": {
            f"{data} data set": transfers.loc[is_data & is_metric, "probability"].mean()
            for data, is_data in (("same", same_data), ("other", ~same_data))
        }
        for metric, is_metric in (("same", same_metric), ("other", ~same_metric))
    }
    return pd.DataFrame(found)


def _places(
    table: pd.DataFrame, representation: str
) -> dict[tuple[str, str], np.ndarray]:
    """Scores [settings, seeds] by data set and metric, NaN where a run is missing."""
    keys = table.drop_duplicates("run")
    seeds = sorted(keys["seed"].unique())
    wides = {
        name: scores(table, data=name, representation=representation)
        for name in table["data"].unique()
    }
    settings: dict[tuple[str, str], None] = {}
    for wide in wides.values():
        pairs = wide.index.droplevel(["run", "seed"])
        settings |= dict.fromkeys(pairs)
    places = {}
    for name, wide in wides.items():
        for metric in wide.columns:
            means = wide[metric].groupby(level=[*SETTING, "seed"]).mean()
            square = means.unstack("seed").reindex(list(settings), columns=seeds)
            if np.isfinite(square.to_numpy(float)).any():
                places[name, str(metric)] = square.to_numpy(float)
    return places


def _wins(values: np.ndarray) -> np.ndarray:
    """Share of the other settings that each beats with each seed, [settings, seeds]."""
    signs = np.sign(values[:, np.newaxis, :] - values[np.newaxis, :, :])
    np.einsum("kks->ks", signs)[:] = np.nan  # Not against itself.
    known = np.isfinite(signs)
    total = np.where(known, (signs + 1) / 2, 0.0).sum(axis=1)
    count = known.sum(axis=1)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _best(values: np.ndarray) -> np.ndarray:
    """Weights [settings, seeds] of the best settings of each seed; they sum to 1.

    A seed with fewer than two settings chooses nothing: 0.
    """
    known = np.isfinite(values)
    filled = np.where(known, values, -np.inf)
    is_best = known & (filled == filled.max(axis=0)) & (known.sum(axis=0) >= 2)
    count = is_best.sum(axis=0)
    return np.divide(is_best, count, out=np.zeros(values.shape), where=count > 0)


def _probability(best: np.ndarray, wins: np.ndarray) -> tuple[float, int]:
    """Mean over the seeds of the choice and the other seeds of the trial."""
    known = np.isfinite(wins)
    # [seed of the choice, seed of the trial]
    weight = best.T @ known
    total = best.T @ np.where(known, wins, 0.0)
    np.fill_diagonal(weight, 0.0)
    np.fill_diagonal(total, 0.0)
    num = int((weight > 0).sum())
    if not num:
        return math.nan, 0
    share = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
    return float(share.sum() / num), num
