"""How a score goes with something else: reconstruction, strength, samples, a binding."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tf_disentangle.checks import require
from tf_disentangle.studies.analysis.agreement import FEWEST
from tf_disentangle.studies.analysis.selection import (
    RUN,
    SETTING,
    exclude,
    of_data,
    values,
)
from tf_disentangle.studies.analysis.statistics import by_strength, summary, t_interval

_LARGE, _SMALL = 10_000, 100


@dataclasses.dataclass(frozen=True, eq=False)
class Relation:
    """Two numbers of each run, and of each setting.

    Attributes:
        runs: run, index, method, strength, data, seed, setting, x and y.
        cells: A row for each method and strength: num; x and y, their means over seeds;
            x_low, x_high, y_low, y_high, the 95% t intervals (NaN for one seed); best,
            the greatest y.
        correlation: Spearman's rank correlation of x and y over runs; NaN where one of
            them is constant or there are fewer than 3 runs.
    """

    runs: pd.DataFrame
    cells: pd.DataFrame
    correlation: float


def score_against(
    table: pd.DataFrame,
    metric: str,
    other: str = "reconstruction",
    *,
    data: str | None = None,
    representation: str = "mean",
) -> Relation:
    """Sets a score against another number of the same run, such as the reconstruction.

    Means over restarts of both, with intervals, are figures 2 and 3 of CHyVAE and
    figure 3 of FactorVAE.

    Args:
        table: Results of a study.
        metric: On the y axis.
        other: On the x axis: a term or a score.
        data: A data set; None is the only one.
        representation: Of the codes that were scored.

    Raises:
        ArgumentError: If no run has both.

    References:
        Ansari and Soh (2019), arXiv 1809.04497; Kim and Mnih (2018), arXiv 1802.05983.
    """
    selected = {"data": data, "representation": representation}
    y = values(table, metric, **selected).rename(columns={"value": "y"})
    x = values(table, other, **selected).set_index("run")["value"]
    runs = y.assign(x=y["run"].map(x)).dropna(subset="x").reset_index(drop=True)
    require(len(runs), "table", f"have {metric} and {other} of one run", "none")
    rows = []
    for key, group in runs.groupby(SETTING, sort=False, dropna=False):
        ends = [t_interval(group[name].to_numpy(float)) for name in ("x", "y")]
        rows.append(
            {
                **dict(zip(SETTING, key, strict=True)),
                "num": len(group),
                "x": group["x"].mean(),
                "x_low": ends[0][0],
                "x_high": ends[0][1],
                "y": group["y"].mean(),
                "y_low": ends[1][0],
                "y_high": ends[1][1],
                "best": group["y"].max(),
            }
        )
    return Relation(runs, pd.DataFrame(rows), rank_correlation(runs["x"], runs["y"]))


def rank_correlation(first: pd.Series, second: pd.Series) -> float:
    """Spearman's correlation; NaN for fewer than 3 pairs or a constant series."""
    both = pd.DataFrame({"first": first, "second": second}).dropna()
    if len(both) < FEWEST or min(both.nunique()) < 2:
        return math.nan
    return float(both["first"].corr(both["second"], method="spearman"))


def total_correlation(table: pd.DataFrame, *, data: str | None = None) -> pd.DataFrame:
    """Returns the total correlation of mean and of sampled codes against strength.

    It is that of a Gaussian with the covariance of the codes, in nats (the score of
    `metrics.unsupervised_scores`): figures 3 and 4 of the study of 2019, in which it
    falls with the strength for sampled codes and need not for mean codes.

    Args:
        table: Results of a study.
        data: A data set; None is the only one.

    Returns:
        representation, method, strength and the columns of `statistics.summary`.

    Raises:
        ArgumentError: If it was not computed ("unsupervised" is its metric).
    """
    rows = of_data(table, data)
    named = rows[rows["metric"] == "unsupervised"]
    remedy = "Score with --metrics=unsupervised, also with --sampled."
    require(len(named), "table", "have the metric unsupervised", "none", remedy)
    kinds = [
        name for name in ("mean", "sampled") if name in set(named["representation"])
    ]
    return pd.concat(
        [
            by_strength(rows, "unsupervised", representation=kind).assign(
                representation=kind
            )
            for kind in kinds
        ],
        ignore_index=True,
    )


