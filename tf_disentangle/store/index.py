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
what they mean, and their floors and ceilings, stands in each model's README.md. Those
of a study are named METHOD-seedSEED-ID.
"""
_BEST = """\

"best by" names the metric by which a run was chosen, as the best of its method and data
set: the others score worse. Most metrics need the factors of the images, so that one
cannot choose by them where there are no labels.
"""


def write(folder: str | os.PathLike) -> pathlib.Path:
    """Writes README.md of a folder of models, from their records; returns its path.

    Args:
        folder: The folders and archives in it that are published models are listed,
            each checked as by `load`. Anything else is left out; a damaged model gives
            a warning.
    """
    folder = pathlib.Path(folder)
    found = {}
    for path in sorted(folder.iterdir()):
        read = None if path.name.startswith(".") else _read(path)
        if read is not None:
            found[path.name] = read
    names = sorted({name for _, scores in found.values() for name in scores})
    best = {name: _best_by(record) for name, (record, _) in found.items()}
    chosen = ["best by"] if any(best.values()) else []
    rows = [
        (
            f"[{name}]({name})",
            _objective(record),
            f"{record['step']:,}",
            record["precision"],
            *([best[name]] if chosen else []),
            *(scores.get(metric, {}).get("score") for metric in names),
        )
        for name, (record, scores) in found.items()
    ]
    header = ("model", "objective", "steps", "weights", *chosen, *names)
    head = f"{_HEAD}{_BEST}" if chosen else _HEAD
    files.write_text(folder / "README.md", f"{head}\n{card.table(header, rows)}\n")
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


def _best_by(record: Mapping[str, Any]) -> str:
    """Returns the metric by which a run was chosen; "" for one that was not."""
    found = record.get("best_by")
    return found if isinstance(found, str) and NAME.fullmatch(found) else ""
