"""The run folder: where one run keeps its configuration, records and results.

run.json        the settings of model, data and training, from which the run is rebuilt;
                versions, device, threads, commit, times, status
config.gin      the operative configuration (runs started through gin)
modules/        a copy of the user's own modules that the run was built from
metrics.jsonl   one JSON object per row, each with its "step"
checkpoints/    pictures/    export/NAME/VERSION/
events.out.tfevents.*    validation/    scores/    projector/    what TensorBoard reads
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import importlib.metadata
import json
import math
import os
import pathlib
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from tf_disentangle import checks, files

SCHEMA_VERSION = 4

_PACKAGES = (
    "tf_disentangle",
    "tensorflow",
    "keras",
    "tensorflow-probability",
    "numpy",
    "gin-config",
    "opencv-python-headless",
)


#: What a study writes into the folder of a run that has not begun yet.
_BEFORE_A_RUN = {"attempts.jsonl", "log.txt"}


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """Images for looking at a model whose data are not at hand.

    Attributes:
        images: [N, H, W, C], uint8, or float32 vectors.
        labels: A label for each image.
    """

    images: np.ndarray
    labels: tuple[str, ...]

    def __repr__(self) -> str:
        """Says how many images there are, and their shape."""
        count, *shape = self.images.shape
        return f"<Examples: {count} images, {self.images.dtype.name} {shape}>"


class RunFolder:
    """Paths and records of one run.

    Args:
        path: The folder; made by `create`.

    Attributes:
        is_published: Whether it is a published model, to which nothing is written.
        trusted: Whether its copies of the user's modules may be imported.
        most_weights: The most weights that the networks of its record may have.
    """

    is_published = False
    trusted = True
    most_weights = math.inf

    def __init__(self, path: str | os.PathLike) -> None:
        checks.require_type(path, (str, os.PathLike), "output")
        self.path = pathlib.Path(path)
        self.config = self.path / "config.gin"
        self.description = self.path / "run.json"
        self.metrics = self.path / "metrics.jsonl"
        self.modules = self.path / "modules"
        self.checkpoints = self.path / "checkpoints"
        self.pictures = self.path / "pictures"
        self.export = self.path / "export"

    def __str__(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        """What the run is called: the folder's name."""
        return self.path.resolve().name

    def examples(self) -> Examples | None:
        """Returns images that were published with the model; None for a run."""
        return None

    def restore(self, model: Any, checkpoint: str = "last") -> int:
        """Gives a model the weights of a checkpoint; returns their step.

        Args:
            model: A model of the same parts as the run's.
            checkpoint: "last", or "best" by the validation ELBO.

        Raises:
            ArgumentError: If there is none, or it belongs to another model.
        """
        from tf_disentangle.training import checkpoints

        path = checkpoints.find(self.checkpoints, checkpoint)
        checkpoints.restore_weights(model, path)
        return checkpoints.step_of(path)

    def create(self) -> None:
        """Makes the folder, unless `check` refuses it.

        Raises:
            ArgumentError: As `check`, or if the path cannot be written.
        """
        self.check()
        with files.explaining(self.path):
            self.path.mkdir(parents=True, exist_ok=True)

    def check(self) -> RunFolder:
        """Returns itself unless it is neither a new folder nor a run; writes nothing.

        Raises:
            ArgumentError: If the path is a file, or a folder with content that is not
                a run of this version.
        """
        remedy = "Choose another output folder."
        rule = "be a new folder or a run of this library"
        is_file = self.path.exists() and not self.path.is_dir()
        checks.require(not is_file, "output", rule, f"{self}, a file", remedy)
        found = {path.name for path in self.path.glob("[!.]*")}
        if found - _BEFORE_A_RUN:
            is_run, what = self.description.exists(), "which is neither"
            if files.CHECKSUMS in found:
                what = "a published model"
                remedy += f" It can start from these weights: warm_start={str(self)!r}"
            checks.require(is_run, "output", rule, f"{self}, {what}", remedy)
            self._check_schema()
        return self

    @classmethod
    def existing(cls, path: str | os.PathLike, argument: str = "run") -> RunFolder:
        """Returns the folder of a run that is there.

        Raises:
            ArgumentError: If `path` holds no run.
        """
        checks.require_type(path, (str, os.PathLike), argument)
        folder = cls(path)
        checks.require(
            folder.description.exists(),
            argument,
            "be the folder of a run (with run.json)",
            str(path),
            _runs_inside(folder.path),
        )
        folder._check_schema()
        return folder

    def _check_schema(self) -> None:
        version = self.describe().get("schema_version")
        checks.require(
            version == SCHEMA_VERSION,
            "run",
            f"have schema_version {SCHEMA_VERSION} in {self.description}",
            version,
            "It was written by another version of tf_disentangle, or is damaged: train "
            "in a new folder, or read this one with the version that wrote it.",
        )

    def describe(self, **changes: Any) -> dict[str, Any]:
        """Returns run.json, after writing `changes` into it if there are any."""
        content: dict[str, Any] = {}
        text = self._read(self.description)
        if text is not None:
            try:
                content = json.loads(text)
            except ValueError as error:  # no JSON, or no UTF-8
                raise checks.ArgumentError(
                    checks.message(str(self.description), "be JSON", str(error))
                ) from error
            is_object = isinstance(content, dict)
            rule = "be a JSON object"
            checks.require(is_object, str(self.description), rule, content)
        if changes:
            self.require_present()
            content.update(changes)
            files.write_json(self.description, content)
        return content

    def _read(self, path: pathlib.Path) -> bytes | None:
        """Returns what is in one of its files, None if there is no such file."""
        return path.read_bytes() if path.exists() else None

    def require_present(self) -> None:
        """Raises `ArgumentError` if the folder was removed while the run writes to it.

        Making it again would leave part of a run that no command can read.
        """
        rule = "stay in place while the run writes to it"
        remedy = "The folder was removed or renamed; start the run again."
        checks.require(self.path.is_dir(), "output", rule, str(self), remedy)

    def clean(self) -> None:
        """Removes what killed processes left half-written; needs the lock."""
        best = self.checkpoints / "best"
        board = (self.path / name for name in ("validation", "scores", "projector"))
        for folder in (self.path, self.checkpoints, best, self.pictures, *board):
            files.remove_temporaries(folder)

    def locked(self) -> contextlib.AbstractContextManager[bool]:
        """Keeps other processes from training in this folder.

        Raises:
            ArgumentError: If another process has the lock.
        """
        return files.locked(self.path / ".lock")

    def append(self, row: Mapping[str, Any]) -> None:
        """Adds one row to metrics.jsonl, after dropping a killed run's half line."""
        self.require_present()
        with self._writing_rows(), open(self.metrics, "ab+") as file:
            file.seek(0)
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)
            file.write(json.dumps(row).encode() + b"\n")

    @contextlib.contextmanager
    def _writing_rows(self) -> Iterator[None]:
        """Lets one process at a time write rows: `evaluate` may run beside training."""
        with (
            files.explaining(self.metrics),
            files.locked(self.path / ".metrics.lock", notice=""),
        ):
            yield

    def rows(self) -> list[dict[str, Any]]:
        """Returns the rows of metrics.jsonl; a half line of a killed run is dropped.

        Raises:
            ArgumentError: If a complete line is no row in JSON.
        """
        rows = []
        lines = (self._read(self.metrics) or b"").split(b"\n")[:-1]
        for number, line in enumerate(lines, start=1):
            try:
                rows.append(json.loads(line))
                rows[-1]["step"] = int(rows[-1]["step"])
            except (ValueError, TypeError, KeyError) as error:
                rule = "be a row in JSON, with its step"
                remedy = "Delete that line if it cannot be repaired."
                where = f"{self.metrics}, line {number}"
                raise checks.ArgumentError(
                    checks.message(where, rule, str(error), remedy)
                ) from error
        return rows

    def cut(self, step: int) -> None:
        """Drops the rows after `step`, which a resumed run will write again.

        Args:
            step: The step of the checkpoint from which the run resumes.
        """
        with self._writing_rows():
            kept = [row for row in self.rows() if row["step"] <= step]
            text = "".join(json.dumps(row) + "\n" for row in kept)
            files.write_text(self.metrics, text)


