"""README.md of a folder of published models: what is there, with the scores."""

from __future__ import annotations

import logging
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from tf_disentangle import checks, files
from tf_disentangle.serving import card
from tf_disentangle.store.folder import PublishedFolder
from tf_disentangle.store.places import ARCHIVES, CHECKSUMS, NAME

_logger = logging.getLogger(__name__)
_HEAD = """\
# Models

Each is a folder or .zip that works alone: `tf_disentangle.load("NAME")` checks and
loads it, `bin/explore NAME` shows what its latents do. Scores are those of the run;
what they mean, and their floors and ceilings, stands in each model's README.md.
"""


def write(folder: str | os.PathLike) -> pathlib.Path:
    """Writes README.md of a folder of models, from their records; returns its path.

    Args:
        folder: Its folders and archives that are published models are listed, each
            checked as by `load`. What is none is left out; of a damaged one a warning
            tells.
    """
    folder = pathlib.Path(folder)
    found = {}
    for path in sorted(folder.iterdir()):
        read = None if path.name.startswith(".") else _read(path)
        if read is not None:
            found[path.name] = read
    names = sorted({name for _, scores in found.values() for name in scores})
    rows = [
        (
            f"[{name}]({name})",
            _objective(record),
            f"{record['step']:,}",
            record["precision"],
            *(scores.get(metric, {}).get("score") for metric in names),
        )
        for name, (record, scores) in found.items()
    ]
    text = card.table(("model", "objective", "steps", "weights", *names), rows)
    files.write_text(folder / "README.md", f"{_HEAD}\n{text}\n")
    return folder / "README.md"


def _read(path: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Returns the record and the scores of a model; None for anything else."""
    if not ((path.is_dir() and (path / CHECKSUMS).exists()) or path.suffix in ARCHIVES):
        return None
    try:
        model = PublishedFolder(path)
        return model.describe(), model.scores()
    except checks.ArgumentError as error:
        _logger.warning("%s is not listed: %s", path.name, error)
        return None


def _objective(record: Mapping[str, Any]) -> str:
    """Returns the name of the objective of a record."""
    found: Any = record
    for key in ("model", "config", "objective", "config", "name"):
        found = found.get(key, "") if isinstance(found, Mapping) else ""
    return found if isinstance(found, str) and NAME.fullmatch(found) else ""
