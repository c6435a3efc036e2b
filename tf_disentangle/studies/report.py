"""One self-contained page about a study: what it is, its scores, figures and failures.

It can be made at any time, also while the study runs: it shows the runs that are done
by then, and says how many are not.
"""

from __future__ import annotations

import collections
import os
import pathlib
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from tf_disentangle import files, visualization
from tf_disentangle.checks import nearest, require
from tf_disentangle.pages import html
from tf_disentangle.pages.html import Html
from tf_disentangle.studies import report_comparison, report_tables, table
from tf_disentangle.studies.record import StudyRecord, read_record
from tf_disentangle.studies.report_figures import SECTIONS, ReportFigure, Section, draw

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("svg", "pdf", "png")
# A wider figure has the page's whole width, and is scrolled on a phone.
_WIDE = 4.2


def write_report(
    folder: str | os.PathLike,
    output: str | os.PathLike | None = None,
    *,
    formats: Collection[str] = (),
    metrics: Sequence[str] | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> pathlib.Path:
    """Writes the page of a study, and its figures as files if wanted.

    Args:
        folder: The study's folder.
        output: The page; None is report.html in the folder.
        formats: Any of "svg", "pdf" and "png": each figure is also written in these
            formats, into the folder "figures" beside the page.
        metrics: The metrics that come first where a page has no room for all; None
            keeps the order of the table.
        progress: Called with what is being done.

    Returns:
        The path of the page.

    Raises:
        ArgumentError: If the folder holds no study, or a metric is unknown.
    """
    for form in formats:
        require(form in FORMATS, "formats", f"be of {', '.join(FORMATS)}", form)
    progress("Collecting the results")
    results = _in_order(table.collect(folder), metrics)
    curves = table.read_curves(folder)
    about = read_record(folder)
    target = pathlib.Path(output) if output else pathlib.Path(folder) / "report.html"
    drawn = []
    for number, one in enumerate(draw(results, curves), 1):
        progress(f"Figure {number}: {one.label}")
        drawn.append(one)
        for form in formats if one.figure else ():
            path = target.parent / "figures" / f"{one.name}.{form}"
            visualization.save(one.figure, path)
    with files.replacing(target) as temporary:
        temporary.write_text(report_page(about, results, drawn), encoding="utf-8")
    return target


def report_page(
    about: StudyRecord, results: pd.DataFrame, drawn: Sequence[ReportFigure]
) -> str:
    """Returns the page of a study, which refers to no other file.

    Args:
        about: What is known of the study.
        results: Its table.
        drawn: Its figures, and those that cannot be drawn.
    """
    sections = {
        "study": ("The study", report_tables.study(about, results)),
        "scores": ("Scores", report_tables.scores(results)),
        **{each.name: (each.heading, _figures(each, drawn)) for each in SECTIONS},
        "missing": ("Figures that are not here", _missing(drawn)),
        "failures": ("Failures", report_tables.failures(about)),
        "again": ("How to make it again", report_tables.again(about)),
    }
    heading, content = sections["transfer"]
    sections["transfer"] = (heading, content + report_tables.transfer(results))
    shown = {name: part for name, part in sections.items() if part[1]}
    said = " ".join(report_comparison.sentences(results))
    answer = f"<p><strong>{html.escaped(said)}</strong></p>" if said else ""
    body = (
        answer
        + report_tables.facts(about, results)
        + "\n".join(
            html.section(name, heading, content)
            for name, (heading, content) in shown.items()
        )
    )
    links = {name: heading for name, (heading, _) in shown.items()}
    lead = report_tables.lead(about)
    return html.document(f"Study {about.name}", lead, body, links)


def _in_order(results: pd.DataFrame, metrics: Sequence[str] | None) -> pd.DataFrame:
    """Returns the rows with those of some metrics first."""
    if metrics is None:
        return results
    known = results.loc[results["kind"] == "score", "metric"].unique()
    for name in metrics:
        rule = "name scores of the study"
        require(name in known, "metrics", rule, name, nearest(name, known))
    place = {name: number for number, name in enumerate(metrics)}
    order = results["metric"].map(place).fillna(len(place))
    return results.loc[order.sort_values(kind="stable").index].reset_index(drop=True)


def _figures(section: Section, drawn: Sequence[ReportFigure]) -> str:
    """Returns the figures of a section, those of each data set together."""
    own = [each for each in drawn if each.section == section.name and each.figure]
    if not own:
        return ""
    parts = [f'<p class="note">{html.escaped(section.note)}</p>']
    counts = collections.Counter(each.data for each in own)
    several = len([data for data in counts if data]) > 1
    if not several or max(counts[data] for data in counts if data) == 1:
        plots = "".join(_plot(each, each.data if several else "") for each in own)
        return f'{parts[0]}\n<div class="plots">{plots}</div>'
    for data in counts:
        if data:
            parts.append(f"<h3>{html.escaped(data)}</h3>")
        plots = "".join(_plot(each) for each in own if each.data == data)
        parts.append(f'<div class="plots">{plots}</div>')
    return "\n".join(parts)


def _plot(drawn: ReportFigure, data: str = "") -> str:
    """Returns one figure in the page's colours; a wide one can be scrolled."""
    figure = drawn.figure
    if figure is None:
        return ""
    wide = figure.get_size_inches()[0] > _WIDE
    about = drawn.source or data
    caption = f'<p class="note">{html.escaped(about)}</p>' if about else ""
    chart = html.chart(figure, drawn.label)
    if wide:
        label = html.escaped(drawn.label)
        chart = (
            f'<div class="scroll" tabindex="0" role="group" aria-label="{label}, '
            f'to be scrolled">{chart}</div>'
        )
    return f'<div class="{"wide plot" if wide else "plot"}">{chart}{caption}</div>'


def _missing(drawn: Sequence[ReportFigure]) -> str:
    """Returns the folded list of what cannot be drawn, with the reasons."""
    missing = [each for each in drawn if each.figure is None]
    if not missing:
        return ""
    headings = {each.name: each.heading for each in SECTIONS}
    rows = [
        (Html(html.escaped(headings[each.section])), each.label, each.reason)
        for each in missing
    ]
    header = ("section", "figure", "why it is not here")
    listed = html.table(header, rows, stacked=True)
    count = f"{len(missing)} figure{'s' if len(missing) > 1 else ''}"
    return f"<details><summary>{count}, with the reasons</summary>{listed}</details>"
