"""What pages say about scores, terms and latents, from a run's rows and its summary."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tf_disentangle import visualization
from tf_disentangle.pages import html
from tf_disentangle.pages.html import Html
from tf_disentangle.training.run_folder import NO_TERMS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Rows = Sequence[Mapping[str, Any]]

# The terms that come first.
_FIRST = ("loss", "elbo", "reconstruction", "kl_term")
_MOST_LATENTS = 6


def term_names(rows: Rows) -> list[str]:
    """Returns the names of the terms in rows, those of validation without "val_"."""
    names: dict[str, None] = {}
    for row in rows:
        for name, value in row.items():
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if is_number and name not in NO_TERMS:
                names[name.removeprefix("val_")] = None
    if all(row["loss"] == -row["elbo"] for row in rows if {"loss", "elbo"} <= {*row}):
        names.pop("elbo", None)  # The same curve upside down.
    first = [name for name in _FIRST if name in names]
    return first + sorted(name for name in names if name not in first)


def series(rows: Rows, name: str) -> tuple[list[int], list[float]]:
    """Returns the steps and the finite values of one name in rows."""
    found = [(row["step"], row[name]) for row in rows if name in row]
    finite = [(s, v) for s, v in found if v is not None and math.isfinite(v)]
    return [step for step, _ in finite], [value for _, value in finite]


def term_curves(rows: Rows) -> Iterable[tuple[str, Figure]]:
    """Yields the name and the chart of each term that changes."""
    for name in term_names(rows):
        both = {"train": series(rows, name), "validation": series(rows, f"val_{name}")}
        curves = {kind: xy for kind, xy in both.items() if len(xy[0]) > 1}
        if any(len(set(values)) > 1 for _, values in curves.values()):
            held_out = "" if "train" in curves else " (held out)"
            title = name.replace("_", " ") + held_out
            yield name, visualization.curves(curves, title=title)


def latent_curves(rows: Rows, names: Sequence[str]) -> Iterable[tuple[str, Figure]]:
    """Yields the chart of what validation says of each latent, of the largest ones."""
    for key, title in (
        ("kl_per_latent", "KL of each latent, nats"),
        ("information_per_latent", "information of each latent, nats"),
    ):
        found = [(row["step"], row[key]) for row in rows if key in row]
        if len(found) < 2:
            continue
        steps, values = [step for step, _ in found], np.array([v for _, v in found])
        largest = np.argsort(-values[-1], kind="stable")[:_MOST_LATENTS]
        curves = {names[d]: (steps, values[:, d]) for d in sorted(largest)}
        shown = f" (the {_MOST_LATENTS} largest)" if len(names) > _MOST_LATENTS else ""
        yield key, visualization.curves(curves, title=title + shown)


def score_cells(score: Mapping[str, Any]) -> tuple[Html, str]:
    """Returns a score with its gauge and its place, and its interval in words."""
    value, floor, ceiling = (score[name] for name in ("score", "floor", "ceiling"))
    if value is None:
        return Html("no score"), ""
    place = ""
    if floor is not None and ceiling is not None and abs(ceiling - floor) > 1e-3:
        share = (value - floor) / (ceiling - floor)
        ends = f"floor {html.number(floor, 3)}, ceiling {html.number(ceiling, 3)}"
        place = f' <span class="unit">{share:.0%} of the way, {ends}</span>'
    interval, span, text = score["interval"], None, ""
    if interval:
        span = (interval["low"], interval["high"])
        low, high = (html.number(end, 3) for end in span)
        text = f"[{low}, {high}] {interval['of']}"
    gauge = html.gauge(value, floor, ceiling, span)
    return Html(f"<b>{html.number(value)}</b>{place}{gauge}"), text


def latent_note(latent: Mapping[str, Any]) -> str:
    """Returns what stands below a latent's name: its KL and what it stands for."""
    parts = []
    for key, name in (("kl", "KL"), ("information", "information")):
        if latent.get(key) is not None:
            parts.append(f"{name} {latent[key]:.2f}")
    if latent.get("moves") is False:
        parts.append("does not move the image")
    elif latent.get("factor") and latent.get("share") is not None:
        total = sum(latent["votes"])
        parts.append(f"{latent['share']:.0%} of {total} votes")
    elif sum(latent.get("votes") or ()):
        parts.append(f"{sum(latent['votes'])} votes, too few for a name")
    return ", ".join(parts)


def latent_label(latent: Mapping[str, Any]) -> Html:
    """Returns the label of a latent beside its strip."""
    factor = latent.get("factor")
    badge = (
        f'<span class="badge factor">{html.escaped(factor)}</span>' if factor else ""
    )
    style = "label faint" if latent.get("moves") is False else "label"
    return Html(
        f'<div class="{style}"><b>{html.escaped(latent["name"])}</b>{badge}'
        f"<small>{html.escaped(latent_note(latent))}</small></div>"
    )
