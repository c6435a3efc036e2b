"""README.md of a published model: front matter for Hugging Face, text for people."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tf_disentangle.metrics import METRICS
from tf_disentangle.serving import card as served
from tf_disentangle.store.rounding import Measured

_FILES = {
    "model.safetensors": "the weights of encoder, decoder and latents",
    "config.json": "model, data and training as the library's parts: what `load` reads",
    "config.gin": "the same as the configuration that it was trained with",
    "metrics.jsonl": "the rows of the training: terms and scores by step",
    "scores.json": "the scores of the table above, for programs",
    "codes.npz": "codes and factors of {codes:,} images; "
    "`bin/evaluate --codes=codes.npz` scores them",
    "examples.safetensors": "a few images of the data, to look at the model with",
    "traversals.png": "the picture above",
    "encode.onnx": "images to codes, for ONNX Runtime in any language",
    "decode.onnx": "codes to images, likewise",
    "explorer.html": "a page with the model inside: open it in a browser",
    "SHA256SUMS": "checksums: `sha256sum -c SHA256SUMS`",
}
_PICTURE = """\
![What each latent changes in an image, a row each](traversals.png)

*What each latent changes in an image, a row each, from left to right.*"""
_CAVEATS = """\
It was trained to study how a model represents the factors behind images, and to be \
compared with others. It is no tool for decisions about people.

- What a latent stands for was found afterwards, with factors that the training never \
saw. Without labels no objective guarantees that latents and factors correspond, and \
another seed often gives another answer.
- It knows the images that it was trained on. Of others it makes the nearest that it \
knows, without a warning.
- A score is one protocol's view of one run; a floor and a ceiling say how much of it \
is the model's own.
"""


@dataclasses.dataclass(frozen=True)
class CardFacts:
    """What the card says besides the facts of the run.

    Attributes:
        name: Name of the model.
        license: Its identifier, None if none was given.
        precision: Precision of the weights.
        measured: What rounding them changed; None for float32.
        codes: How many rows codes.npz has; 0 if there is no such file.
        sizes: Bytes of each file, by name.
        modules: Whether modules/ is there.
    """

    name: str
    license: str | None
    precision: str
    measured: Measured | None
    codes: int
    sizes: Mapping[str, int]
    modules: bool = False


def text(
    facts: Mapping[str, Any], scores: Mapping[str, Mapping[str, Any]], about: CardFacts
) -> str:
    """Returns README.md.

    Args:
        facts: What `summary.summarize` says of the published run.
        scores: As scores.json has them.
        about: Further facts.
    """
    parts = [
        f"---\n{_front_matter(facts, scores, about)}---",
        f"# {about.name}",
        _introduction(facts, about),
        _PICTURE if "traversals.png" in about.sizes else "",
        "## Use it",
        _use(about),
        "## Scores",
        _scores(scores, about),
        "## Latents",
        served.latents_table(facts["latents"]),
        "## Intended use, and what it is not",
        _CAVEATS.strip(),
        "## Files",
        _files(about),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _introduction(facts: Mapping[str, Any], about: CardFacts) -> str:
    model = served.with_article(facts["model"])
    said = (
        f"{model} with the objective {facts['objective']}, trained on "
        f"{facts['data']} ({served.inputs(facts['image_shape'])}) for "
        f"{facts['step']:,} steps: "
        f"{len(facts['latents'])} latents, {facts['num_parameters']:,} weights, kept "
        f"as {about.precision}."
    )
    terms = facts["terms"]
    names = ("val_reconstruction", "val_elbo")
    known = [(n.removeprefix("val_"), terms[n]) for n in names if n in terms]
    if known:
        each = ", ".join(f"{name} {value:.5g}" for name, value in known)
        said += f" Held-out images, in nats each: {each}."
    if facts.get("best_by"):
        said += (
            f"\n\nIt was chosen as the best of several runs by {facts['best_by']}: the "
            "others score worse."
        )
    if about.license is None:
        said += "\n\nIts author named no licence: ask before you use it."
    return said


def _use(about: CardFacts) -> str:
    text = f"""\
