"""Which models a folder holds: one model, several, or a run's export."""

from __future__ import annotations

import os
import pathlib

from tf_disentangle import checks

_RULE = "hold an exported model: NAME/VERSION/saved_model.pb"
_RUNTIMES = {".onnx": "ONNX Runtime", ".xml": "OpenVINO", ".tflite": "LiteRT"}


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
        path = path / "export"
        found = _models(path) if path.is_dir() else {}
        checks.require(
            found, argument, "be a run that was exported", str(folder), remedy
        )
    found = _models(path)
    is_version = (path / "saved_model.pb").exists()
    remedy = f"This is one version: serve {path.parent}" if is_version else ""
    remedy = remedy or for_another_runtime(path) or "bin/export RUN writes one."
    checks.require(found, argument, _RULE, str(folder), remedy)
    if name:
        rule = f"be left out, since there are {len(found)} models in {folder}"
        checks.require(len(found) == 1, "model_name", rule, name)
        return {name: next(iter(found.values()))}
    return found


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
    if _has_versions(path):
        return {path.name: str(path)}
    below = sorted(p for p in path.iterdir() if p.is_dir() and _has_versions(p))
    return {p.name: str(p) for p in below}


def _has_versions(path: pathlib.Path) -> bool:
    return any(p.parent.name.isdecimal() for p in path.glob("*/saved_model.pb"))
