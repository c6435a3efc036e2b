"""Which figures a report tries to draw, and what it says about those it cannot."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from tf_disentangle.checks import ArgumentError
from tf_disentangle.studies import figures, published
from tf_disentangle.studies.figures import parts
from tf_disentangle.studies.report_scores import Score, scores_of, suffix
from tf_disentangle.studies.table import bindings_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: Panels that a section holds at most, all data sets together: a page of thousands of
#: runs stays below 5 MB and is made in 20 s.
MOST_PANELS = 12
# Panels of sections in which one or two metrics tell all there is to tell.
_FEW = 2
# How many varied numbers have their sweeps drawn, at most.
_MOST_SWEPT = 3
# Terms and scores whose curves are drawn, if they are there.
_CURVES = ("reconstruction", "loss", "kl_term")


@dataclasses.dataclass(frozen=True)
class Section:
    """A section of figures: its identifier, its heading, and how they are read."""

    name: str
    heading: str
    note: str


@dataclasses.dataclass(frozen=True)
class ReportFigure:
    """A figure, or why there is none.

    Attributes:
        section: Identifier of its section.
        name: Name of its file, without an ending; no two have the same.
        label: What it shows, for readers who cannot see it.
        data: The data set; "" if it is of all.
        source: Where it was printed; "" for our own.
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


_SINGLE: dict[str, tuple[Callable[..., Figure], str]] = {
    "spread": (figures.score_violins, "spread of {} by method"),
    "strength": (figures.score_against_strength, "{} against strength"),
    "reconstruction": (
        figures.score_against_reconstruction,
        "{} against the reconstruction error",
    ),
    "best": (figures.best_settings, "{} of each method at its best setting"),
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
    "downstream": (
        "efficiency",
        figures.downstream_correlations,
        "correlations of classifiers on codes with metrics",
    ),
    "total_correlation": (
        "codes",
        figures.total_correlation,
        "total correlation of mean and sampled codes",
    ),
}

SECTIONS = (
    Section(
        "pairs",
        "Is one method better than another?",
        "Differences of runs of the same seed, each method at its best setting. P is "
        "the probability that a run of the first is better than one of the second. "
        "With fewer than ten seeds there is no interval, and none is made up.",
    ),
    Section(
        "spread",
        "Scores by method",
        "Each point is a run, of any setting and seed; the bar is their mean, the "
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
        "Small points are runs, large ones means over seeds, one for each setting, "
        "with 95% intervals both ways. Up and to the left is better.",
    ),
    Section(
        "best",
        "Each method at its best setting",
        "Diamonds are means over seeds with 95% intervals, stars best runs. The "
        "setting is chosen by the same score, which flatters methods with many "
        "settings. Collapsed runs are left out and named.",
    ),
    Section(
        "iqm",
        "Interquartile means",
        "The mean of the middle half of all runs of a method, which one lucky run does "
        "not move, with its bootstrap interval from ten runs on.",
    ),
    Section(
        "variance",
        "What decides a score?",
        "How much of the variance over runs the objective explains, how much its "
        "strength (its whole setting) beyond that; the rest is the seed's. Adjusted: "
        "what as many means would explain of mere noise is taken off. With few runs "
        "the shares are rough.",
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
        "many. The matrix has rank correlations over runs, in hundredths.",
    ),
    Section(
        "sweeps",
        "Sweeps",
        "Means over seeds with 95% intervals; stars are the best runs by a score.",
    ),
    Section(
        "training",
        "Training",
        "Means over seeds with 95% intervals: of a score each method's best setting, "
        "of a term its first and last.",
    ),
)