```python
import tf_disentangle
run = tf_disentangle.load("{about.name}")  # this folder; every file is checked
codes = run.encode(images)  # and run.decode(codes), run.score("mig"), run.explore()
```"""
    if about.modules:
        text += (
            "\n\nIt has parts that its author wrote, in `modules/`. They are Python "
            "code and run only if you say so: "
            f'`load("{about.name}", trust=True)`. Read them first.'
        )
    if "encode.onnx" in about.sizes:
        text += (
            "\n\nWithout this library: `onnxruntime.InferenceSession("
            '"encode.onnx").run(None, {"images": images})`, images uint8.'
        )
    if "explorer.html" in about.sizes:
        text += (
            "\n\nWithout anything: open `explorer.html` in a browser and move the "
            "latents. It needs no network."
        )
    else:
        text += f"\n\nTo see what its latents do: `bin/explore {about.name}`."
    return text


def _scores(scores: Mapping[str, Mapping[str, Any]], about: CardFacts) -> str:
    if not scores:
        return "None were recorded: `bin/evaluate` adds them to a run."
    keys = ["score", *(["float16"] if about.measured else []), "floor", "ceiling"]
    rows = [
        (name, *(each.get(k) for k in keys), each.get("protocol"))
        for name, each in scores.items()
    ]
    said = [served.table(("metric", *keys, "protocol"), rows)]
    said.append(
        "A floor is what untrained networks or noise score, a ceiling what the factors "
        "themselves do; where they are empty they were not computed."
    )
    known = [name for name in scores if name in METRICS]
    less = [f"`{name}`" for name in known if METRICS[name].greater_is_better is False]
    if less:
        said.append(f"Of {' and '.join(less)} less is better.")
    if about.measured:
        said.append(_rounded(about.measured))
    return "\n\n".join(said)


def _rounded(measured: Measured) -> str:
    text = (
        "The weights were rounded to float16 and are float32 again when they are "
        "loaded. Scores are those before rounding, under `float16` those after it, by "
        "the same call. Rounding changes a decoded image by at most "
        f"{measured.decode:.2g} (of a range of 1, over 256 draws of the prior)"
    )
    if measured.codes is not None:
        text += f", a code by at most {measured.codes:.2g}"
        text += f" (over {measured.num_images} images)"
    if measured.changed is not None:
        share = f"{measured.changed:.2%}" if measured.changed else "none"
        text += f", and {share} of the categorical codes"
    return f"{text}."


def _files(about: CardFacts) -> str:
    rows = []
    for name, meaning in _FILES.items():
        if name in about.sizes or name == "SHA256SUMS":
            size = about.sizes.get(name)
            shown = "" if name == "SHA256SUMS" else f"{size / 1000:,.0f} kB"
            rows.append((f"`{name}`", shown, meaning.format(codes=about.codes)))
    if about.modules:
        rows.append(("`modules/`", "", "Python modules of its author"))
    return served.table(("file", "size", "what it is"), rows)


# ---- Front matter.


def _front_matter(
    facts: Mapping[str, Any], scores: Mapping[str, Mapping[str, Any]], about: CardFacts
) -> str:
    data = str(facts["data"])
    metrics = [
        {"type": name, "name": _metric_name(name, score), "value": score["score"]}
        for name, score in scores.items()
        if score["score"] is not None
    ]
    result = {
        "task": {"type": "feature-extraction", "name": "Disentangled representation"},
        "dataset": {"type": data, "name": data},
        "metrics": metrics,
    }
    matter: dict[str, Any] = {} if about.license is None else {"license": about.license}
    matter |= {
        "library_name": "tf_disentangle",
        "tags": [
            "tf_disentangle",
            "disentanglement",
            "representation-learning",
            str(facts["model"]).lower(),
            str(facts["objective"]),
        ],
        "datasets": [data],
    }
    if metrics:
        matter["model-index"] = [{"name": about.name, "results": [result]}]
    return "".join(f"{line}\n" for line in _yaml(matter))


def _metric_name(name: str, score: Mapping[str, Any]) -> str:
    """Returns a metric with its protocol, where that is a word or two."""
    protocol = score["protocol"]
    return f"{name}, {protocol}" if protocol and len(protocol) < 40 else name


def _yaml(value: Any, indent: str = "") -> Iterator[str]:
    """Yields the lines of a mapping or list in YAML; its texts are JSON's."""
    is_list = isinstance(value, list)
    items = [(None, item) for item in value] if is_list else list(value.items())
    for key, item in items:
        head = f"{indent}-" if key is None else f"{indent}{key}:"
        if not isinstance(item, (dict, list)):
            yield f"{head} {json.dumps(item, ensure_ascii=False)}"
        elif key is None:
            first, *rest = _yaml(item, f"{indent}  ")
            yield f"{head} {first.strip()}"
            yield from rest
        else:
            yield head
            yield from _yaml(item, f"{indent}  ")
