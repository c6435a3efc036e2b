"""Which models a folder holds (one, several, a run's export), and which versions."""

from __future__ import annotations

import os
import pathlib

from tf_disentangle import checks

_RULE = "hold an exported model: NAME/VERSION/saved_model.pb"
_RUNTIMES = {".onnx": "ONNX Runtime", ".xml": "OpenVINO", ".tflite": "LiteRT"}
_SAVED_MODEL = "saved_model.pb"
# TF Serving counts versions in 64 bits.
_LAST_VERSION = 2**63 - 1


def versions(folder: str | os.PathLike) -> list[int]:
    """Returns the versions of a model, in increasing order.

    Args:
        folder: DESTINATION/NAME.
    """
    return list(version_folders(folder)) if os.path.isdir(folder) else []


def version_folders(folder: str | os.PathLike) -> dict[int, pathlib.Path]:
    """Returns the folders of a model's versions by number, in increasing order.

    They are those whose names are decimal numbers of 64 bits at most; 00000123 is 123.

    Args:
        folder: The folder of the model.

    Raises:
        OSError: If it cannot be read.
    """
    numbers = {
        int(each.name): each
        for each in pathlib.Path(folder).iterdir()
        if each.name.isdecimal() and each.name.isascii() and each.is_dir()
    }
    return {n: numbers[n] for n in sorted(numbers) if n <= _LAST_VERSION}


def saved_models(folder: str | os.PathLike) -> dict[int, pathlib.Path]:
    """Returns those of a model's versions that are SavedModels, as `version_folders`.

    Args:
        folder: The folder of the model; one that cannot be read has none.
    """
    try:
        there = version_folders(folder)
    except OSError:
        return {}
    return {n: path for n, path in there.items() if (path / _SAVED_MODEL).exists()}


def models_in(
    folder: str | os.PathLike, name: str | None = None, argument: str = "DIR"
) -> dict[str, str]:
    """Returns the models of a folder, base paths by name.

    Args:
        folder: A model's folder (that of its versions), a folder of such folders, or a
            run folder that was exported.
        name: The name of a single model; by default that of its folder.
        argument: What the folder is called in errors.

    Raises:
        ArgumentError: If there is none.
    """
    path = pathlib.Path(folder).absolute()
    checks.require(path.is_dir(), argument, "be a folder", str(folder))
    if (path / "run.json").exists():
        remedy = f"Export the run first: bin/export {folder}"
        rule = "be a run that was exported"
        exported = not is_unexported_run(path)
        checks.require(exported, argument, rule, str(folder), remedy)
        path = path / "export"
    found = _models(path)
    is_version = (path / _SAVED_MODEL).exists()
    remedy = f"This is one version: serve {path.parent}" if is_version else ""
    remedy = remedy or for_another_runtime(path) or "bin/export RUN writes one."
    checks.require(found, argument, _RULE, str(folder), remedy)
    if name:
        rule = f"be left out, since there are {len(found)} models in {folder}"
        checks.require(len(found) == 1, "model_name", rule, name)
        return {name: next(iter(found.values()))}
    return found


def is_unexported_run(folder: str | os.PathLike) -> bool:
    """Whether a folder is that of a run without a SavedModel in its export/."""
    path = pathlib.Path(folder)
    return (path / "run.json").exists() and not _models(path / "export")


def models_below(folder: str | os.PathLike) -> list[pathlib.Path]:
    """Returns the folders in a folder that hold versions that are SavedModels."""
    if not os.path.isdir(folder):
        return []
    return [
        path for path in sorted(pathlib.Path(folder).iterdir()) if saved_models(path)
    ]


def for_another_runtime(folder: str | os.PathLike) -> str:
    """Returns what to say of a folder of models for other runtimes, "" for others.

    Args:
        folder: That of a version, of a model or of models.
    """
    path = pathlib.Path(folder)
    for suffix, runtime in _RUNTIMES.items():
        if any(any(path.glob(f"{below}*{suffix}")) for below in ("", "*/", "*/*/")):
            return (
                f"It is a model for {runtime}, which serving.variants.load reads in "
                "Python; here it takes a SavedModel: bin/export RUN without --variant."
            )
    return ""


def _models(path: pathlib.Path) -> dict[str, str]:
    if saved_models(path):
        return {path.name: str(path)}
    return {p.name: str(p) for p in models_below(path)}
