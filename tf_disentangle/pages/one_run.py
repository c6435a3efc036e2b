"""One page of everything about a run."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tf_disentangle import checks, files, visualization
from tf_disentangle.pages import gallery, html, results
from tf_disentangle.summary import summarize
from tf_disentangle.training.pictures import latent_annotations, make_plotter

if TYPE_CHECKING:
    from tf_disentangle.run import Run
    from tf_disentangle.training.kinds import FigureInputs

_SECTIONS = {
    "latents": "What each latent does",
    "scores": "Scores",
    "curves": "Training",
    "pictures": "Pictures",
    "settings": "Settings",
}


def write_run_page(
    run: Run,
    path: str | os.PathLike | None = None,
    pictures: Iterable[str | os.PathLike] | None = None,
) -> pathlib.Path:
    """Writes the page of a run; see `run_page`.

    Args:
        run: A run with a folder, or any run if a path is given.
        path: The file; None is index.html in the run folder.
        pictures: As for `run_page`.

    Returns:
        The path.

    Raises:
        ArgumentError: If neither is there.
    """
    if path is None:
        rule = "be given for a published model or a run in memory"
        own = run.folder is not None and not run.folder.is_published
        checks.require(own, "path", rule, path)
        path = run.folder.path / "index.html"
    target, text = pathlib.Path(path), run_page(run, pictures)
    with files.replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return target


def run_page(run: Run, pictures: Iterable[str | os.PathLike] | None = None) -> str:
    """Returns a self-contained HTML page of everything about a run.

    It shows what each latent does, the scores between floor and ceiling, the curves of
    the terms, pictures and all settings, and refers to no other file.

    Args:
        run: A run, trained or loaded.
        pictures: PNG and GIF files to show; None is all that are in the run's folder of
            pictures.
    """
    about, rows = summarize(run), list(run.history)
    if pictures is None:
        folder = None if run.folder is None else run.folder.pictures
        pictures = sorted(folder.iterdir()) if folder and folder.is_dir() else ()
    paths = [pathlib.Path(path) for path in pictures]
    body = "\n".join(
        (
            _facts(about),
            html.section("latents", _SECTIONS["latents"], *_latents(run, about)),
            html.section("scores", _SECTIONS["scores"], _scores(about)),
            html.section("curves", _SECTIONS["curves"], _curves(about, rows)),
            html.section("pictures", _SECTIONS["pictures"], gallery.of_files(paths)),
            html.section("settings", _SECTIONS["settings"], _settings(run, about)),
        )
    )
    shown = {k: v for k, v in _SECTIONS.items() if f'<section id="{k}"' in body}
    lead = html.escaped(
        f"{about['model']} with the objective {about['objective']} on {about['data']}, "
        f"after {about['step']:,} of {about['steps']:,} steps."
    )
    return html.document(about["name"], lead, body, shown)


def start_rows(inputs: FigureInputs, count: int = 9) -> list[str]:
    """Returns the strips of the examples and of what is decoded from their codes."""
    from tf_disentangle.training.kinds import decoded_examples

    if not len(inputs.examples):
        return []
    both = {"images": inputs.examples, **decoded_examples(inputs)}
    parts = []
    for name, images in both.items():
        tiles = visualization.rgb(images[:count])
        label = name.replace("\n", " ")
        text = "traversals start from the first" if name == "images" else ""
        parts.append(
            f'<div class="label"><b>{html.escaped(label)}</b>'
            f"<small>{text}</small></div>"
        )
        parts.append(html.strip(tiles, f"{len(tiles)} {label}"))
    return parts


def _facts(about: Mapping[str, Any]) -> str:
    terms = about["terms"]
    values: dict[str, object] = {}
    for prefix, name in (("val_", "held-out ELBO, nats"), ("", "ELBO, nats")):
        if f"{prefix}elbo" in terms:
            values[name] = html.number(terms[f"{prefix}elbo"])
            break
    for metric, score in list(about["scores"].items())[:2]:
        if score["score"] is not None:
            values[metric.replace("_", " ")] = html.number(score["score"], 3)
    moving = [latent["moves"] for latent in about["latents"]]
    if None not in moving:
        values["latents that move the image"] = f"{sum(moving)} of {len(moving)}"
    values["parameters"] = f"{about['num_parameters']:,}"
    *sides, channels = about["image_shape"]
    if checks.is_vector(about["image_shape"]):
        values["numbers of a vector"] = channels
    else:
        values["image"] = " \N{MULTIPLICATION SIGN} ".join(map(str, (*sides, channels)))
    return html.facts(values)


def _latents(run: Run, about: Mapping[str, Any]) -> list[str]:
    """Returns the strips of the traversals, and the table of the latents."""
    if run.model.is_vector:
        return [_latent_table(about["latents"])]
    plotter = make_plotter(run.model, run.data, run.batches)
    inputs = plotter.inputs(**latent_annotations(run.history, run.step))
    note = (
        "<p class=note>Each row changes one latent and keeps all others, in order of "
        "how much it moves the image. A latent carries the factor that a score gave it "
        "only if it moves the image and won at least 5% of all votes.</p>"
    )
    strips = latent_strips(inputs, about["latents"])
    return [
        note,
        f'<div class="strips">{"".join(start_rows(inputs))}'
        f'<div class="rule"></div>{"".join(strips)}</div>',
        f"<details><summary>The latents in a table</summary>"
        f"{_latent_table(about['latents'])}</details>",
    ]


def latent_strips(
    inputs: FigureInputs, latents: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Returns label and strip of each latent, with the steps above the first."""
    rows = visualization.traversal_rows(
        inputs.decoder(),
        inputs.code,
        values=inputs.values,
        columns=inputs.columns,
        order=inputs.order,
    )
    parts: list[str] = []
    steps_are_said = False
    for latent, images in zip(inputs.order, rows, strict=True):
        about, width = latents[latent], images.shape[2]
        steps = ""
        if about["num_values"] is not None:
            texts = [str(value) for value in range(len(images))]
            steps = html.strip_steps(texts, width)
        elif not steps_are_said:
            steps_are_said = True
            texts = visualization.step_labels(inputs.values)
            steps = html.strip_steps(texts, width)
        text = f"{about['name']}: {len(images)} images while this latent changes"
        faint = ' class="faint"' if about["moves"] is False else ""
        parts.append(results.latent_label(about))
        parts.append(f"<div{faint}>{steps}{html.strip(images, text)}</div>")
    return parts


