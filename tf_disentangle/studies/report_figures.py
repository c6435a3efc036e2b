"""Which figures a report tries to draw, and what it says of those it cannot."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from tf_disentangle.checks import ArgumentError
from tf_disentangle.studies import figures, published
from tf_disentangle.studies.figures import parts
from tf_disentangle.studies.table import bindings_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: Panels that a section holds at most, all data sets together: a page of thousands of
#: runs stays below 5 MB and is made in 20 s.
MOST_PANELS = 12
# Of sections in which one or two metrics tell what there is to tell.
_FEW = 2
# Varied numbers of which sweeps are drawn.
_MOST_SWEPT = 3
# Terms and scores whose curves are drawn, if they are there.
_CURVES = ("reconstruction", "loss", "kl_term")
# Scores that no section but one of their own shows.
_APART = ("statistical_efficiency",)


@dataclasses.dataclass(frozen=True)
class Section:
    """A section of figures: its identifier, its heading, and how they are read."""

    name: str
    heading: str
    note: str


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A figure, or why there is none.

    Attributes:
        section: Identifier of its section.
        name: Of its file, without an ending; no two have the same.
        label: What it shows, for those who do not see it.
        data: The data set; "" if it is of all.
        source: Where it was printed; "" of our own.
        figure: The figure; None if it cannot be drawn.
        reason: Why not.
    """

    section: str
    name: str
    label: str
    data: str = ""
    source: str = ""
    figure: Figure | None = None
    reason: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class Score:
    """A metric on one data set, with the rows of one of its protocols alone.

    Attributes:
        metric: Its name.
        label: Its name, with the protocol if there are several.
        data: The data set.
        table: The results, without the metric's other protocols.
    """

    metric: str
    label: str
    data: str
    table: pd.DataFrame


_SINGLE: dict[str, tuple[Callable[..., Figure], str]] = {
    "spread": (figures.score_violins, "spread of {} by method"),
    "strength": (figures.score_against_strength, "{} against strength"),
    "reconstruction": (
        figures.score_against_reconstruction,
        "{} against the reconstruction error",
    ),
    "best": (figures.best_settings, "{} of each method at its best strength"),
    "iqm": (figures.interquartile_means, "interquartile mean of {} by method"),
    "pairs": (figures.paired_comparisons, "paired differences in {}"),
    "selection": (figures.selection, "{} of runs selected without labels"),
    "efficiency": (figures.efficiency, "statistical efficiency against {}"),
}
_FULL = ("spread", "strength", "reconstruction")
_OF_DATA: dict[str, tuple[str, Callable[..., Figure], str]] = {
    "variance": ("variance", figures.variance_shares, "share of variance"),
    "metrics": ("agreement", figures.metric_correlations, "correlations of metrics"),
    "unsupervised": (
        "unsupervised",
        figures.unsupervised_correlations,
        "correlations of unsupervised scores with metrics",
    ),
    "transfer_metrics": (
        "transfer",
        figures.transfer_across_metrics,
        "transfer of settings across metrics",
    ),
    "total_correlation": (
        "codes",
        figures.total_correlation,
        "total correlation of mean and sampled codes",
    ),
}

