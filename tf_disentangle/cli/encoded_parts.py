"""Codes of many files: kept in parts while they are computed, then written as one.

    codes.parquet.parts/settings.json      of which model, and with which columns
    codes.parquet.parts/00000000.npz       the paths of some files and their codes
    codes.parquet                          written when all are there; then the parts go

A killed process leaves whole parts, and the same command resumes after the last.
"""

from __future__ import annotations

import csv
import dataclasses
import itertools
import json
import os
import pathlib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tf_disentangle import checks, files
from tf_disentangle.cli import image_paths

FORMATS = (".npz", ".csv", ".parquet")


@dataclasses.dataclass(frozen=True)
class Layout:
    """The columns of a table of codes.

    Attributes:
        latents: Names of the latents, in the order of the codes' columns.
        kinds: "continuous" or "categorical", for each latent; None if not known.
        probabilities: Number of values of each categorical latent whose probabilities
            are kept, by name.
    """

    latents: Sequence[str]
    kinds: Sequence[str] | None
    probabilities: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def header(self) -> list[str]:
        """Returns the names of all columns but the first, the path."""
        return [
            *self.latents,
            *(
                f"{n}={k}"
                for n, count in self.probabilities.items()
                for k in range(count)
            ),
        ]


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """What is known of some files, in the order in which they were named.

    Attributes:
        paths: Of all of them [n].
        stamps: Size and time of change of each, before it was read [n, 2].
        reasons: Why a file has no codes [n]; "" for one that has.
        changed: Whether it was resized, and whether it was made grey [n, 2].
        values: Codes and then probabilities [m, L + ...] of those that have.
    """

    paths: Sequence[str]
    stamps: Sequence[tuple[int, int]]
    reasons: Sequence[str]
    changed: np.ndarray
    values: np.ndarray

    @property
    def encoded(self) -> list[str]:
        """The paths of the files that have codes [m]."""
        pairs = zip(self.paths, self.reasons, strict=True)
        return [path for path, reason in pairs if not reason]


class Parts:
    """The parts of one output.

    Args:
        output: The file to be written, .npz, .csv or .parquet.

    Raises:
        ArgumentError: If it is there already, or has another suffix.
    """

    def __init__(self, output: str | os.PathLike) -> None:
        self.output = pathlib.Path(output)
        rule = f"end with {', '.join(FORMATS)}"
        checks.require(self.output.suffix in FORMATS, "--output", rule, str(output))
        rule, remedy = "be a new file", "Remove it, or choose another name."
        checks.require(not self.output.exists(), "--output", rule, str(output), remedy)
        if self.output.suffix == ".parquet":
            _require_pyarrow()
        self.folder = self.output.with_name(f"{self.output.name}.parts")
        self._remedy = f"Remove {self.folder} to start anew."
        self._count = 0

    def begin(self, settings: Mapping[str, Any], images: Mapping[str, Any]) -> None:
        """Makes the folder, or goes on in it if its settings are the same.

        Args:
            settings: Model and columns.
            images: Number and checksum of the files to encode; `resume` compares them.

        Raises:
            ArgumentError: If its parts are of another model, or of other columns.
        """
        path = self.folder / "settings.json"
        own = json.loads(json.dumps(settings))
        self._images = self._images_before = dict(images)
        if path.exists():
            files.remove_temporaries(self.folder)
            other = json.loads(path.read_text(encoding="utf-8"))
            self._images_before = other.pop("images", None)
            same = own == other and self._images_before is not None
            rule = f"have the same model and columns as before, {other}"
            checks.require(same, str(self.folder), rule, own, self._remedy)
            return
        with files.explaining(self.folder, "--output"):
            files.write_json(path, {**own, "images": self._images})

    def __iter__(self) -> Iterator[Part]:
        """Reads one part after the other."""
        for number in itertools.count():
            path = self._path(number)
            if not path.exists():
                return
            with np.load(path) as stored:
                texts = stored["paths"].tolist(), stored["reasons"].tolist()
                stamps = [(size, time) for size, time in stored["stamps"].tolist()]
                arrays = stored["changed"], stored["values"]
                yield Part(texts[0], stamps, texts[1], *arrays)

    def resume(self, paths: Iterator[str]) -> Iterator[Part]:
        """Yields the parts that are there, and takes their files from `paths`.

        Raises:
            ArgumentError: If these are other files than before, or files of the parts
                have changed since.
        """
        for part in self:
            for before, stamp in zip(part.paths, part.stamps, strict=True):
                now = next(paths, "no more files")
                rule = f"be the same files as before, here {before}"
                checks.require(now == before, "IMAGES", rule, now, self._remedy)
                rule = (
                    "have the size and time of change that it had when it was encoded"
                )
                same = image_paths.stamp(now) == stamp
                checks.require(same, now, rule, "another", self._remedy)
            self._count += 1
            yield part
        same = self._images == self._images_before
        rule = f"be the same {self._images_before['count']} files as before"
        received = f"{self._images['count']} files, not all of them the same"
        checks.require(same, "IMAGES", rule, received, self._remedy)

    def append(self, part: Part) -> None:
        """Writes a part, whole or not at all."""
        with (
            files.explaining(self.folder, "--output"),
            files.building(self._path(self._count)) as temporary,
        ):
            np.savez(
                temporary,
                paths=np.array(part.paths, str),
                stamps=np.array(part.stamps, np.int64).reshape(-1, 2),
                reasons=np.array(part.reasons, str),
                changed=part.changed,
                values=part.values,
            )
        self._count += 1

    def join(self, layout: Layout) -> None:
        """Writes the output from all parts, and removes them.

        It is made in their folder, so that a killed process leaves nothing beside it.
        """
        write = {".npz": _write_npz, ".csv": _write_csv, ".parquet": _write_parquet}
        whole = self.folder / f"whole{self.output.suffix}"
        with files.explaining(self.output, "--output"):
            with files.building(whole) as temporary:
                write[self.output.suffix](temporary, self, layout)
            os.replace(whole, self.output)
        files.remove(self.folder)

    def _path(self, number: int) -> pathlib.Path:
        return self.folder / f"{number:08}.npz"


