"""Which rows of a study's table an analysis looks at, and which runs it leaves out.

Every analysis concerns one data set and one representation of the codes. A metric that
was computed with several of its own seeds counts once for each run, with their mean:
those seeds say how well one model was measured, and not how models differ.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

import numpy as np
import pandas as pd

from tf_disentangle.checks import NOTHING, ArgumentError, message, nearest, require

#: The columns that say which run a value belongs to.
RUN = ["run", "index", "method", "strength", "data", "seed"]
#: The columns that make a setting: runs of one data set that agree in both differ by
#: seed.
SETTING = ["method", "setting"]
#: What UDR's protocol adds where the KL of a run's latents is not known.
EVERY_LATENT = ", every latent"
#: The kinds in which a name is looked for; a held-out term comes before one of
#: training.
KINDS = ("score", "unsupervised", "held_out", "term")


@dataclasses.dataclass(frozen=True, eq=False)
class Exclusion:
    """A table without the runs that a rule leaves out.

    Attributes:
        table: The rows of all other runs.
        runs: The runs that were left out, a row for each, with the `reason`.
        rule: The rule, in words, with the number of runs that it left out.
    """

    table: pd.DataFrame
    runs: pd.DataFrame
    rule: str


def exclude(table: pd.DataFrame) -> Exclusion:
    """Leaves out runs that collapsed.

    The rule: a run has collapsed if no latent is active, that is, if
    KL(q(z_d|x) || p(z_d)) is at most 0.01 nats for each of them on held-out images
    ("active_latents" is 0). A run whose latents were not counted is not considered
    collapsed. A run whose loss is not finite has failed, and has no results.

    Args:
        table: Results of a study.
    """
    terms = table[table["kind"].isin(["held_out", "term"])]
    dead = terms[(terms["metric"] == "active_latents") & (terms["value"] == 0)]["run"]
    is_dead = table["run"].isin(dead)
    runs = table[is_dead].drop_duplicates("run").sort_values("index")
    runs = runs[RUN].assign(setting=setting_of(runs), reason="no latent is active")
    rule = (
        f"{len(runs)} of {table['run'].nunique()} runs left out, in which no latent is "
        "active (KL above 0.01 nats)."
    )
    kept = table[~is_dead].reset_index(drop=True)
    return Exclusion(kept, runs.reset_index(drop=True), rule)


def values(
    table: pd.DataFrame,
    metric: str,
    *,
    data: str | None = None,
    representation: str = "mean",
    protocol: str | None = None,
    kinds: Collection[str] = KINDS,
) -> pd.DataFrame:
    """Returns one value for each run: of a score, or of a term.

    Args:
        table: Results of a study.
        metric: Its name. A term is taken on held-out images if it is there, else in
            training.
        data: A data set; None is the only one.
        representation: "mean" or "sampled"; it has no meaning for terms.
        protocol: Protocol of the metric; None is the only one.
        kinds: Kinds in which the name is looked for, in this order.

    Returns:
        A row for each run, in the plan's order: run, index, method, strength, data,
        seed, setting, value. Values are finite; runs without one are missing.

    Raises:
        ArgumentError: If no run has such a value, or it is not said which of several
            data sets or protocols is meant.
    """
    right = _rows_of(table, metric, data, representation, protocol, kinds)
    require(len(right), "table", f"have a finite {metric} of a run", NOTHING)
    means = right.groupby("run", sort=False)["value"].mean()
    first = right.drop_duplicates("run").set_index("run", drop=False)
    runs = first[RUN].assign(setting=setting_of(first), value=means)
    return runs.sort_values("index").reset_index(drop=True)


def _rows_of(
    table: pd.DataFrame,
    metric: str,
    data: str | None,
    representation: str,
    protocol: str | None,
    kinds: Collection[str],
) -> pd.DataFrame:
    """Rows with a finite value, of one kind and protocol, as `values` has them."""
    rows = of_data(table, data)
    named = rows[rows["metric"] == metric]
    if named.empty:
        known = [name for name in rows["metric"].unique() if "." not in name]
        rule = "be a score or a term that the study has"
        raise ArgumentError(message("metric", rule, metric, nearest(metric, known)))
    right = named[named["representation"].isin([representation, ""])]
    kind = next((k for k in kinds if (right["kind"] == k).any()), None)
    found = list(named["representation"].unique())
    rule = f"be one for which {metric} was computed, of {found}"
    require(kind is not None, "representation", rule, representation)
    right = right[(right["kind"] == kind) & np.isfinite(right["value"])]
    alike = comparable(right["protocol"])
    protocols = list(alike.unique())
    if protocol is None:
        rule = f"name one of the protocols of {metric}: {protocols}"
        require(len(protocols) < 2, "protocol", rule, None)
        return right
    right = right[(alike == protocol) | (right["protocol"] == protocol)]
    require(len(right), "protocol", f"be one of {protocols}", protocol)
    return right


def comparable(protocols: pd.Series) -> pd.Series:
    """Returns protocols of one metric, equal where scores may be compared.

    If a model has no categorical latents, the protocol does not say how they were
    treated: "dlib" is the same as "dlib, categorical=as is" if all protocols
    that do say it say the same.
    """
    said = protocols.str.extract("(, categorical=[^,;]*)", expand=False)
    if said.nunique() != 1:
        return protocols
    without = protocols.str.replace(said.dropna().iloc[0], "", regex=False)
    return without if without.nunique() < protocols.nunique() else protocols


def setting_of(rows: pd.DataFrame) -> pd.Series:
    """Returns which values of the grid's bindings each row has, by their full names.

    Such as "chyvae.nu=200, train.batch_size=64". The strength does not say which
    binding it belongs to, so it cannot tell settings apart: it is only an axis of
    figures.
    """
    named = [str(name) for name in rows.columns if "." in str(name)]
    texts = [
        ", ".join(
            f"{name}={value}"
            for name, value in zip(named, values, strict=True)
            if not pd.isna(value)
        )
        for values in rows[named].itertuples(index=False, name=None)
    ]
    return pd.Series(texts, index=rows.index, dtype="str")


def of_data(table: pd.DataFrame, data: str | None = None) -> pd.DataFrame:
    """Returns the rows of one data set.

    Args:
        table: Results of a study.
        data: Its label; None is the only one.

    Raises:
        ArgumentError: If there is no row of it, or None is not enough to choose.
    """
    known = list(table["data"].unique())
    require(known, "table", "have results", NOTHING, "Wait until a run is done.")
    if data is None:
        rule = f"be one of {known}, since the study has several data sets"
        require(len(known) == 1, "data", rule, None)
        return table
    require(data in known, "data", f"be one of {known}", data)
    return table[table["data"] == data]


def scores(
    table: pd.DataFrame,
    *,
    data: str | None = None,
    representation: str = "mean",
    kind: str = "score",
) -> pd.DataFrame:
    """Returns the scores of each run side by side: a row per run, a column per metric.

    Only the main number of each metric is taken ("dci", not "dci.completeness"). A
    metric with several protocols has a column for each, "mig (dlib)".

    Args:
        table: Results of a study.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.
        kind: "score", or "unsupervised", "held_out", "term".

    Returns:
        Indexed by run, method, setting and seed; NaN where a run has no such score.

    Raises:
        ArgumentError: As `of_data`.
    """
    rows = of_data(table, data)
    rows = rows[(rows["kind"] == kind) & ~rows["metric"].str.contains(".", regex=False)]
    rows = rows[rows["representation"].isin([representation, ""])].reset_index(
        drop=True
    )
    known = rows[~rows["reason"].astype(bool)]
    for _, protocols in known.groupby("metric")["protocol"]:
        rows.loc[protocols.index, "protocol"] = comparable(protocols)
    several = rows.loc[known.index].groupby("metric")["protocol"].nunique()
    several = list(several[several > 1].index)
    # A refused run has no protocol, and its row of NaN comes back below.
    rows = rows[~(rows["metric"].isin(several) & rows["reason"].astype(bool))]
    name = rows["metric"].where(
        ~rows["metric"].isin(several), rows["metric"] + " (" + rows["protocol"] + ")"
    )
    rows = rows.assign(
        metric=name, value=rows["value"].where(np.isfinite(rows["value"]))
    )
    order = list(dict.fromkeys(rows["metric"]))
    wide = rows.pivot_table(
        index="run", columns="metric", values="value", aggfunc="mean", dropna=False
    )
    about = of_data(table, data).drop_duplicates("run").set_index("run")
    about = about.sort_values("index")
    wide = wide.reindex(index=about.index, columns=order)
    keys = about.assign(setting=setting_of(about)).reset_index()
    wide.index = pd.MultiIndex.from_frame(keys[["run", *SETTING, "seed"]])
    wide.columns.name = None
    return wide


def bounds(
    table: pd.DataFrame,
    metric: str,
    *,
    data: str | None = None,
    representation: str = "mean",
    protocol: str | None = None,
) -> pd.DataFrame | None:
    """Returns the ranges over runs of a score's floor and ceiling.

    Args:
        table: Results of a study.
        metric: The score; a term has none.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.
        protocol: Protocol of the metric; None is the only one.

    Returns:
        Rows "floor" and "ceiling", columns "low" and "high"; None if they were not
        computed.

    Raises:
        ArgumentError: As `values`.
    """
    rows = _rows_of(table, metric, data, representation, protocol, KINDS)
    found = rows[["floor", "ceiling"]]
    if not np.isfinite(found.to_numpy(float)).any():
        return None
    return pd.DataFrame({"low": found.min(), "high": found.max()})