def efficiency(
    table: pd.DataFrame,
    metric: str,
    *,
    small: int = _SMALL,
    large: int = _LARGE,
    data: str | None = None,
    representation: str = "mean",
    protocol: str | None = None,
) -> Relation:
    """Sets the sample efficiency of codes against a score of their disentanglement.

    efficiency = accuracy from `small` samples / accuracy from `large` samples

    of classifiers that predict the factors from the codes (`metrics.downstream_scores`,
    of which the study trains gradient boosting and logistic regression: the protocol
    tells which).

    Args:
        table: Results of a study.
        metric: The score, on the x axis.
        small: Samples, one of the sizes that were computed.
        large: The same.
        data: A data set; None is the only one.
        representation: Of the codes that were scored.
        protocol: Of the classifiers; None is the only one.

    Raises:
        ArgumentError: If no run has the score and both accuracies.

    References:
        Locatello et al. (2019), arXiv 1811.12359, section 5.7.
    """
    selected = {"data": data, "representation": representation}
    name = "downstream.by_size.{}".format
    ratio = values(table, name(small), protocol=protocol, **selected)
    below = values(table, name(large), protocol=protocol, **selected)
    below = ratio["run"].map(below.set_index("run")["value"])
    ratio["value"] = ratio["value"] / below.where(below > 0)
    rows = ratio.dropna(subset="value").assign(
        kind="score",
        metric="efficiency",
        protocol="",
        representation=representation,
    )
    together = pd.concat([of_data(table, data), rows.drop(columns="setting")])
    return score_against(together, "efficiency", metric, **selected)


def sweep(
    table: pd.DataFrame,
    binding: str,
    metrics: Sequence[str],
    *,
    data: str | None = None,
    representation: str = "mean",
) -> pd.DataFrame:
    """Returns scores and terms by the value of one binding, whatever else varies.

    Such are the sweep of a Student-t prior's degrees of freedom, and the sparsity
    (`hoyer_sparsity`), reconstruction and divergence against alpha of the decomposition.

    Args:
        table: Results of a study.
        binding: Name of the column, such as "student_t.df".
        metrics: Names of scores or terms.
        data: A data set; None is the only one.
        representation: Of the codes that were scored.

    Returns:
        metric, method, others (values of the other varied bindings, in words), binding
        and the columns of `statistics.summary`; runs without the binding are left out.

    Raises:
        ArgumentError: If the study varies no such binding, or a metric is missing.

    References:
        Mathieu et al. (2019), Disentangling Disentanglement, arXiv 1812.02833, figures
        2 and 4.
    """
    known = [str(name) for name in table.columns if "." in str(name)]
    require(binding in known, "binding", f"be one that varies: {known}", binding)
    first = of_data(table, data).drop_duplicates("run").set_index("run")
    first = first[first[binding].notna()]
    others = [name for name in known if name != binding]
    words = first[others].apply(_words, axis=1) if others else ""
    about = pd.DataFrame(
        {"binding": first[binding], "others": words}, index=first.index
    )
    found = []
    for metric in metrics:
        runs = values(table, metric, data=data, representation=representation)
        runs = runs[runs["run"].isin(about.index)].join(about, on="run")
        runs = runs.sort_values("binding", kind="stable")
        if len(runs):
            rows = summary(runs, ["method", "others", "binding"])
            found.append(rows.assign(metric=metric))
    require(found, "metrics", f"be known of a run with {binding}", list(metrics))
    result = pd.concat(found, ignore_index=True)
    return result[["metric", *(name for name in result if name != "metric")]]


def _words(row: pd.Series) -> str:
    known = row[row.notna()]
    return ", ".join(f"{name}={value}" for name, value in known.items())


@dataclasses.dataclass(frozen=True, eq=False)
class MethodScores:
    """The score of each method at its best strength: JointVAE's figure 6.

    Attributes:
        methods: method, strength, num, mean with its t interval low to high, deviation,
            best, of the runs that did not collapse; num_collapsed and mean_with_collapsed
            of the same setting; reason.
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