def _latent_table(latents: Sequence[Mapping[str, Any]]) -> str:
    number = "information" if "information" in latents[0] else "kl"
    name = {"kl": "KL, nats", "information": "information, nats"}[number]
    header = [
        "latent",
        "kind",
        name,
        "moves the image",
        "factor",
        "votes for it",
        "codes from",
        "to",
    ]
    largest = max((each["movement"] or 0.0 for each in latents), default=0.0) or 1.0
    rows = []
    for each in latents:
        movement = each["movement"]
        kind = each["kind"]
        if each["num_values"] is not None:
            kind += f", {each['num_values']} values"
        rows.append(
            (
                each["name"],
                kind,
                html.number(each[number], 3),
                html.bar(None if movement is None else movement / largest),
                each["factor"] or "",
                _votes(each),
                html.number(each["low"], 3),
                html.number(each["high"], 3),
            )
        )
    faint = [place for place, each in enumerate(latents) if each["moves"] is False]
    return html.table(header, rows, numbers=(2, 5, 6, 7), faint=faint)


def _votes(latent: Mapping[str, Any]) -> str:
    """Returns how many votes a latent won, and the share that its factor has."""
    total, share = sum(latent["votes"] or ()), latent["share"]
    if latent["factor"] and share is not None:
        return f"{share:.0%} of {total}"
    return str(total) if total else ""


def _scores(about: Mapping[str, Any]) -> str:
    scores = about["scores"]
    if not scores:
        return "<p>No score yet. <code>bin/evaluate RUN --bounds</code> adds some.</p>"
    lines = []
    for name, score in scores.items():
        cells = results.score_cells(score)
        lines.append([name, *cells, score["protocol"] or ""])
    header = ["metric", "score", "interval", "protocol"]
    if not any(score["interval"] for score in scores.values()):
        header.remove("interval")
        lines = [[*line[:2], line[3]] for line in lines]
    bounded = any(score["floor"] is not None for score in scores.values())
    note = (
        "The dot is the score; the coloured range goes from the floor (untrained "
        "networks, noise) to the ceiling (the factors as codes)."
        if bounded
        else "A bare number says little. <code>bin/evaluate RUN --bounds</code> puts "
        "each between its floor and its ceiling."
    )
    return f'<p class="note">{note}</p>{html.table(header, lines)}'


def _curves(about: Mapping[str, Any], rows: results.Rows) -> str:
    names = [latent["name"] for latent in about["latents"]]
    charts = [*results.term_curves(rows), *results.latent_curves(rows, names)]
    parts = [html.chart(figure, f"Curve of {name}") for name, figure in charts]
    header = ("term, nats per image unless said otherwise", "train", "held out")
    terms = about["terms"]
    lines = [
        (name, html.number(terms.get(name)), html.number(terms.get(f"val_{name}")))
        for name in results.term_names(rows)
    ]
    content = f'<div class="charts">{"".join(parts)}</div>' if parts else ""
    if lines:
        table = html.table(header, lines, numbers=(1, 2))
        content += f"<details><summary>The last values</summary>{table}</details>"
    return content


def _settings(run: Run, about: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{k} {v}" for k, v in about["versions"].items() if v)
    table = html.table(
        ("setting", "value"),
        [(html.setting(name), value) for name, value in about["settings"].items()],
    )
    again = ""
    if run.folder is not None and run.folder.config.exists():
        command = "bin/train --gin_file=RUN/config.gin --output=NEW"
        again = f"<p>The same run again: <code>{command}</code></p>"
    return (
        f"<p>Trained with {html.escaped(versions)}.</p>{again}"
        f"<details><summary>All {len(about['settings'])} settings</summary>{table}"
        "</details>"
    )