def draw(table: pd.DataFrame, curves: pd.DataFrame) -> Iterator[ReportFigure]:
    """Yields every figure of a report, and the reason for each that cannot be drawn.

    Args:
        table: Results of a study; may be empty.
        curves: Its curves.
    """
    scores = scores_of(table)
    kinds = list(dict.fromkeys(score.representation for score in scores)) or ["mean"]
    for section, (function, label) in _SINGLE.items():
        if not scores:
            reason = "No run has a score that needs the factors."
            yield ReportFigure(section, section, label.format("scores"), reason=reason)
        most = MOST_PANELS if section in _FULL else _FEW
        chosen = _spread_over_data(scores, most)
        for score in chosen:
            call = functools.partial(
                function,
                score.table,
                score.metric,
                representation=score.representation,
            )
            text = label.format(f"{score.label} on {score.data}")
            yield _tried(section, f"{score.label}_{score.data}", text, call, score.data)
        if left := [s for s in scores if s not in chosen]:
            names = ", ".join(f"{s.label} on {s.data}" for s in left)
            reason = (
                f"The page has {most} figures of this kind at most; --metrics says "
                "which metrics come first."
            )
            yield ReportFigure(
                section, f"{section}_rest", f"{names}: {section}", reason=reason
            )
    for name, (section, function, label) in _OF_DATA.items():
        for data, kind in itertools.product(table["data"].unique(), kinds):
            call, more = functools.partial(function, table), suffix(kind)
            if function is not figures.total_correlation:
                call = functools.partial(call, representation=kind)
            elif kind != kinds[0]:  # It is of both.
                continue
            text = f"{label} on {data}{more}"
            yield _tried(section, f"{name}_{data}{more}", text, call, data)
    yield from _across_data(table, scores)
    yield from _published(table)
    yield from _sweeps(table, scores)
    yield from _curves(table, curves, scores)


def _tried(
    section: str, name: str, label: str, call: Callable[..., Figure], data: str = ""
) -> ReportFigure:
    """Draws a figure, or says why it cannot be."""
    name = "".join(c if c.isalnum() else "_" for c in f"{section}_{name}").strip("_")
    try:
        figure = call(data=data) if data else call()
    except ArgumentError as error:
        return ReportFigure(section, name, label, data, reason=str(error))
    return ReportFigure(section, name, label, data, figure=figure)


def _spread_over_data(scores: Sequence[Score], most: int) -> list[Score]:
    """Returns the first metrics of each data set, `most` panels at most."""
    by_data: dict[str, list[Score]] = {}
    for score in scores:
        by_data.setdefault(score.data, []).append(score)
    each = max(1, most // max(1, len(by_data)))
    return [score for own in by_data.values() for score in own[:each]][:most]


def _across_data(
    table: pd.DataFrame, scores: Sequence[Score]
) -> Iterator[ReportFigure]:
    """Yields for each metric how settings transfer between data sets."""
    known = {(s.metric, s.representation): s for s in reversed(scores)}
    if table["data"].nunique() < 2:
        reason = "The study has one data set."
        label = "transfer of settings across data sets"
        yield ReportFigure("transfer", "transfer_data", label, reason=reason)
        return
    for metric, representation in list(reversed(known))[:MOST_PANELS]:
        text = metric + suffix(representation)
        call = functools.partial(
            figures.transfer_across_data, table, metric, representation=representation
        )
        yield _tried("transfer", f"data_{text}", f"transfer of {text}", call)


def _published(table: pd.DataFrame) -> Iterator[ReportFigure]:
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
        yield ReportFigure(
            section, f"{section}_published", label, source=source, figure=figure
        )


def _sweeps(table: pd.DataFrame, scores: Sequence[Score]) -> Iterator[ReportFigure]:
    """Yields scores, sparsity and reconstruction against numbers that vary."""
    tables = {s.metric: s.table for s in reversed(scores[:2])}
    wanted = list(dict.fromkeys([s.metric for s in scores[:2]]))
    terms = set(table["metric"])
    wanted += [n for n in ("hoyer_sparsity", "reconstruction") if n in terms]
    varied = [name for name in bindings_of(table) if _is_varied_number(table[name])]
    if not varied or len(varied) > _MOST_SWEPT:
        reason = (
            f"{len(varied)} bindings vary as numbers; sweeps are drawn of 1 to "
            f"{_MOST_SWEPT}. For one strength a method see the scores against strength."
        )
        yield ReportFigure("sweeps", "sweeps", "sweeps of bindings", reason=reason)
        return
    for binding in varied:
        for data in table["data"].unique()[:_FEW]:
            for metric in dict.fromkeys(wanted):
                label = f"{metric} on {data} against {binding}"
                call = functools.partial(
                    figures.sweep,
                    tables.get(metric, table),
                    binding,
                    metric,
                    representation=scores[0].representation if scores else "mean",
                )
                name = f"{binding}_{metric}_{data}"
                yield _tried("sweeps", name, label, call, data)


def _is_varied_number(values: pd.Series) -> bool:
    known = values.dropna()
    is_number = known.map(lambda v: isinstance(v, int | float) and v is not True)
    return bool(len(known)) and bool(is_number.all()) and known.nunique() > 1


def _curves(
    table: pd.DataFrame, curves: pd.DataFrame, scores: Sequence[Score]
) -> Iterator[ReportFigure]:
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