SECTIONS = (
    Section(
        "spread",
        "Scores by method",
        "Each point is a run, of any strength and seed; the bar is their mean, the "
        "star the best of them. An outline shows where runs are dense. In all figures "
        "dashed grey lines are the score's floor (codes of noise, or of an untrained "
        "encoder) and its ceiling (the factors themselves), bands where these differ "
        "between runs.",
    ),
    Section(
        "strength",
        "Scores against strength",
        "Points are runs, the line is their mean over seeds with its 95% interval, the "
        "star the best run.",
    ),
    Section(
        "reconstruction",
        "Scores against reconstruction",
        "Small points are runs, large ones means over seeds, one for each strength, "
        "with 95% intervals both ways. Up and to the left is better.",
    ),
    Section(
        "best",
        "Each method at its best strength",
        "Diamonds are means over seeds with 95% intervals, stars best runs. The "
        "strength is chosen by the same score, which flatters methods with many "
        "strengths. Collapsed runs are left out and named.",
    ),
    Section(
        "iqm",
        "Interquartile means",
        "The mean of the middle half of all runs of a method, which one lucky run does "
        "not move, with its bootstrap interval from ten runs on.",
    ),
    Section(
        "pairs",
        "Is one method better than another?",
        "Differences of runs of the same seed, each method at its best strength. P is "
        "the probability that a run of the first is better than one of the second. "
        "With fewer than ten seeds there is no interval, and none is made up.",
    ),
    Section(
        "variance",
        "What decides a score?",
        "How much of the variance over runs the objective explains, how much its "
        "strength beyond that; the rest is the seed's.",
    ),
    Section(
        "agreement",
        "Do the metrics agree?",
        "Rank correlations over runs, in hundredths; 100 means that two metrics order "
        "the runs alike.",
    ),
    Section(
        "unsupervised",
        "Can one choose without labels?",
        "Rank correlations over runs, in hundredths, of what needs no factors with the "
        "metrics.",
    ),
    Section(
        "selection",
        "Selection without labels",
        "Of each method's runs UDR and others select one without factors. Its score "
        "lies between the mean of all, which chance gives, and the best run's, which "
        "an oracle would find.",
    ),
    Section(
        "transfer",
        "Do settings transfer?",
        "Rank correlations of the settings' mean scores, in hundredths, between data "
        "sets and between metrics.",
    ),
    Section(
        "codes",
        "Mean and sampled codes",
        "A factorised aggregate posterior says little about the means, which are what "
        "is used as a representation.",
    ),
    Section(
        "efficiency",
        "Does disentanglement save labels?",
        "Each point is a run: accuracy after few labelled images divided by that after "
        "many.",
    ),
    Section("sweeps", "Sweeps", "Means over seeds with 95% intervals."),
    Section(
        "training",
        "Training",
        "Means over seeds with 95% intervals; of each method its best strength.",
    ),
)


def draw(table: pd.DataFrame, curves: pd.DataFrame) -> Iterator[Drawn]:
    """Yields every figure of a report, and the reason for each that cannot be drawn.

    Args:
        table: Results of a study; may be empty.
        curves: Its curves.
    """
    scores = scores_of(table)
    for section, (function, label) in _SINGLE.items():
        if not scores:
            reason = "No run has a score of mean codes that needs the factors."
            yield Drawn(section, section, label.format("scores"), reason=reason)
        most = MOST_PANELS if section in _FULL else _FEW
        chosen = _spread_over_data(scores, most)
        for score in chosen:
            call = functools.partial(function, score.table, score.metric)
            text = label.format(f"{score.label} on {score.data}")
            yield _tried(section, f"{score.label}_{score.data}", text, call, score.data)
        if left := [s for s in scores if s not in chosen]:
            names = ", ".join(f"{s.label} on {s.data}" for s in left)
            reason = (
                f"The page has {most} figures of this kind at most; --metrics says "
                "which metrics come first."
            )
            yield Drawn(
                section, f"{section}_rest", f"{names}: {section}", reason=reason
            )
    for name, (section, function, label) in _OF_DATA.items():
        for data in table["data"].unique():
            call = functools.partial(function, table)
            yield _tried(section, f"{name}_{data}", f"{label} on {data}", call, data)
    yield from _across_data(table, scores)
    yield from _published(table)
    yield from _sweeps(table, scores)
    yield from _curves(table, curves, scores)


def _tried(
    section: str, name: str, label: str, call: Callable[..., Figure], data: str = ""
) -> Drawn:
    """Draws a figure, or says why it cannot be."""
    name = "".join(c if c.isalnum() else "_" for c in f"{section}_{name}").strip("_")
    try:
        figure = call(data=data) if data else call()
    except ArgumentError as error:
        return Drawn(section, name, label, data, reason=str(error))
    return Drawn(section, name, label, data, figure=figure)


def scores_of(table: pd.DataFrame) -> list[Score]:
    """Returns what can be drawn alone: each metric and protocol on each data set."""
    rows = table[(table["kind"] == "score") & (table["representation"] == "mean")]
    rows = rows[~rows["metric"].str.contains(".", regex=False)]
    rows = rows[~rows["metric"].isin(_APART) & rows["value"].notna()]
    found = []
    for data, own in rows.groupby("data", sort=False):
        for metric, values in own.groupby("metric", sort=False):
            protocols = values["protocol"].unique()
            for protocol in protocols:
                other = (table["metric"] == metric) & (table["protocol"] != protocol)
                label = f"{metric} ({protocol})" if len(protocols) > 1 else metric
                view = table[~other] if len(protocols) > 1 else table
                found.append(Score(metric, label, data, view))
    return found


