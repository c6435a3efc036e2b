"""Relates a score to something else: reconstruction, strength, samples, settings."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import pandas as pd

from tf_disentangle.checks import NOTHING, require
from tf_disentangle.studies.analysis.agreement import FEWEST, sample_efficiency
from tf_disentangle.studies.analysis.selection import (
    SETTING,
    of_data,
    values,
)
from tf_disentangle.studies.analysis.statistics import by_setting, summary, t_interval


@dataclasses.dataclass(frozen=True, eq=False)
class Relation:
    """Two numbers of each run, and of each setting.

    Attributes:
        runs: run, index, method, strength, data, seed, setting, x and y.
        cells: A row for each setting: method, setting, strength, num; x and y, their
            means over seeds; x_low, x_high, y_low, y_high, the 95% t intervals (NaN for
            one seed); best, the greatest y.
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
    """Relates a score to another number of the same run, such as the reconstruction.

    Figures 2 and 3 of CHyVAE and figure 3 of FactorVAE show the means of both over
    restarts, with intervals.

    Args:
        table: Results of a study.
        metric: The score on the y axis.
        other: The term or score on the x axis.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.

    Raises:
        ArgumentError: If no run has both.

    References:
        Ansari and Soh (2019), arXiv 1809.04497; Kim and Mnih (2018), arXiv 1802.05983.
    """
    selected = {"data": data, "representation": representation}
    y, x = values(table, metric, **selected), values(table, other, **selected)
    return _relation(x, y, f"have {metric} and {other} of one run")


def _relation(x: pd.DataFrame, y: pd.DataFrame, rule: str) -> Relation:
    """Relates the values of runs to others of the same runs."""
    x_of = x.set_index("run")["value"]
    runs = y.rename(columns={"value": "y"}).assign(x=y["run"].map(x_of))
    runs = runs.dropna(subset="x").reset_index(drop=True)
    require(len(runs), "table", rule, NOTHING)
    rows = []
    for key, group in runs.groupby(SETTING, sort=False):
        ends = [t_interval(group[name].to_numpy(float)) for name in ("x", "y")]
        rows.append(
            {
                **dict(zip(SETTING, key, strict=True)),
                "strength": group["strength"].iloc[0],
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
    falls with the strength for sampled codes but need not do so for mean codes.

    Args:
        table: Results of a study.
        data: A data set; None is the only one.

    Returns:
        representation and the columns of `statistics.by_setting`.

    Raises:
        ArgumentError: If it was not computed ("unsupervised" is its metric).
    """
    rows = of_data(table, data)
    named = rows[rows["metric"] == "unsupervised"]
    remedy = "Score with --metrics=unsupervised, also with --sampled."
    require(len(named), "table", "have the metric unsupervised", NOTHING, remedy)
    kinds = [
        name for name in ("mean", "sampled") if name in set(named["representation"])
    ]
    return pd.concat(
        [
            by_setting(rows, "unsupervised", representation=kind).assign(
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
    sizes: tuple[int, int] | None = None,
    data: str | None = None,
    representation: str = "mean",
    protocol: str | None = None,
) -> Relation:
    """Relates the sample efficiency of codes to a score of their disentanglement.

    Args:
        table: Results of a study.
        metric: The score, on the x axis.
        sizes: The small and the large number of samples, as for `sample_efficiency`.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.
        protocol: Protocol of the classifiers; None is the only one.

    Raises:
        ArgumentError: If no run has the score and both accuracies.

    References:
        Locatello et al. (2019), arXiv 1811.12359, section 5.7.
    """
    selected = {"data": data, "representation": representation}
    y = sample_efficiency(table, sizes, protocol=protocol, **selected)
    x = values(table, metric, **selected)
    return _relation(x, y, f"have {metric} and the efficiency of one run")


def sweep(
    table: pd.DataFrame,
    binding: str,
    metrics: Sequence[str],
    *,
    data: str | None = None,
    representation: str = "mean",
) -> pd.DataFrame:
    """Returns scores and terms by the value of one binding, whatever else varies.

    Examples are the sweep of a Student-t prior's degrees of freedom, and the sparsity
    (`hoyer_sparsity`), reconstruction and divergence against the decomposition's alpha.

    Args:
        table: Results of a study.
        binding: Name of the column, such as "student_t.df".
        metrics: Names of scores or terms.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.

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
    is_number = pd.api.types.is_numeric_dtype(first[binding])
    require(is_number, "binding", "be one whose values are numbers", binding)
    others = [n for n in known if n != binding and first[n].nunique(dropna=False) > 1]
    named = first[others].rename(columns=short_names(others))
    words = named.apply(_words, axis=1) if others else ""
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


def short_names(bindings: Sequence[str]) -> dict[str, str]:
    """Returns bindings without their configurables where that leaves no two alike."""
    last = {name: name.rsplit(".", 1)[-1] for name in bindings}
    known = list(last.values())
    return {
        name: text if known.count(text) == 1 else name for name, text in last.items()
    }


def _words(row: pd.Series) -> str:
    known = row[row.notna()]
    return ", ".join(f"{name}={value}" for name, value in known.items())
