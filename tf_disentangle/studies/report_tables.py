"""The tables of a study's page: what it is, its scores, what failed, how to repeat it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tf_disentangle.pages import html
from tf_disentangle.pages.html import Html
from tf_disentangle.studies import analysis
from tf_disentangle.studies.figures import parts
from tf_disentangle.studies.report_figures import scores_of

if TYPE_CHECKING:
    import pandas as pd

    from tf_disentangle.studies.about import About

# Values of an axis that are listed; of more the ends.
_MOST_VALUES = 12


def lead(about: About) -> str:
    """Returns in a sentence what the study is and how far it is."""
    total = sum(about.states.values())
    axes = [
        f"{len(values)} {_plural(name, len(values))}"
        for name, values in about.axes.items()
        if name in ("method", "data", "seed")
    ]
    others = [n for n, v in about.axes.items() if n not in ("method", "data", "seed") and len(v) > 1]
    varied = f", with other values of {', '.join(others)}" if others else ""
    done = about.states.get("done", 0)
    state = "All runs are done." if done == total else f"{done:,} of {total:,} runs are done."
    return html.escaped(f"{', '.join(axes)}{varied}: {total:,} runs. {state}")


def _plural(name: str, count: int) -> str:
    names = {"method": "methods", "data": "data sets", "seed": "seeds"}
    one = {"data": "data set"}.get(name, name)
    return one if count == 1 else names[name]


def facts(about: About, results: pd.DataFrame) -> str:
    """Returns the large numbers at the top."""
    total = sum(about.states.values())
    states = {
        name: f"{count:,}"
        for name, count in about.states.items()
        if count or name in ("done", "failed", "waiting")
    }
    states["done"] = f"{about.states.get('done', 0):,} of {total:,}"
    order = [n for n in ("done", "running", "partial", "waiting", "failed") if n in states]
    shown: dict[str, object] = {name: states[name] for name in order}
    shown["machine hours"] = html.number(about.hours, 3) or "0"
    shown["results"] = f"{len(results):,}"
    return html.facts(shown)


def study(about: About, results: pd.DataFrame) -> str:
    """Returns the axes, the exclusions and the versions."""
    rows: list[tuple[object, object]] = [
        (html.setting(name), _values(values)) for name, values in about.axes.items()
    ]
    for name in ("metrics", "representations"):
        if about.study.get(name):
            rows.append((name, ", ".join(about.study[name])))
    bindings = about.study.get("bindings") or {}
    rows += [(html.setting(name), value) for name, value in bindings.items()]
    if about.machines:
        rows.append(("machines", ", ".join(about.machines)))
    versions = ", ".join(f"{name} {value}" for name, value in about.versions.items())
    if versions:
        rows.append(("versions", versions))
    listed = html.table(("axis or setting", "values"), rows, stacked=True)
    return listed + _exclusions(results)


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
        f"<b>Exclusions.</b> {html.escaped(left.rule)} They are left out of "
        "\N{LEFT DOUBLE QUOTATION MARK}Each method at its best strength"
        "\N{RIGHT DOUBLE QUOTATION MARK} alone; all other figures and means have them."
    )
    refused = results[(results["kind"] == "score") & (results["reason"] != "")]
    if len(refused):
        names = refused.groupby("metric", sort=False)["run"].nunique()
        counts = ", ".join(f"{name} on {count} runs" for name, count in names.items())
        note += f" Metrics that gave no score take no part: {html.escaped(counts)}."
    if left.runs.empty:
        return f'<p class="note after">{note}</p>'
    rows = [
        (one.run, one.method, parts.number(one.strength), one.data, one.seed, one.reason)
        for one in left.runs.head(100).itertuples()
    ]
    header = ("run", "method", "strength", "data", "seed", "reason")
    listed = html.table(header, rows, numbers=(2, 4), stacked=True)
    summary = f"<summary>Which they are ({len(left.runs)})</summary>"
    return f'<p class="note after">{note}</p><details>{summary}{listed}</details>'


def scores(results: pd.DataFrame) -> str:
    """Returns the mean, interval and best of each score by method and strength."""
    found = scores_of(results)
    if not found:
        return "<p>No run is scored yet.</p>"
    note = (
        '<p class="note">Mean over seeds with its 95% t interval in brackets (none of '
        "one run), and the best run after it. Below a metric's name stand its floor and "
        "its ceiling. The greatest mean of a column is bold.</p>"
    )
    content = [note]
    sets = list(dict.fromkeys(score.data for score in found))
    for data in sets:
        own = [score for score in found if score.data == data]
        heading = f"<h3>{html.escaped(data)}</h3>" if len(sets) > 1 else ""
        content.append(heading + _score_table(own, results))
    return "\n".join(content)


def _score_table(found: Sequence, results: pd.DataFrame) -> str:
    """Returns the table of one data set."""
    header: list[object] = ["method"]
    cells: dict[tuple[str, float], dict[str, str]] = {}
    counts: dict[tuple[str, float], set[int]] = {}
    for score in found:
        header.append(_head(score))
        summary = analysis.by_strength(score.table, score.metric, data=score.data)
        greatest = summary["mean"].max()
        for one in summary.itertuples():
            key = (one.method, _key(one.strength))
            text = _cell(one, one.mean == greatest)
            cells.setdefault(key, {})[score.label] = text
            counts.setdefault(key, set()).add(int(one.num))
    rows = []
    for (method, strength), row in cells.items():
        number = parts.number(strength)
        name = html.escaped(f"{method} {number}".strip())
        seeds = counts[method, strength]
        shown = f"{min(seeds)}\N{EN DASH}{max(seeds)}" if len(seeds) > 1 else f"{seeds.pop()}"
        values = [Html(row.get(score.label, "\N{EN DASH}")) for score in found]
        rows.append((Html(name), shown, *values))
    del results
    return html.table([header[0], "runs", *header[1:]], rows, numbers=(1,), stacked=True)


def _key(strength: float) -> float | None:
    return None if strength is None or math.isnan(strength) else strength


def _head(score) -> Html:
    """Returns the name of a metric with its floor and ceiling."""
    bounds = analysis.bounds(score.table, score.metric, data=score.data)
    name = html.escaped(score.label.replace("_", " "))
    if bounds is None:
        return Html(name)
    ends = [
        html.number(low, 3) if low == high else f"{low:.3g}\N{EN DASH}{high:.3g}"
        for low, high in bounds.to_numpy()
    ]
    known = [end or "?" for end in ends]
    text = f"{known[0]} to {known[1]}"
    return Html(f'{name} <span class="unit">{text}</span>')


def _cell(one, is_greatest: bool) -> str:
    mean = html.number(one.mean, 3)
    mean = f"<b>{mean}</b>" if is_greatest else mean
    ends = ""
    if math.isfinite(one.low):
        ends = f" [{html.number(one.low, 3)}, {html.number(one.high, 3)}]"
    best = f"best {html.number(one.best, 3)}" if one.num > 1 else ""
    small = f'<small class="unit">{ends} {best}</small>' if ends or best else ""
    return f"{mean}{small}"


def failures(about: About) -> str:
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
        times = "once" if one.attempts == 1 else f"{one.attempts} times"
        head = f"{one.what} ({one.run}): failed {times}, {state}. {one.reason}"
        log = f"<pre><code>{html.escaped(one.log)}</code></pre>" if one.log else "<p>No log.</p>"
        content.append(f"<details><summary>{html.escaped(head)}</summary>{log}</details>")
    return "\n".join(content)


def again(about: About) -> str:
    """Returns the commands, and the configuration, by which the study is repeated."""
    folder = html.escaped(about.folder)
    commands = (
        f"bin/study status {folder}      # how far it is\n"
        f"bin/study retry {folder}       # failed runs may be tried again\n"
        f"bin/study report {folder}      # this page again\n"
        f"bin/study report {folder} --formats=pdf    # its figures as files too"
    )
    grid = about.study.get("grid")
    content = [f"<pre><code>{commands}</code></pre>"]
    if grid is not None:
        text = grid if isinstance(grid, str) else json.dumps(grid, indent=2)
        content.append(_folded("The grid", text))
    for name, text in about.configurations.items():
        content.append(_folded(f"What {name} comes to", text))
    return "\n".join(content)


def _folded(name: str, text: str) -> str:
    inner = f"<pre><code>{html.escaped(text)}</code></pre>"
    return f"<details><summary>{html.escaped(name)}</summary>{inner}</details>"