def _spread_over_data(scores: Sequence[Score], most: int) -> list[Score]:
    """Returns the first metrics of each data set, `most` panels at most."""
    by_data: dict[str, list[Score]] = {}
    for score in scores:
        by_data.setdefault(score.data, []).append(score)
    each = max(1, most // max(1, len(by_data)))
    return [score for own in by_data.values() for score in own[:each]][:most]


def _across_data(table: pd.DataFrame, scores: Sequence[Score]) -> Iterator[Drawn]:
    """Yields for each metric how settings transfer between data sets."""
    metrics = list(dict.fromkeys(score.metric for score in scores))
    if table["data"].nunique() < 2:
        reason = "The study has one data set."
        label = "transfer of settings across data sets"
        yield Drawn("transfer", "transfer_data", label, reason=reason)
        return
    for metric in metrics[:MOST_PANELS]:
        label = f"transfer of {metric} across data sets"
        call = functools.partial(figures.transfer_across_data, table, metric)
        yield _tried("transfer", f"data_{metric}", label, call)


def _published(table: pd.DataFrame) -> Iterator[Drawn]:
    """Yields the printed tables that have at least two of the study's metrics."""
    known = set(table.loc[table["kind"] == "score", "metric"])
    sections = {
        published.METRICS_AGREE: "agreement",
        published.UNSUPERVISED: "unsupervised",
        published.TRANSFER: "transfer",
    }
    for printed, section in sections.items():
        enough = len(known & {*printed.columns, printed.metric})
        if enough < (1 if printed.metric else 2):
            continue
        of = printed.data or parts.short(printed.metric)
        figure = figures.published_correlations(printed)
        label = f"published, {of}: {printed.title}"
        source = f"Published: {of}; {printed.source}"
        yield Drawn(
            section, f"{section}_published", label, source=source, figure=figure
        )


def _sweeps(table: pd.DataFrame, scores: Sequence[Score]) -> Iterator[Drawn]:
    """Yields scores, sparsity and reconstruction against numbers that vary."""
    wanted = list(dict.fromkeys([s.metric for s in scores[:2]]))
    terms = set(table["metric"])
    wanted += [n for n in ("hoyer_sparsity", "reconstruction") if n in terms]
    varied = [name for name in bindings_of(table) if _is_varied_number(table[name])]
    if not varied or len(varied) > _MOST_SWEPT:
        reason = (
            f"{len(varied)} bindings vary as numbers; sweeps are drawn of 1 to "
            f"{_MOST_SWEPT}. For one strength a method see the scores against strength."
        )
        yield Drawn("sweeps", "sweeps", "sweeps of bindings", reason=reason)
        return
    for binding in varied:
        for data in table["data"].unique()[:_FEW]:
            for metric in dict.fromkeys(wanted):
                label = f"{metric} on {data} against {binding}"
                call = functools.partial(figures.sweep, table, binding, metric)
                name = f"{binding}_{metric}_{data}"
                yield _tried("sweeps", name, label, call, data)


def _is_varied_number(values: pd.Series) -> bool:
    known = values.dropna()
    is_number = known.map(lambda v: isinstance(v, int | float) and v is not True)
    return bool(len(known)) and bool(is_number.all()) and known.nunique() > 1


def _curves(
    table: pd.DataFrame, curves: pd.DataFrame, scores: Sequence[Score]
) -> Iterator[Drawn]:
    """Yields curves of the usual terms, and of scores that were taken on the way."""
    known = set(curves["metric"])
    names = [name for name in _CURVES if name in known]
    names += list(dict.fromkeys(s.metric for s in scores if s.metric in known))
    for data in table["data"].unique():
        for metric in names[: max(2, MOST_PANELS // table["data"].nunique())]:
            label = f"{metric} on {data} over training"
            call = functools.partial(
                figures.curves_over_training, table, curves, metric
            )
            yield _tried("training", f"{metric}_{data}", label, call, data)
