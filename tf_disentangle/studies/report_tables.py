"""The tables of a study's page: what it is, its scores, failures, how to repeat it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tf_disentangle.checks import ArgumentError
from tf_disentangle.pages import html
from tf_disentangle.pages.html import Html
from tf_disentangle.studies import analysis
from tf_disentangle.studies.figures import parts
from tf_disentangle.studies.figures.settings import settings_of
from tf_disentangle.studies.report_scores import APART, Score, scores_of

if TYPE_CHECKING:
    import pandas as pd

    from tf_disentangle.studies.record import StudyRecord

# How many values of an axis are listed; if there are more, only the ends.
_MOST_VALUES = 12
_COUNTED = {
    "method": ("method", "methods"),
    "data": ("data set", "data sets"),
    "seed": ("seed", "seeds"),
}
_ORDER = ("done", "running", "partial", "waiting", "failed")


def lead(about: StudyRecord) -> str:
    """Returns in a sentence what the study is and how far it has got."""
    total, done = sum(about.states.values()), about.states.get("done", 0)
    counts = [
        f"{len(values)} {names[len(values) > 1]}"
        for name, names in _COUNTED.items()
        if (values := about.axes.get(name))
    ]
    others = [n for n, v in about.axes.items() if n not in _COUNTED and len(v) > 1]
    varied = f" and values of {', '.join(others)}" if others else ""
    state = "All are done." if done == total else f"{done:,} are done."
    return html.escaped(f"{', '.join(counts)}{varied}: {total:,} runs. {state}")


def facts(about: StudyRecord, results: pd.DataFrame) -> str:
    """Returns the large numbers at the top."""
    total = sum(about.states.values())
    shown: dict[str, object] = {}
    for name in _ORDER:
        count = about.states.get(name, 0)
        if count or name in ("done", "waiting", "failed"):
            shown[name] = f"{count:,}"
    shown["done"] = f"{shown['done']} of {total:,}"
    shown["machine hours"] = html.number(about.hours, 3) or "0"
    shown["rows of results"] = f"{len(results):,}"
    return html.facts(shown)


def study(about: StudyRecord, results: pd.DataFrame) -> str:
    """Returns the axes, the exclusions and the versions."""
    rows: list[tuple[object, object]] = [
        (html.setting(name), _values(values)) for name, values in about.axes.items()
    ]
    for name in ("metrics", "representations"):
        if about.study.get(name):
            rows.append((name, ", ".join(about.study[name])))
    if apart := _without_column(about, results):
        rows.append(("of these not in Scores", "; ".join(apart)))
    bindings = about.study.get("bindings") or {}
    rows += [(html.setting(name), value) for name, value in bindings.items()]
    if about.machines:
        rows.append(("machines", ", ".join(about.machines)))
    versions = ", ".join(f"{name} {value}" for name, value in about.versions.items())
    if versions:
        rows.append(("versions", versions))
    listed = html.table(("axis or setting", "values"), rows, stacked=True)
    return listed + _exclusions(results)


def _without_column(about: StudyRecord, results: pd.DataFrame) -> list[str]:
    """Returns the metrics that were asked for and have no column, with the reasons."""
    columns = {score.metric for score in scores_of(results)}
    kinds = results.drop_duplicates("metric").set_index("metric")["kind"]
    found = []
    for name in about.study.get("metrics") or ():
        reason = "no run has a score"
        if kinds.get(name) == "unsupervised":
            reason = "needs no factors, so that more is not better; in the table"
        elif name in APART:
            reason = "has figures of its own"
        if name not in columns:
            found.append(f"{name} ({reason})")
    return found


def _values(values: Sequence[str]) -> str:
    if len(values) <= _MOST_VALUES:
        return ", ".join(values)
    return f"{', '.join(values[:4])}, ..., {values[-1]} ({len(values)} values)"


def _exclusions(results: pd.DataFrame) -> str:
    """Returns the rule by which runs are left out, and which they are."""
    if results.empty:
        return ""
    left = analysis.exclude(results)
    note = (
        f"<b>Exclusions.</b> {html.escaped(left.rule)} Such runs are left out of "
        "\N{LEFT DOUBLE QUOTATION MARK}Each method at its best setting"
        "\N{RIGHT DOUBLE QUOTATION MARK} alone; all other figures and means have them."
    )
    refused = results[(results["kind"] == "score") & (results["reason"] != "")]
    if len(refused):
        names = refused.groupby("metric", sort=False)["run"].nunique()
        counts = ", ".join(f"{name} on {count} runs" for name, count in names.items())
        note += f" Metrics that gave no score take no part: {html.escaped(counts)}."
    if left.runs.empty:
        return f'<p class="note after">{note}</p>'
    names = settings_of(results)
    rows = [
        (one.run, names.name(one.method, one.setting), one.data, one.seed, one.reason)
        for one in left.runs.head(100).itertuples()
    ]
    header = ("run", "method", "data", "seed", "reason")
    listed = html.table(header, rows, numbers=(3,), stacked=True)
    summary = f"<summary>Which they are ({len(left.runs)})</summary>"
    return f'<p class="note after">{note}</p><details>{summary}{listed}</details>'


def scores(results: pd.DataFrame) -> str:
    """Returns the mean, interval and best of each score by setting."""
    found = scores_of(results)
    if not found:
        scored = (results["kind"] == "unsupervised").any()
        text = (
            "No metric of this study needs the factors, so that there is none of which "
            "more is better; what was measured is in the figures and in the table."
            if scored
            else "No run is scored yet."
        )
        return f"<p>{text}</p>"
    note = (
        '<p class="note">Mean over seeds with its 95% t interval in brackets (none of '
        "one run; of few runs it may pass what a score can be), and the best run after "
        "it. Below a metric's name stand its floor and ceiling. That a mean is greater "
        "than another shows no difference: the comparison below says which are shown."
        "</p>"
    )
    content = [note]
    sets = list(dict.fromkeys(score.data for score in found))
    for data in sets:
        own = [score for score in found if score.data == data]
        heading = f"<h3>{html.escaped(data)}</h3>" if len(sets) > 1 else ""
        content.append(heading + _score_table(own))
    return "\n".join(content)


def _score_table(found: Sequence[Score]) -> str:
    """Returns the table of one data set."""
    columns = []
    for score in found:
        cells = analysis.by_setting(score.table, score.metric, **score.selected)
        columns.append(
            {
                (one.method, one.setting): (one.num, _cell(one))
                for one in cells.itertuples()
            }
        )
    rows = []
    names = settings_of(found[0].table)
    for key in dict.fromkeys(key for column in columns for key in column):
        nums = sorted({column[key][0] for column in columns if key in column})
        shown = "\N{EN DASH}".join(str(num) for num in (*nums[:1], *nums[1:][-1:]))
        cells = [column.get(key, (0, Html("\N{EN DASH}")))[1] for column in columns]
        rows.append((names.name(*key), shown, *cells))
    header = ["method", "runs", *(_head(score) for score in found)]
    return html.table(header, rows, numbers=(1,), stacked=True)


def _head(score: Score) -> Html:
    """Returns the name of a metric with its floor and ceiling."""
    bounds = analysis.bounds(score.table, score.metric, **score.selected)
    name = html.escaped(parts.short(score.label))
    if bounds is None:
        return Html(name)
    floor, ceiling = (
        "\N{EN DASH}".join(dict.fromkeys(f"{end:.3g}" for end in ends))
        if math.isfinite(sum(ends))
        else "unknown"
        for ends in bounds[["low", "high"]].to_numpy()
    )
    return Html(f'{name} <small class="unit line">{floor} to {ceiling}</small>')


def _cell(one: Any) -> Html:
    """Returns a mean, its interval and the best run, each on its line."""
    small = [f"[{one.low:.3f}, {one.high:.3f}]"] if math.isfinite(one.low) else []
    small += [f"best {one.best:.3f}"] if one.num > 1 else []
    lines = "".join(f'<small class="unit line">{text}</small>' for text in small)
    return Html(f"{one.mean:.3f}{lines}".replace("-0.", "\N{MINUS SIGN}0."))


def transfer(results: pd.DataFrame) -> str:
    """Returns how often a chosen setting beats a random one: the study's table 2."""
    try:
        found = analysis.transfer_of_settings(results)
    except ArgumentError:
        return ""
    means = analysis.transfer_summary(found).dropna(how="all").dropna(axis=1, how="all")
    if means.empty:
        return ""
    note = (
        '<p class="note after">How often the setting that is best with one seed beats '
        "another one, drawn at random, with another seed: 50% is chance. The study of "
        "2019 has 80.7% on the same data set by the same metric, 54.9% where both "
        "differ (arXiv 1811.12359, section 5.6).</p>"
    )
    rows = [
        (name, *("\N{EN DASH}" if math.isnan(v) else f"{v:.1%}" for v in row))
        for name, *row in means.itertuples()
    ]
    header = ("tried on", *means.columns)
    return note + html.table(header, rows, numbers=range(1, len(header)), stacked=True)


