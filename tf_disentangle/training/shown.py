"""How a run and its pictures show themselves: a line of text, or HTML in a notebook."""

from __future__ import annotations

import base64
import html
import pathlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tf_disentangle.run import Run

# Terms that a notebook shows: those of a VAE, then those of an InfoGAN.
_TERMS = ("loss", "elbo", "reconstruction", "kl", "generator", "discriminator")


def run_text(run: Run) -> str:
    """Names a run's parts, its step and its folder, in one line."""
    return f"<Run of {_model(run)} at step {run.step}, {_place(run)}>"


def run_html(run: Run) -> str:
    """Returns a table of what a run is and how far it got."""
    columns = run.model.latents.columns
    shape = " x ".join(map(str, run.model.image_shape))
    stopped = ", stopped" if run.signal is not None else ""
    rows = {
        "Run of": _model(run),
        "images": f"{shape}, {len(run.batches.training):,} of them for training",
        "latents": ", ".join(column.name for column in columns),
        "step": f"{run.step:,} of {run.steps:,}{stopped}",
        "kept": _place(run),
    }
    terms = run.terms
    for front, what in (("", "training"), ("val_", "held-out images")):
        shown = {name: terms.get(f"{front}{name}") for name in _TERMS}
        numbers = [f"{n} {v:.2f}" for n, v in shown.items() if isinstance(v, float)]
        if numbers:
            rows[f"last terms, {what}"] = ", ".join(numbers) + " (nats per image)"
    scores = {name: result.score for name, result in run.scores.items()}
    if scores:
        rows["scores"] = ", ".join(f"{n} {score:.4f}" for n, score in scores.items())
    cells = (
        f'<tr><th style="text-align: left">{html.escape(name)}</th>'
        f'<td style="text-align: left">{html.escape(value)}</td></tr>'
        for name, value in rows.items()
    )
    return f"<table>{''.join(cells)}</table>"


def _model(run: Run) -> str:
    return f"{type(run.model).__name__} ({run.model.objective.name})"


def _place(run: Run) -> str:
    """Says where a run is kept; of a published model its name says more."""
    if run.folder is None:
        return "in memory"
    published = run.folder.is_published
    return f"published model {run.folder.name}" if published else repr(str(run.folder))


class Pictures(list[pathlib.Path]):
    """Paths of pictures; a notebook shows those that a browser can show."""

    def __init__(self, paths: Iterable[pathlib.Path]) -> None:
        super().__init__(paths)

    def _repr_html_(self) -> str:
        """Returns the pictures with their names, as GIF where there is no PNG."""
        by_name = {path.stem: path for path in self if path.suffix == ".gif"}
        by_name |= {path.stem: path for path in self if path.suffix == ".png"}
        return "\n".join(
            f'<figure><img style="max-width: 100%" src="data:image/{path.suffix[1:]};'
            f'base64,{base64.b64encode(path.read_bytes()).decode()}" '
            f'alt="{html.escape(name)}">'
            f"<figcaption>{html.escape(str(path))}</figcaption></figure>"
            for name, path in by_name.items()
        )