def _runs_inside(path: pathlib.Path) -> str:
    """Returns the remedy for a path that is no run: a run inside, or of like name."""
    if not path.exists():
        return files.no_such_folder(path)
    inside = sorted((*path.glob("*"), *path.glob("runs/*")))
    names = ("run.json", files.CHECKSUMS)
    runs = [each for each in inside if any((each / name).is_file() for name in names)]
    return f"Name one of those inside, such as {runs[0]}." if runs else ""


#: What a row holds in addition to the terms.
NO_TERMS = ("step", "seed", "wall_time", "images_per_second")


def own_row(row: Mapping[str, Any]) -> bool:
    """Whether the run wrote a row; those of `evaluate` name the kind of codes."""
    return "codes" not in row


def last_terms(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Returns the last value of each loss term in the run's own rows."""
    terms: dict[str, float] = {}
    for row in filter(own_row, rows):
        is_number = {k: isinstance(v, int | float) for k, v in row.items()}
        terms |= {k: row[k] for k in row if is_number[k] and k not in NO_TERMS}
    return terms


def environment() -> dict[str, Any]:
    """Returns what a reader of run.json needs to run it again: versions and machine."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "schema_version": SCHEMA_VERSION,
        "python": platform.python_version(),
        "versions": versions,
        "commit": _commit(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _commit() -> str | None:
    """Returns the git commit of a source checkout, None for an installed package."""
    source = pathlib.Path(__file__).resolve().parents[2]
    if not (source / ".git").exists():
        return None
    options = ["describe", "--always", "--dirty", "--abbrev=40"]
    command = ["git", "-C", str(source), *options]
    try:
        return subprocess.check_output(command, text=True, timeout=10).strip()
    except (OSError, subprocess.SubprocessError):
        return None
