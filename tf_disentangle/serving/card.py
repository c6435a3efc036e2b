"""The model card of an exported version: what is served, and how good it is.

VERSION/model_card.json    for programs: `summary.summarize`, and how it is served
VERSION/model_card.md      the same for people

The card of a run that was not exported, as TensorBoard shows it, leaves out the server.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tf_disentangle import checks
from tf_disentangle.interfaces import CodeColumn, Resizing
from tf_disentangle.models import LatentModel
from tf_disentangle.summary import summarize

if TYPE_CHECKING:
    from tf_disentangle.run import Run

NAMES = ("model_card.json", "model_card.md")

#: What the inputs and outputs of the signatures are.
MEANINGS = {
    "images": "images, uint8 from 0 to 255, or vectors",
    "image_bytes": "PNG (at most 8 bits a value) or JPEG files",
    "codes": "one number for each latent; of a categorical one the number of its value "
    "(any other number decodes as none of them)",
    "latent": "which latent to set, from 0; another number sets none",
    "value": "what to set it to",
    "seed": "two whole numbers for each row, from which all its draws follow",
    "mean": "mean of q(z|x) of the continuous latents",
    "stddev": "standard deviation of q(z|x) of the continuous latents",
    "covariance": "covariance of q(z|x) of the continuous latents",
    "reconstructions": "images in [0, 1], or vectors, decoded from the input's codes",
    "sampled_codes": "codes drawn from the prior",
}
_PURPOSES = {
    "encode": "images to codes",
    "encode_bytes": "image files to codes",
    "decode": "codes to images",
    "reconstruct": "images to codes to images",
    "edit": "sets one latent of each code and decodes it",
    "sample": "draws images from the model",
}


def make(
    model: LatentModel,
    summary: Mapping[str, Any],
    signatures: Mapping[str, Any],
    resizing: Resizing,
    **about: Any,
) -> dict[str, Any]:
    """Returns a card as JSON can hold it.

    Args:
        model: The model.
        summary: What `summary.summarize` says of its run.
        signatures: The signatures that are served, by name, each a `tf.function`.
        resizing: How `encode_bytes` makes images of another size.
        **about: Further entries: name, version, variant, precision, errors.
    """
    codes = "codes" if any(c.num_values for c in model.columns) else "mean"
    return {
        **summary,
        **about,
        "exported": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "code_output": codes,
        "resizing": dataclasses.asdict(resizing),
        "signatures": {n: _described(f) for n, f in sorted(signatures.items())},
    }


def of_columns(columns: Sequence[CodeColumn]) -> list[dict[str, Any]]:
    """Returns what is known of the latents of a model without a run."""
    keys = ("name", "kind", "num_values")
    return [{key: getattr(column, key) for key in keys} for column in columns]


def write(folder: pathlib.Path, card: Mapping[str, Any]) -> None:
    """Writes both files into the folder of a version, with checksums of all others."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in NAMES)
    sums = {str(path.relative_to(folder)): _sha256(path) for path in paths}
    full = {**card, "files": sums}
    text = json.dumps(full, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    (folder / NAMES[0]).write_text(text, encoding="utf-8")
    (folder / NAMES[1]).write_text(markdown(full), encoding="utf-8")


def of_run(run: Run) -> str:
    """Returns the card of a run that was not exported, as text."""
    return markdown(summarize(run))


def markdown(card: Mapping[str, Any]) -> str:
    """Returns a card, or the summary of a run, as text."""
    version = f", version {card['version']}" if "version" in card else ""
    parts = [
        f"# {card['name']}{version}",
        _introduction(card),
        "## Latents",
        latents_table(card["latents"]),
        "## Scores",
        _scores(card.get("scores", {})),
        "## Last terms of the training",
        table(("term", "nats per image"), card.get("terms", {}).items())
        or "None are recorded.",
        *(("## Signatures", _signatures(card)) if "signatures" in card else ()),
        "## Settings",
        table(("setting", "value"), _given(card.get("settings", {})))
        or "None are recorded.",
        "## Versions",
        table(("package", "version"), card.get("versions", {}).items()),
    ]
    if "files" in card:
        parts += ["## Files", table(("file", "sha256"), card["files"].items())]
    return "\n\n".join(part for part in parts if part) + "\n"


def _described(function: Any) -> dict[str, Any]:
    """Returns names, types and shapes of a signature's inputs and outputs."""
    outputs = function.get_concrete_function().structured_outputs
    return {
        "inputs": {spec.name: _spec(spec) for spec in function.input_signature},
        "outputs": {name: _spec(tensor) for name, tensor in sorted(outputs.items())},
    }


def _spec(tensor: Any) -> dict[str, Any]:
    return {"dtype": tensor.dtype.name, "shape": tensor.shape.as_list()}


def _sha256(path: pathlib.Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ---- The text.


def _introduction(card: Mapping[str, Any]) -> str:
    trained = ""
    if "steps" in card:
        trained = (
            f" of the objective {card['objective']}, trained on {card['data']} for "
            f"{card['step']:,} of {card['steps']:,} steps"
        )
    kind = with_article(card.get("model", "model"))
    size = f", {card['num_parameters']:,} weights" if "num_parameters" in card else ""
    text = f"{kind}{trained}: {inputs(card['image_shape'])}{size}."
    if "exported" in card:
        text += f" Exported {card['exported']} as {card['variant']}"
        text += f", {card['precision']}."
    errors = card.get("errors")
    if errors:
        each = ", ".join(f"{name} {error:.1e}" for name, error in errors.items())
        text += (
            " Its largest difference from the model, relative to the largest output: "
            f"{each}."
        )
    return text


def with_article(name: str) -> str:
    """Returns "A VAE" or "An InfoGAN", as a sentence begins."""
    return f"{'An' if name[0] in 'AEIOU' else 'A'} {name}"


def _given(settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Returns the settings that are neither None nor empty."""
    return [
        (name, value) for name, value in settings.items() if value not in (None, [])
    ]


def inputs(image_shape: Sequence[int]) -> str:
    """Returns what goes into a model in words, such as "images of 64 x 64 x 1"."""
    if checks.is_vector(image_shape):
        return f"vectors of {image_shape[-1]} numbers"
    return f"images of {' x '.join(map(str, image_shape))}"


def latents_table(latents: Iterable[Mapping[str, Any]]) -> str:
    """Returns the latents of a summary as a table in Markdown."""
    rows = []
    for each in latents:
        kind = each["kind"]
        if each.get("num_values"):
            kind = f"{kind}, values 0 to {each['num_values'] - 1}"
        share, factor = each.get("share"), each.get("factor") or ""
        votes = sum(each.get("votes") or ())
        if factor and share is not None:
            factor = f"{factor} ({share:.0%} of its {votes} votes)"
        elif votes:
            factor = f"none: {votes} votes are too few"
        if each.get("moves") is False:
            factor = "none: it does not change the image"
        nats = each.get("kl", each.get("information"))
        low, high = each.get("low"), each.get("high")
        span = "" if low is None or high is None else f"{low:.2f} to {high:.2f}"
        rows.append((each["name"], kind, nats, factor, span))
    head = ("latent", "kind", "KL or information, nats", "factor", "codes, 98% of them")
    return table(head, rows)


def _scores(scores: Mapping[str, Mapping[str, Any]]) -> str:
    if not scores:
        return "None are recorded: `bin/evaluate RUN --metrics=... --bounds` adds them."
    keys = ("score", "floor", "ceiling", "protocol")
    rows = [(name, *(each.get(k) for k in keys)) for name, each in scores.items()]
    text = table(("metric", *keys), rows)
    if any(each.get("floor") is None for each in scores.values()):
        text += (
            "\n\nA floor is what untrained networks or noise score, a ceiling what the "
            "factors themselves do. Where they are empty they were not computed: "
            "`bin/evaluate RUN --bounds` does, before an export."
        )
    return text


def _signatures(card: Mapping[str, Any]) -> str:
    resizing, lines = card["resizing"], []
    if card["variant"] == "savedmodel":
        lines.append("`encode` is also `serving_default`.")
    lines.append(f"The code that `decode` takes is the output `{card['code_output']}`.")
    parts = [" ".join(lines)]
    for name, each in card["signatures"].items():
        rows = [
            (side[:-1], f"`{key}`", spec["dtype"], spec["shape"], _meaning(key, side))
            for side in ("inputs", "outputs")
            for key, spec in each[side].items()
        ]
        head = ("", "name", "type", "shape", "what it is")
        parts += [f"### {name}: {_PURPOSES.get(name, '')}", table(head, rows)]
        if name == "encode_bytes":
            parts.append(_resizing(resizing))
    return "\n\n".join(parts)


def _resizing(resizing: Mapping[str, Any]) -> str:
    crop = resizing["crop"]
    part = {
        None: "the largest part of their centre that has the shape of the model's",
        "pad": "all of them, between black borders,",
    }.get(crop, f"the {crop} x {crop} pixels of their centre")
    text = (
        "Images of the model's own size are taken as they are. Of others, "
        f"{part} is resized by {resizing['filter']} interpolation, and differs from "
        "what Pillow makes of it by a grey level at most. Transparent pixels are seen "
        "before white; EXIF rotations are not looked at."
    )
    if resizing["is_binary"]:
        text += " The data are black and white: levels below 128 become black."
    return text


def _meaning(name: str, side: str) -> str:
    if (name, side) == ("images", "outputs"):
        return "images in [0, 1], or vectors"
    if name.startswith("probabilities_"):
        latent = name.removeprefix("probabilities_")
        return f"probabilities of the values of the latent {latent}"
    return MEANINGS.get(name, "")


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Returns a table in Markdown, or "" if it has no rows."""
    lines = [_row(cells) for cells in rows]
    if not lines:
        return ""
    return "\n".join([_row(head), _row(["---"] * len(head)), *lines])


def _row(cells: Sequence[Any]) -> str:
    shown = []
    for cell in cells:
        text = f"{cell:.4g}" if isinstance(cell, float) else str(cell)
        shown.append("" if cell is None else text.replace("|", "\\|"))
    return f"| {' | '.join(shown)} |"


__all__ = [
    "MEANINGS",
    "NAMES",
    "inputs",
    "latents_table",
    "make",
    "markdown",
    "of_columns",
    "of_run",
    "table",
    "write",
]
