"""Rank correlations: of metrics, of unsupervised scores, of settings.

Spearman's rank correlation, with the mean rank for ties, over all runs of one data set
(all methods, strengths and seeds), as in the study of 2019; or over the mean scores of
the settings, where the question is whether a setting that is good here is good there. A
value is NaN where a score is the same for all, or fewer than `FEWEST` of them have both
scores.

References:
    Locatello et al. (2019), Challenging Common Assumptions, arXiv 1811.12359, sections
    5.3, 5.5 and 5.6.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from tf_disentangle.checks import NOTHING, require
from tf_disentangle.studies.analysis.selection import (
    EVERY_LATENT,
    SETTING,
    of_data,
    scores,
    values,
)

#: Runs, or settings, that a rank correlation needs at least.
FEWEST = 3
_DOWNSTREAM = ("downstream", "statistical_efficiency", "strong_downstream")
_BY_SIZE = "downstream.by_size."
_TERMS = ("reconstruction", "total_correlation", "kl_term", "elbo")


def metric_correlations(
    table: pd.DataFrame, *, data: str | None = None, representation: str = "mean"
) -> pd.DataFrame:
    """Returns the rank correlation of each metric with each other over runs.

    Args:
        table: Results of a study.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.

    Returns:
        A square table by metric, in [-1, 1]; NaN where it is not defined.

    Raises:
        ArgumentError: If there are fewer than two metrics or `FEWEST` runs.
    """
    wide = scores(table, data=data, representation=representation)
    require(wide.shape[1] >= 2, "table", "have two metrics", list(wide.columns))
    _require_runs(wide)
    return wide.corr(method="spearman", min_periods=FEWEST)


def unsupervised_correlations(
    table: pd.DataFrame, *, data: str | None = None, representation: str = "mean"
) -> pd.DataFrame:
    """Returns the rank correlation of unsupervised scores with each metric over runs.

    The rows are the reconstruction error, the KL term, the ELBO and the total
    correlation of sampled codes on held-out images, and every unsupervised metric; the
    Gaussian total correlation is that of sampled codes, where they were scored. Lower
    is considered better for the reconstruction error, the KL and the total
    correlations, and higher for the ELBO. No sign is turned for that: each correlation
    is that of the number itself.

    Args:
        table: Results of a study.
        data: A data set; None is the only one.
        representation: The kind of codes that the metrics scored.

    Returns:
        Rows by unsupervised score, columns by metric, in [-1, 1].

    Raises:
        ArgumentError: If there is no metric, nothing unsupervised, or fewer than
            `FEWEST` runs.
    """
    wide = scores(table, data=data, representation=representation)
    require(wide.shape[1], "table", "have a score that needs the factors", NOTHING)
    _require_runs(wide)
    known = unsupervised(table, data=data, representation=representation)
    require(known.shape[1], "table", "have an unsupervised score", NOTHING)
    both = known.add_prefix("u:").join(wide)
    found = both.corr(method="spearman", min_periods=FEWEST)
    found = found.loc[[f"u:{name}" for name in known.columns], list(wide.columns)]
    return found.rename(index=lambda name: name.removeprefix("u:"))


def unsupervised(
    table: pd.DataFrame, *, data: str | None = None, representation: str = "mean"
) -> pd.DataFrame:
    """Returns what is known about each run without its factors, a column for each."""
    options = {"data": data}
    # A method's runs are all scored by UDR in one way, and compared with each other.
    protocols = table["protocol"].astype(str).str.removesuffix(EVERY_LATENT)
    table = table.assign(protocol=protocols)
    terms = scores(table, kind="held_out", **options)
    terms = terms[[name for name in _TERMS if name in terms]]
    own = scores(table, kind="unsupervised", representation=representation, **options)
    sampled = scores(table, kind="unsupervised", representation="sampled", **options)
    own = own.loc[:, own.notna().any()].copy()
    if "unsupervised" in sampled and sampled["unsupervised"].notna().any():
        own["unsupervised"] = sampled["unsupervised"]
    own = own.rename(columns={"unsupervised": "gaussian_total_correlation"})
    return terms.join(own)


def downstream_correlations(
    table: pd.DataFrame,
    *,
    data: str | None = None,
    representation: str = "mean",
    protocol: str | None = None,
) -> pd.DataFrame:
    """Returns the rank correlation of each metric with what classifiers learn.

    Do codes that are more disentangled need fewer samples? The rows are the accuracies
    of classifiers of the factors from n samples (`metrics.downstream_scores`), and the
    `sample_efficiency`.

    Args:
        table: Results of a study.
        data: A data set; None is the only one.
        representation: The kind of codes.
        protocol: Protocol of the classifiers; None is the only one.

    Returns:
        Rows "10 samples", ..., "efficiency"; columns by metric, in [-1, 1].

    Raises:
        ArgumentError: If there is no metric, no such accuracy, or fewer than `FEWEST`
            runs.
    """
    selected: dict[str, Any] = {"data": data, "representation": representation}
    wide = scores(table, **selected).droplevel([*SETTING, "seed"])
    names = [n for n in wide.columns if not str(n).startswith(_DOWNSTREAM)]
    require(names, "table", "have a metric besides those of downstream tasks", NOTHING)
    _require_runs(wide)
    options: dict[str, Any] = {**selected, "protocol": protocol}
    rows = {
        f"{size} samples": values(table, f"{_BY_SIZE}{size}", **options)
        for size in _sizes(of_data(table, data))
    }
    rows["efficiency"] = sample_efficiency(table, **options)
    known = {name: runs.set_index("run")["value"] for name, runs in rows.items()}
    found = wide[names].join(pd.DataFrame(known))
    return found.corr(method="spearman", min_periods=FEWEST).loc[list(rows), names]


def sample_efficiency(
    table: pd.DataFrame, sizes: tuple[int, int] | None = None, **selected: Any
) -> pd.DataFrame:
    """Returns the sample efficiency of classifiers of the factors for each run.

    efficiency = accuracy from few samples / accuracy from many samples

    Args:
        table: Results of a study.
        sizes: The small and the large number; None takes 100 and 10,000, or else the
            fewest and the most that were computed.
        **selected: Options of `values`: data, representation, protocol.

    Returns:
        As `values`, without runs whose accuracy is 0.

    Raises:
        ArgumentError: If an accuracy was not computed.
    """
    known = _sizes(of_data(table, selected.get("data")))
    usual = {100, 10_000} <= set(known)
    few, many = sizes or ((100, 10_000) if usual else (known[0], known[-1]))
    runs = values(table, f"{_BY_SIZE}{few}", **selected)
    most = values(table, f"{_BY_SIZE}{many}", **selected).set_index("run")["value"]
    runs["value"] /= runs["run"].map(most.where(most > 0))
    return runs.dropna(subset="value").reset_index(drop=True)


def _sizes(table: pd.DataFrame) -> list[int]:
    """Numbers of samples that classifiers learned from."""
    names = [n for n in table["metric"].unique() if n.startswith(_BY_SIZE)]
    remedy = "Score with --metrics=downstream."
    require(names, "table", "have the metric downstream", NOTHING, remedy)
    return sorted(int(name.removeprefix(_BY_SIZE)) for name in names)


def transfer_across_data(
    table: pd.DataFrame, metric: str, *, representation: str = "mean"
) -> pd.DataFrame:
    """Returns whether settings that are good for one data set are good for another.

    Args:
        table: Results of a study.
        metric: The score.
        representation: The kind of codes that were scored.

    Returns:
        A square table by data set: the rank correlation over settings of their mean
        scores over seeds, of those that both have.

    Raises:
        ArgumentError: If there are fewer than two data sets.
    """
    names = list(table["data"].unique())
    remedy = "Run the study on another data set too."
    require(len(names) >= 2, "table", "have two data sets", names, remedy)
    means = {}
    for name in names:
        rows = of_data(table, name)
        if metric in set(rows["metric"]):
            runs = values(rows, metric, representation=representation)
            means[name] = runs.groupby(SETTING)["value"].mean()
    rule = f"have {metric} on two data sets"
    require(len(means) >= 2, "table", rule, list(means))
    return pd.DataFrame(means).corr(method="spearman", min_periods=FEWEST)


def transfer_across_metrics(
    table: pd.DataFrame, *, data: str | None = None, representation: str = "mean"
) -> pd.DataFrame:
    """Returns whether settings that are good by one metric are good by another.

    Args:
        table: Results of a study.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.

    Returns:
        A square table by metric: the rank correlation over settings of their mean
        scores over seeds.

    Raises:
        ArgumentError: If there are fewer than two metrics.
    """
    wide = scores(table, data=data, representation=representation)
    require(wide.shape[1] >= 2, "table", "have two metrics", list(wide.columns))
    means = wide.groupby(level=SETTING).mean()
    return means.corr(method="spearman", min_periods=FEWEST)


def _require_runs(wide: pd.DataFrame) -> None:
    rule = f"have at least {FEWEST} runs of one data set"
    require(len(wide) >= FEWEST, "table", rule, len(wide), "Add seeds or strengths.")
