"""One page that compares runs: settings, scores, curves and traversals side by side."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tf_disentangle import checks, files, visualization
from tf_disentangle.metrics.intervals import mean_interval
from tf_disentangle.pages import html, results
from tf_disentangle.pages.differences import (
    differing_layers,
    differing_settings,
    matched_latents,
    repeated_runs,
)
from tf_disentangle.pages.html import Html
from tf_disentangle.summary import summarize
from tf_disentangle.training.pictures import latent_annotations, make_plotter
from tf_disentangle.visualization.charts import COLOURS

if TYPE_CHECKING:
    from tf_disentangle.run import Run
    from tf_disentangle.training.kinds import FigureInputs

_SECTIONS = {
    "differences": "What differs",
    "scores": "Scores",
    "latents": "What each latent does",
    "curves": "Training",
}
_NUM_STEPS = 7
# The heading above the rows whose latents are unrelated.
_REST = (
    "<h3>Other latents</h3>Each run's own, in order of how much they move the image: "
    "what is side by side here need not be alike."
)
_ALL = _REST.replace("Other latents", "The latents")


@dataclasses.dataclass(frozen=True, eq=False)
class _Compared:
    """A run with what the page says of it.

    Attributes:
        run: The run.
        name: What it is called; no two are called the same.
        about: Its summary.
        rows: Its rows.
    """

    run: Run
    name: str
    about: Mapping[str, Any]
    rows: results.Rows


def write_comparison(runs: Sequence[Run], path: str | os.PathLike) -> pathlib.Path:
    """Writes the page that compares runs; see `comparison_page`.

    Args:
        runs: Two runs to six.
        path: The file.

    Returns:
        The path.
    """
    target, text = pathlib.Path(path), comparison_page(runs)
    with files.replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return target


def comparison_page(runs: Sequence[Run]) -> str:
    """Returns a self-contained HTML page that compares runs.

    Args:
        runs: Two runs to six, trained or loaded.

    Raises:
        ArgumentError: If there are fewer or more.
    """
    most = len(COLOURS)
    rule = f"be 2 to {most} runs"
    checks.require(2 <= len(runs) <= most, "runs", rule, len(runs))
    compared = _compared(runs)
    body = "\n".join(
        (
            _overview(compared),
            *(
                html.section(name, heading, content(compared))
                for (name, heading), content in zip(
                    _SECTIONS.items(),
                    (_differences, _scores, _traversals, _curves),
                    strict=True,
                )
            ),
        )
    )
    shown = {k: v for k, v in _SECTIONS.items() if f'<section id="{k}"' in body}
    names = [each.name for each in compared]
    title = f"{', '.join(names[:-1])} and {names[-1]}"
    lead = html.escaped(f"{len(runs)} runs compared.")
    return html.document(title, lead, body, shown)


def _compared(runs: Sequence[Run]) -> list[_Compared]:
    """Returns the runs with their summaries, under names that differ."""
    summaries = [summarize(run) for run in runs]
    names = [about["name"] for about in summaries]
    if len(set(names)) < len(names):  # then by their folders
        full = [
            str(run.folder or about["name"])
            for run, about in zip(runs, summaries, strict=True)
        ]
        names = (
            full
            if len(set(full)) == len(full)
            else [f"{name} ({number})" for number, name in enumerate(names, 1)]
        )
    return [
        _Compared(run, name, about, list(run.history))
        for run, name, about in zip(runs, names, summaries, strict=True)
    ]


def _heads(compared: Sequence[_Compared]) -> list[Html]:
    return [html.chip(place, each.name) for place, each in enumerate(compared)]


def _overview(compared: Sequence[_Compared]) -> str:
    header = ("run", "model", "objective", "data", "steps", "parameters")
    rows = [
        (
            head,
            each.about["model"],
            each.about["objective"],
            each.about["data"],
            f"{each.about['step']:,}",
            f"{each.about['num_parameters']:,}",
        )
        for head, each in zip(_heads(compared), compared, strict=True)
    ]
    return html.table(header, rows, numbers=(4, 5), stacked=True)


def _differences(compared: Sequence[_Compared]) -> str:
    settings = [each.about["settings"] for each in compared]
    found = differing_settings(settings)
    if not found:
        return "<p>The runs have the same settings.</p>"
    rows = [
        (
            html.setting(name),
            *("\N{EN DASH}" if x is None else x for x in differing_layers(values)),
        )
        for name, values in found.items()
    ]
    equal = len({name for each in settings for name in each}) - len(found)
    note = f'<p class="note">The other {equal} settings are equal.</p>'
    header = ("setting", *_heads(compared))
    return html.table(header, rows, stacked=True) + note


def _scores(compared: Sequence[_Compared]) -> str:
    metrics = dict.fromkeys(name for each in compared for name in each.about["scores"])
    if not metrics:
        return "<p>No scores yet. <code>bin/evaluate RUN</code> adds some.</p>"
    rows = []
    for metric in metrics:
        cells = []
        for each in compared:
            score = each.about["scores"].get(metric)
            if score is None:
                cells.append(Html('<span class="unit">not scored</span>'))
                continue
            cell, interval = results.score_cells(score)
            protocol = html.escaped(f"{interval} {score['protocol'] or ''}".strip())
            small = f'<small class="unit">{protocol}</small>'
            colour = f"--dot:var(--c{len(cells)})"
            cells.append(Html(f'<div style="{colour}">{cell}{small}</div>'))
        rows.append((metric, *cells))
    note = (
        "The dot is the score, the coloured range goes from its floor to its ceiling, "
        "the line is its interval, where these are known. An interval over a metric's "
        "seeds is the error of the measurement of one run; only runs of several "
        "training seeds say how a method does."
    )
    table = html.table(("metric", *_heads(compared)), rows, stacked=True)
    return f'<p class="note">{note}</p>{table}{_repeated(compared, [*metrics])}'


def _repeated(compared: Sequence[_Compared], metrics: Sequence[str]) -> str:
    """Returns the mean scores of runs that differ in their seed alone."""
    rows = []
    for places in repeated_runs([each.about for each in compared]):
        group = [compared[place] for place in places]
        for metric in metrics:
            scores = [each.about["scores"].get(metric) for each in group]
            values = [s["score"] for s in scores if s and s["score"] is not None]
            protocols = {s["protocol"] for s in scores if s}
            if len(values) < len(group) or len(protocols) > 1:
                continue
            interval = mean_interval(values)
            ends = (interval.low, interval.high)
            text = f"[{', '.join(html.number(end, 3) for end in ends)}]"
            names = ", ".join(each.name for each in group)
            gauge = html.gauge(interval.mean, None, None, ends)
            mean = Html(f"<b>{html.number(interval.mean)}</b> {text}{gauge}")
            rows.append((metric, mean, names))
    if not rows:
        return ""
    header = ("metric", "mean over training seeds, 95% t interval", "runs")
    return html.table(header, rows)


def _curves(compared: Sequence[_Compared]) -> str:
    """Returns a chart of each term, held out or else of training, one curve per run."""
    names = dict.fromkeys(n for each in compared for n in results.term_names(each.rows))
    charts = []
    for name in names:
        for prefix, kind in (("val_", "held out"), ("", "train")):
            curves = {
                each.name: results.series(each.rows, f"{prefix}{name}")
                for each in compared
            }
            title = f"{name.replace('_', ' ')} ({kind})"
            if any(len(steps) > 1 for steps, _ in curves.values()):
                break
        # Every run keeps its colour, even where one of them lacks the term.
        known = {run: xy if xy[0] else ([0], [np.nan]) for run, xy in curves.items()}
        if len({value for _, values in curves.values() for value in values}) < 2:
            continue
        figure = visualization.curves(known, title=title)
        charts.append(html.chart(figure, f"Curves of {title}"))
    return f'<div class="charts">{"".join(charts)}</div>' if charts else ""


def _traversals(compared: Sequence[_Compared]) -> str:
    """Returns the traversals side by side, the latents of one factor in a row."""
    drawn = [each for each in compared if not each.run.model.is_vector]
    if len(drawn) < len(compared):
        return ""
    all_inputs: list[FigureInputs] = []
    first = compared[0].run
    for each in compared:
        run, image = each.run, None
        if each is not compared[0] and _same_images(run, first):
            image = all_inputs[0].examples[:1]
        steps = np.linspace(-2, 2, _NUM_STEPS)
        plotter = make_plotter(
            run.model, run.data, run.batches, examples=image, values=steps
        )
        all_inputs.append(plotter.inputs(**latent_annotations(each.rows, run.step)))
    rows = matched_latents([each.about["latents"] for each in compared])
    strips = []
    for inputs in all_inputs:
        images = visualization.traversal_rows(
            inputs.decoder(),
            inputs.code,
            values=inputs.values,
            columns=inputs.columns,
        )
        strips.append(images)
    cells = [f"<div><h3>{head}</h3></div>" for head in _heads(compared)]
    who = [f'<div class="who">{head}</div>' for head in _heads(compared)]
    for name, each, inputs in zip(who, compared, all_inputs, strict=True):
        start = visualization.rgb(inputs.examples[:1])
        decoded = visualization.rgb(inputs.decoder()(inputs.code[np.newaxis]))
        both = np.concatenate([start, decoded])
        text = f"{each.name}: the image where traversals start, and what is decoded"
        label = "<small>the start, and what is decoded from its code</small>"
        cells.append(f'<div class="label">{name}{label}{html.strip(both, text)}</div>')
    named = sum(bool(factor) for factor, _ in rows)
    for place, (factor, latents) in enumerate(rows):
        if place == named:
            cells.append(f'<div class="rest">{_REST if named else _ALL}</div>')
        for name, each, own, latent in zip(who, compared, strips, latents, strict=True):
            if latent is None:
                missing = f"no latent for {factor}" if factor else ""
                cells.append(f'<div class="unit">{html.escaped(missing)}</div>')
                continue
            about = each.about["latents"][latent]
            text = f"{each.name}, {about['name']}: images while this latent changes"
            label = results.latent_label(about)
            cells.append(f"<div>{name}{label}{html.strip(own[latent], text)}</div>")
    columns = f"grid-template-columns:repeat({len(compared)}, minmax(0, 1fr))"
    note = (
        '<p class="note">Each strip moves one latent from \N{MINUS SIGN}2 to 2. '
        "Latents that a score gave to one factor are in one row.</p>"
    )
    return f'{note}<div class="side" style="{columns}">{"".join(cells)}</div>'


def _same_images(run: Run, other: Run) -> bool:
    """Whether two runs have images of one shape, so that one can start both."""
    return run.model.image_shape == other.model.image_shape
