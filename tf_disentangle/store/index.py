"""README.md of a folder of published models: what is there, with the scores."""

from __future__ import annotations

import json
import os
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

from tf_disentangle import checks, files
from tf_disentangle.serving import card
from tf_disentangle.store.places import CHECKSUMS, RECORD

_SCORES = "scores.json"
_HEAD = """\
# Models

Each is a folder or .zip that works alone: `tf_disentangle.load("NAME")` checks and
loads it, `bin/explore NAME` shows what its latents do. Scores are those of the run;
what they mean, and their floors and ceilings, stands in each model's README.md.
"""


def write(folder: str | os.PathLike) -> pathlib.Path:
    """Writes README.md of a folder of models, from their records; returns its path.

    Args:
        folder: Its folders and .zip files that are published models are listed.
    """
    folder = pathlib.Path(folder)
    found = {}
    for path in sorted(folder.iterdir()):
        if not path.name.startswith("."):
            record, scores = _read(path)
            if record:
                found[path.name] = (record, scores)
    names = sorted({name for _, scores in found.values() for name in scores})
    rows = [
        (
            f"[{name}]({name})",
            _objective(record),
            f"{record.get('step', 0):,}",
            record.get("precision"),
            *(scores.get(metric, {}).get("score") for metric in names),
        )
        for name, (record, scores) in found.items()
    ]
    text = card.table(("model", "objective", "steps", "weights", *names), rows)
    files.write_text(folder / "README.md", f"{_HEAD}\n{text}\n")
    return folder / "README.md"


def _read(path: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the record and the scores of a model; empty for anything else."""
    try:
        if path.is_dir():
            if not (path / CHECKSUMS).exists():
                return {}, {}
            texts = [(path / name).read_bytes() for name in (RECORD, _SCORES)]
        elif path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                stem = path.name.removesuffix(".zip")
                texts = [archive.read(f"{stem}/{n}") for n in (RECORD, _SCORES)]
        else:
            return {}, {}
        record, scores = (json.loads(text) for text in texts)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        text = checks.message(str(path), "be a published model", str(error))
        raise checks.ArgumentError(text) from error
    return record, scores


def _objective(record: Mapping[str, Any]) -> str:
    """Returns the name of the objective of a record."""
    config = record.get("model", {}).get("config", {}).get("objective", {})
    return str(config.get("config", {}).get("name", ""))
