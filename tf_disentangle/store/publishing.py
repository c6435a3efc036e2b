"""Writes a run for others: weights, record, codes, model card, explorer, checksums."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import pathlib
import shutil
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from tf_disentangle import checks, explorer, files, summary, visualization
from tf_disentangle.explorer import contents as page_contents
from tf_disentangle.serving import variants
from tf_disentangle.store import card, privacy, reading, rounding, weights
from tf_disentangle.store.folder import FORMAT, PublishedFolder, write_examples
from tf_disentangle.store.places import (
    CHECKSUMS,
    PRECISIONS,
    RECORD,
    ZIP,
    check_license,
    name_of_new,
)
from tf_disentangle.training import description
from tf_disentangle.training.input_pipeline import images_at
from tf_disentangle.training.run_folder import Examples, environment

if TYPE_CHECKING:
    from tf_disentangle.run import Run

NUM_CODES = 1_000
_ONNX = {"encode": "float32", "decode": "float32"}
# What a run.json says about the machine, which nobody who loads the model needs.
_OF_THE_MACHINE = ("cores", "devices", "threads", "replicas", "started", "commit")
_TIME = (1980, 1, 1, 0, 0, 0)


@dataclasses.dataclass(frozen=True)
class Options:
    """What goes into a published model; see `publish`."""

    precision: str = "float32"
    license: str | None = None
    explorer: bool = True
    onnx: bool = True
    rescore: bool = True
    examples: int = page_contents.NUM_IMAGES
    best_by: str | None = None

    def __post_init__(self) -> None:
        """Checks them, before anything is computed."""
        checks.one_of(self.precision, PRECISIONS, "precision")
        checks.integer(self.examples, "examples", at_least=0)
        most = page_contents.NUM_IMAGES
        checks.require(self.examples <= most, "examples", f"be at most {most}", self)
        check_license(self.license)
        checks.require_type(self.best_by, (str, type(None)), "best_by")


def publish(
    run: Run,
    path: str | os.PathLike,
    *,
    precision: str = "float32",
    license: str | None = None,
    explorer: bool = True,
    onnx: bool = True,
    rescore: bool = True,
    examples: int = page_contents.NUM_IMAGES,
    best_by: str | None = None,
) -> pathlib.Path:
    """Writes a run as a folder, or one .zip, that others can load, check and look at.

    The folder has the layout of Hugging Face's hub and works alone; docs/store.md says
    what each file is. It holds no path, user or host of its author, and appears whole
    or not at all. User modules that the run was built from are copied into it.

    Args:
        run: A trained run.
        path: The new folder, or an archive NAME.zip; its name is the model's.
        precision: Of the weights: "float32", or "float16", which halves them. What
            rounding changes is measured and reported in README.md.
        license: An identifier of Hugging Face, such as "apache-2.0". None claims none;
            README.md says so.
        explorer: Whether to add explorer.html, 6 to 8 MB.
        onnx: Whether to add encode.onnx and decode.onnx.
        rescore: Whether to score float16 weights again, by the recorded calls.
        examples: How many images to add, 60 at most, with which the model can be
            looked at where its data are not at hand. They come from the data: add none
            that may not be given away.
        best_by: The metric by which the run was chosen as the best of several, such as
            "mig": README.md says so.

    Returns:
        The path of the folder or archive.

    Raises:
        ArgumentError: If the path exists or cannot be written, its name is not valid
            for a model, or the run cannot be published.
    """
    options = Options(precision, license, explorer, onnx, rescore, examples, best_by)
    path = pathlib.Path(path)
    name, zipped = name_of_new(path), path.suffix == ZIP
    with files.replacing(path) as temporary:
        folder = temporary.with_suffix(".parts") if zipped else temporary
        try:
            folder.mkdir(parents=True)
            _write(run, folder, name, options)
            if zipped:
                _zip(folder, temporary, name)
        finally:
            if zipped:
                shutil.rmtree(folder, ignore_errors=True)
    return path


def _write(run: Run, folder: pathlib.Path, name: str, options: Options) -> None:
    """Writes everything into a folder that is there."""
    model = run.model
    arrays = weights.rounded(model, options.precision)
    shown = _examples(run, options.examples)
    _write_base(run, folder, name, options, arrays, shown)
    measured = None
    if options.precision != "float32":
        measured = rounding.measure(run, arrays, options.rescore)
    with weights.holding(model, arrays):
        own = _as_published(run, folder)
        codes = _write_codes(own, folder)
        _draw(own, folder)
        for signature, content in _onnx(model, options).items():
            (folder / f"{signature}.onnx").write_bytes(content)
        if options.explorer:
            (folder / "explorer.html").write_text(
                explorer.explore(own).page, encoding="utf-8"
            )
        best_by = own.folder.describe().get("best_by")
        facts = summary.summarize(own) | {"best_by": best_by}
    scores = rounding.table(facts["scores"], measured)
    _write_json(folder / "scores.json", scores)
    sizes = {p.name: p.stat().st_size for p in folder.iterdir() if p.is_file()}
    has_modules = (folder / "modules").is_dir()
    said = (name, options.license, options.precision, measured, codes, sizes)
    about = card.CardFacts(*said, has_modules)
    (folder / reading.README).write_text(card.text(facts, scores, about), "utf-8")
    _write_sums(folder)
    own_paths = [] if run.folder is None else [run.folder.path.resolve()]
    privacy.require_none(folder, [folder.resolve().parent, *own_paths])


def _write_base(
    run: Run,
    folder: pathlib.Path,
    name: str,
    options: Options,
    arrays: dict[str, np.ndarray],
    shown: Examples | None,
) -> None:
    """Writes what `load` reads, and what the configuration was."""
    about = {"precision": options.precision}
    (folder / reading.WEIGHTS).write_bytes(weights.write(arrays, about))
    own = run.folder
    modules = []
    if own is not None and own.trusted and own.modules.is_dir():
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(own.modules, folder / "modules", ignore=ignored)
        modules = sorted(path.name for path in (folder / "modules").iterdir())
    chosen = {} if options.best_by is None else {"best_by": options.best_by}
    record = {
        **privacy.without_paths(_record(run)),
        **chosen,
        "library_name": "tf_disentangle",
        "format": FORMAT,
        "name": name,
        "precision": options.precision,
        "step": run.step,
        "modules": modules,
    }
    text = json.dumps(record, indent=1, ensure_ascii=False)  # A setting may be NaN.
    (folder / RECORD).write_text(f"{text}\n", encoding="utf-8")
    rows = [row for row in run.history if row["step"] <= run.step]
    lines = [json.dumps(privacy.without_paths(row)) for row in rows]
    text = "".join(f"{line}\n" for line in lines)
    (folder / reading.HISTORY).write_text(text, encoding="utf-8")
    if own is not None and own.config.is_file():
        text = privacy.text_without_paths(own.config.read_text(encoding="utf-8"))
        (folder / "config.gin").write_text(text, encoding="utf-8")
    if shown is not None:
        (folder / reading.EXAMPLES).write_bytes(write_examples(shown))


def _record(run: Run) -> dict[str, Any]:
    """Returns what run.json holds, or would hold, without the machine."""
    if run.folder is not None:
        record = dict(run.folder.describe())
    else:
        parts = (run.model, run.data, run.batches, run.metrics)
        record = environment() | description.describe(*parts, steps=run.steps)
    return {k: v for k, v in record.items() if k not in _OF_THE_MACHINE}


def _as_published(run: Run, folder: pathlib.Path) -> Run:
    """Returns the run as whoever loads the folder will see it, on the same model."""
    _write_sums(folder)
    try:
        data = run.data
    except checks.ArgumentError:  # Its files are not at hand.
        data = None
    published = PublishedFolder(folder)
    return type(run)(run.model, run.batches, published, data=data, step=run.step)


def _examples(run: Run, count: int) -> Examples | None:
    """Returns images to start from; None without data."""
    if not count:
        return None
    if run.examples is not None:
        return Examples(run.examples.images[:count], run.examples.labels[:count])
    try:
        images, about = page_contents.shelf_of(run)
    except checks.ArgumentError:
        return None
    return Examples(images[:count], tuple(about["labels"][:count]))


def _write_codes(run: Run, folder: pathlib.Path) -> int:
    """Writes codes of images of the run, with their factors; returns how many.

    The file has the form that `bin/evaluate --codes` takes.
    """
    try:
        data = run.data
    except checks.ArgumentError:
        return 0
    held_out = np.asarray(run.batches.held_out)
    indices = held_out if len(held_out) else np.asarray(run.batches.training)
    rng = np.random.default_rng(run.batches.seed)
    chosen = np.sort(rng.permutation(indices)[:NUM_CODES])
    arrays: dict[str, Any] = {"codes": run.encode(images_at(data.images(), chosen))}
    columns = run.model.latents.columns
    arrays["latent_names"] = np.array([column.name for column in columns])
    kinds = ["categorical" if c.num_values else "continuous" for c in columns]
    arrays["column_kinds"] = np.array(kinds)
    if data.factor_names and "known_rows" in data.traits:
        arrays["factors"] = np.asarray(data.factors_of(chosen))
        arrays["factor_names"] = np.array(data.factor_names)
    _write_npz(folder / "codes.npz", arrays)
    return len(chosen)


def _write_npz(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> None:
    """As `numpy.savez_compressed`, but without the time of writing in the file."""
    contents = {}
    for name, array in arrays.items():
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, array, allow_pickle=False)
        contents[f"{name}.npy"] = buffer.getvalue()
    _write_zip(path, contents)


def _draw(run: Run, folder: pathlib.Path) -> None:
    """Draws what each latent does, where there are images to start from."""
    if run.model.is_vector:
        return
    with contextlib.suppress(checks.ArgumentError):  # The data are not at hand.
        visualization.save(run.traversals(), folder / "traversals.png")


def _onnx(model: Any, options: Options) -> dict[str, bytes]:
    return variants.onnx_models(model, _ONNX) if options.onnx else {}


def _write_json(path: pathlib.Path, value: Any) -> None:
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(f"{text}\n", encoding="utf-8")


def _write_sums(folder: pathlib.Path) -> None:
    """Writes SHA256SUMS, as `sha256sum -c` reads it."""
    lines = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != CHECKSUMS:
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            lines.append(f"{digest}  {path.relative_to(folder).as_posix()}\n")
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def _zip(folder: pathlib.Path, target: pathlib.Path, name: str) -> None:
    """Writes a folder as an archive."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    places = [f"{name}/{path.relative_to(folder).as_posix()}" for path in paths]
    contents = {p: path.read_bytes() for p, path in zip(places, paths, strict=True)}
    _write_zip(target, contents)


def _write_zip(path: pathlib.Path, contents: dict[str, bytes]) -> None:
    """Writes a .zip: equal bytes for equal contents."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            info = zipfile.ZipInfo(name, _TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