def _write_csv(path: pathlib.Path, parts: Parts, layout: Layout) -> None:
    """A line for each file; floats in as few digits as give the same float32."""
    with open(path, "w", encoding="utf-8", errors="replace", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", *layout.header()])
        for part in parts:
            for name, row in zip(part.encoded, part.values, strict=True):
                writer.writerow([name, *map(str, row)])


def _write_parquet(path: pathlib.Path, parts: Parts, layout: Layout) -> None:
    """A row group for each part."""
    pyarrow = _require_pyarrow()
    from pyarrow import parquet

    fields = [(name, pyarrow.float32()) for name in layout.header()]
    schema = pyarrow.schema([("path", pyarrow.string()), *fields])
    with parquet.ParquetWriter(path, schema) as writer:
        for part in parts:
            names = [_text(name) for name in part.encoded]
            columns = [names, *np.ascontiguousarray(part.values.T)]
            writer.write_table(pyarrow.table(columns, schema=schema))


def _write_npz(path: pathlib.Path, parts: Parts, layout: Layout) -> None:
    """The arrays that `bin/evaluate --codes` reads, written part by part."""
    count = sum(len(part.encoded) for part in parts)
    longest = max((len(_text(n)) for part in parts for n in part.encoded), default=1)
    num_latents = len(layout.latents)
    names = f"<U{max(longest, 1)}"
    arrays: list[tuple[str, str, int | None, Any]] = [
        (
            "paths",
            names,
            None,
            lambda p: np.array([_text(n) for n in p.encoded], names),
        ),
        ("codes", "<f4", num_latents, lambda p: p.values[:, :num_latents]),
    ]
    start = num_latents
    for name, size in layout.probabilities.items():
        part = slice(start, start + size)
        arrays.append(
            (f"probabilities_{name}", "<f4", size, lambda p, s=part: p.values[:, s])
        )
        start += size
    with zipfile.ZipFile(path, "w") as archive:
        for key, dtype, width, of_part in arrays:
            shape = (count,) if width is None else (count, width)
            header = {"descr": dtype, "fortran_order": False, "shape": shape}
            with archive.open(f"{key}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array_header_2_0(stream, header)
                for each in parts:
                    stream.write(np.ascontiguousarray(of_part(each), dtype).tobytes())
        texts = {"latent_names": layout.latents, "column_kinds": layout.kinds}
        for key, values in texts.items():
            if values is not None:
                with archive.open(f"{key}.npy", "w") as stream:
                    np.lib.format.write_array(stream, np.array(values, str))


def _text(path: str) -> str:
    """Returns a path as text; bytes in it that are no UTF-8 become question marks."""
    return path.encode("utf-8", "replace").decode()


def _require_pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError as error:
        remedy = "pip install pyarrow, or write .csv or .npz."
        text = checks.message("--output", "end with .csv or .npz", ".parquet", remedy)
        raise checks.ArgumentError(text) from error
    return pyarrow