def failures(about: StudyRecord) -> str:
    """Returns the failed runs with the ends of their logs."""
    if not about.failures:
        return ""
    content = [
        '<p class="note">Runs that failed; \N{LEFT DOUBLE QUOTATION MARK}given up'
        "\N{RIGHT DOUBLE QUOTATION MARK} is not tried again until "
        f"<code>bin/study retry {html.escaped(about.folder)}</code>.</p>"
    ]
    for one in about.failures:
        state = "given up" if one.final else "may be tried again"
        if one.alike:
            state += ", for it would fail the same way again: change its settings, in "
            state += "another study"
        times = "once" if one.attempts == 1 else f"{one.attempts} times"
        head = f"{one.what} ({one.run}): failed {times}, {state}. {one.reason}"
        content.append(_folded(head, one.log or "It wrote no log."))
    return "\n".join(content)


def again(about: StudyRecord) -> str:
    """Returns the commands, and the configuration, by which the study is repeated."""
    folder = html.escaped(about.folder)
    commands = (
        f"bin/study status {folder}      # how far it is\n"
        f"bin/study retry {folder}       # failed runs may be tried again\n"
        f"bin/study report {folder}      # this page again\n"
        f"bin/study report {folder} --formats=pdf    # its figures as files too"
    )
    grid = about.study.get("grid")
    if made_by := about.study.get("command"):
        commands = f"{html.escaped(made_by)}\n{commands}"
    content = [f'<pre tabindex="0"><code>{commands}</code></pre>']
    if grid is not None:
        text = grid if isinstance(grid, str) else json.dumps(grid, indent=2)
        content.append(_folded("The grid", text))
    for name, text in about.configurations.items():
        content.append(_folded(f"What {name} comes to", text))
    return "\n".join(content)


def _folded(name: str, text: str) -> str:
    inner = f'<pre tabindex="0"><code>{html.escaped(text)}</code></pre>'
    return f"<details><summary>{html.escaped(name)}</summary>{inner}</details>"
