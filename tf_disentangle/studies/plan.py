"""The plan of a study: its runs, each with the configuration that it has by name.

    DIR/study.json      what was asked for, and each configuration as it was resolved
    DIR/plan.parquet    one row a run: id, index, method, strength, data, seed, files,
                        settings, and a column for each binding that the grid names

A run's `id` is a checksum of its final bindings. So the same run has the same id in any
order, file or study, and a grid with more values has the old runs under their old
names.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
import pathlib
import platform
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self

import numpy as np

from tf_disentangle import __version__, checks, configs, configuration, files
from tf_disentangle.configuration import Resolved
from tf_disentangle.metrics import METRICS
from tf_disentangle.studies import grid as grids
from tf_disentangle.studies import plan_table, state
from tf_disentangle.studies.plan_table import SCHEMA_VERSION, folder_of

#: What a run can be scored on: the means of q(z|x), or draws from it.
REPRESENTATIONS = ("mean", "sampled")

# Bindings that do not make another run: where it is, and how it is scored.
_NO_IDENTITY = {
    *("train.output", "train.metrics", "study"),
    *(metric.function.__name__ for metric in METRICS.values()),
}
_REMEDY = "For another study, choose another output folder."


@dataclasses.dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run of a plan.

    Attributes:
        id: 12 hexadecimal digits, the checksum of the run's configuration.
        index: Its number in the plan, from 0; an extended plan does not change it.
        method: What the method is called.
        strength: The value of the one number that varies within the method; None if
            there is none, or several.
        data: What the data set is called.
        seed: The seed of training.
        files: The gin files that the configuration was read from.
        settings: What is bound on top of them: text by name, as in gin files.
        values: The values of those bindings that the grid names.
    """

    id: str
    index: int
    method: str
    strength: float | None
    data: str
    seed: int
    files: tuple[str, ...]
    settings: Mapping[str, str]
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Plan:
    """All runs of a study; `make` and `read` make it.

    Attributes:
        runs: The runs, by their index.
        configurations: The final bindings of the gin files, by the files.
        about: The name, grid, metrics and so on, as study.json has them.
        folder: The study's folder; None before it is written.
        repeated: How many combinations of the grid gave a run that it already had.
    """

    runs: list[PlannedRun]
    configurations: Mapping[tuple[str, ...], Resolved]
    about: Mapping[str, Any]
    folder: pathlib.Path | None = None
    repeated: int = 0

    @classmethod
    def make(
        cls,
        grid: Mapping[Any, Any] | Sequence[Mapping[Any, Any]],
        *,
        name: str = "study",
        data: str | Sequence[str] | None = None,
        seeds: int | Sequence[int] | None = None,
        bindings: Mapping[str, Any] | None = None,
        metrics: Sequence[str] | None = None,
        representations: Sequence[str] = ("mean",),
        attempts: int = state.ATTEMPTS,
    ) -> Self:
        """Plans a study; nothing is written, and TensorFlow is not loaded.

        Args:
            grid: As described in `studies.grid`.
            name: What the study is called.
            data: Gin files of data sets, for the parts of the grid that name none.
            seeds: Seeds, or how many, for the parts that name none; None leaves the
                seed of the files.
            bindings: Further bindings of all runs; those of the grid win.
            metrics: Names of metrics that score each run; None leaves the files' own.
            representations: Of "mean" and "sampled": which codes are scored.
            attempts: How often a run may fail before it is given up.

        Raises:
            ArgumentError: If a name is unknown, a file is missing or has a mistake, or
                a value has no meaning.
            ArgumentTypeError: If something has another type.
        """
        checks.require_type(name, str, "name")
        common = _common(bindings or {})
        metrics = None if metrics is None else _names(metrics, "metrics")
        chosen = _names(representations, "representations")
        for one in chosen:
            checks.one_of(one, REPRESENTATIONS, "representations")
        configurations: dict[tuple[str, ...], Resolved] = {}
        runs: dict[str, PlannedRun] = {}
        repeated = 0
        for point in grids.points(grid, data, seeds):
            if point.files not in configurations:
                configurations[point.files] = configuration.resolved(point.files)
            run = _planned(point, configurations[point.files], common, len(runs))
            same = runs.setdefault(run.id, run)
            repeated += same is not run
            _require_one_score(same, run)
        grids.require_told_apart(runs.values())
        about = {
            "name": name,
            "grid": _shown(grid),
            "bindings": common,
            "metrics": metrics,
            "representations": chosen,
            "attempts": checks.integer(attempts, "attempts", at_least=1),
        }
        return cls(list(runs.values()), configurations, about, repeated=repeated)

    def note(self) -> str:
        """Returns a note that repeated runs of the grid count once; "" without any."""
        if not self.repeated:
            return ""
        verb = "is a run" if self.repeated == 1 else "are runs"
        total = len(self.runs) + self.repeated
        return (
            f"{self.repeated} of the grid's {total} combinations {verb} that the grid "
            "already has; each run is done once."
        )

    @classmethod
    def read(cls, folder: str | os.PathLike) -> Self:
        """Reads the plan of a study's folder.

        Raises:
            ArgumentError: If the folder holds no study.
        """
        folder = pathlib.Path(folder)
        about, configurations = _read_study(folder)
        rows = plan_table.read(folder / plan_table.NAME)
        runs = [PlannedRun(**row) for row in rows]
        return cls(runs, configurations, about, folder)

    def folder_of(self, run: PlannedRun | str) -> pathlib.Path:
        """Returns the run folder of a run, or of its id."""
        checks.require(self.folder, "plan", "be written to a folder", None)
        return folder_of(self.folder, run)

    def bindings_of(self, run: PlannedRun) -> dict[str, str]:
        """Returns all bindings of a run, text by name."""
        resolved = self.configurations[run.files]
        return dict(resolved.changed(run.settings).bindings)

    def write(self, folder: str | os.PathLike) -> Plan:
        """Writes the plan into a study's folder, or extends the plan that is there.

        Runs that are there keep their index; nothing but the plan is changed.

        Returns:
            The plan that is in the folder then.

        Raises:
            ArgumentError: If the folder holds something else, or another study.
        """
        folder = pathlib.Path(folder)
        with files.explaining(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with files.locked(folder / ".plan.lock", notice=""):
            there = self.require_extends(folder)
            whole = dataclasses.replace(self, folder=folder)
            if there is not None:
                whole = there._extended(whole)
            plan_table.write(folder / plan_table.NAME, whole.runs)
            files.write_json(folder / "study.json", whole._study())
        return whole

    def require_extends(self, folder: str | os.PathLike) -> Plan | None:
        """Returns the plan in a folder, which this one extends; None for a new folder.

        Raises:
            ArgumentError: If the folder has another study, or something else.
        """
        folder = pathlib.Path(folder)
        if (folder / "study.json").exists():
            there = Plan.read(folder)
            there._require_same(self)
            return there
        found = {path.name for path in folder.glob("[!.]*")} - {plan_table.NAME}
        rule, received = "be a new folder or a study", f"{folder}, which is neither"
        checks.require(not found, "output", rule, received, _REMEDY)
        return None

    def _extended(self, new: Plan) -> Plan:
        """Returns this plan with the runs of `new` that it does not have."""
        known = {run.id for run in self.runs}
        added = [run for run in new.runs if run.id not in known]
        by_id = {run.id: run for run in new.runs}
        # What tables call a run may have changed with the grid, but its index must not.
        runs = [dataclasses.replace(by_id[r.id], index=r.index) for r in self.runs]
        for index, run in enumerate(added, start=len(runs)):
            runs.append(dataclasses.replace(run, index=index))
        about = {**new.about, "created": self.about["created"]}
        return dataclasses.replace(new, runs=runs, about=about)

    def _require_same(self, new: Plan) -> None:
        """Checks that the runs of this plan are among those of `new`."""
        lines = [
            f"{name}: was {self.about[name]!r}, is {new.about[name]!r}"
            for name in ("metrics", "representations")
            if self.about[name] != new.about[name]
        ]
        for paths in sorted(self.configurations.keys() & new.configurations.keys()):
            lines += self.configurations[paths].differences(new.configurations[paths])
        missing = {run.id for run in self.runs} - {run.id for run in new.runs}
        if missing and not lines:
            one, two = (Resolved(p.about["bindings"]) for p in (self, new))
            lines = one.differences(two)
            run = next(run for run in self.runs if run.id in missing)
            lines.append(
                f"{len(missing)} of its {len(self.runs)} runs "
                f"{'is' if len(missing) == 1 else 'are'} not in the new grid, "
                f"such as {run.method}, seed {run.seed}, {dict(run.settings)}"
            )
        if lines:
            text = "".join(f"\n  {line}" for line in lines[:8])
            raise checks.ArgumentError(
                f"The study in {self.folder} must resume as it is or with more values; "
                f"received another one:{text}\n  {_REMEDY}"
            )

    def _study(self) -> dict[str, Any]:
        """Returns the content of study.json."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        return {
            "schema_version": SCHEMA_VERSION,
            "created": now,
            **self.about,
            "versions": {
                "tf_disentangle": __version__,
                "python": platform.python_version(),
            },
            "directory": os.getcwd(),
            "configurations": [
                {
                    "files": list(paths),
                    "imports": list(resolved.imports),
                    "bindings": dict(resolved.bindings),
                }
                for paths, resolved in self.configurations.items()
            ],
        }


def find(
    folder: str | os.PathLike, run: str
) -> tuple[PlannedRun, Resolved, dict[str, Any]]:
    """Returns one run of a study by its id or index, without reading all of the plan.

    Returns:
        The run, the final bindings of its files, and what study.json says of the study.

    Raises:
        ArgumentError: If there is no such study or run.
    """
    folder = pathlib.Path(folder)
    about, configurations = _read_study(folder)
    is_index = run.isdecimal() and len(run) < 12
    column, value = ("index", int(run)) if is_index else ("id", run)
    path = folder / plan_table.NAME
    rows = plan_table.read(path, (column, value))
    rule = f"be the id or the index of a run in {path}"
    checks.require(len(rows) == 1, "run", rule, run)
    found = PlannedRun(**rows[0])
    return found, configurations[found.files], about


def _planned(
    point: grids.Point, resolved: Resolved, common: Mapping[str, str], index: int
) -> PlannedRun:
    settings = dict(common)
    for name, value in point.settings.items():
        settings[name] = grids.written(value, f"grid[{name!r}]")
    if point.seed is not None:
        settings["train.seed"] = str(point.seed)
    whole = resolved.changed(settings)
    return PlannedRun(
        id=whole.checksum(_NO_IDENTITY),
        index=index,
        method=point.method,
        strength=point.strength,
        data=point.data or _data_name(whole.bindings),
        seed=int(whole.bindings.get("train.seed", 0)),
        files=point.files,
        settings=settings,
        values={
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in point.settings.items()
        },
    )


def _require_one_score(run: PlannedRun, same: PlannedRun) -> None:
    """Checks that the grid does not score one training in two ways."""
    names = sorted(
        name
        for name in {*run.settings, *same.settings}
        if run.settings.get(name) != same.settings.get(name)
        and not _NO_IDENTITY.isdisjoint(_parts(name))
    )
    rule = "score each run in one way: a metric's binding makes no new run"
    remedy = "Bind it in the study's bindings, or vary it with what makes a run."
    checks.require(not names, "grid", rule, ", ".join(names), remedy)


def _parts(name: str) -> tuple[str, str]:
    """Returns a binding without its scope and module, and its function alone."""
    short = configuration.short_name(name)
    return short, short.split(".")[0]


def _shown(grid: Any) -> list[dict[str, Any]]:
    """Returns a grid as JSON can hold it."""
    parts = [grid] if isinstance(grid, Mapping) else grid
    return [
        {
            ", ".join(key) if isinstance(key, tuple) else key: configs.serialize(
                list(values) if isinstance(values, range) else values
            )
            for key, values in part.items()
        }
        for part in parts
    ]


def _data_name(bindings: Mapping[str, str]) -> str:
    """Returns "DSprites" for "@DSprites()"; for "@published()" the name of the set."""
    kind = re.split(r"[/.]", bindings.get("train.data", "").strip("@()"))[-1]
    parts = (bindings.get(f"{kind}.{part}", "None") for part in ("name", "split"))
    return "-".join(p.strip("'\"") for p in parts if p != "None") or kind


def _common(bindings: Mapping[str, Any]) -> dict[str, str]:
    """Returns the bindings of all runs as text."""
    checks.require_type(bindings, Mapping, "bindings")
    for name in bindings:
        checks.require_type(name, str, "a name in bindings")
        configuration.require_name(name, "a name in bindings")
        rule = "be left out, since seeds and metrics are arguments of their own"
        own = ("train.seed", "train.metrics", "train.output")
        checks.require(configuration.short_name(name) not in own, name, rule, name)
    return {
        name: grids.written(value, f"bindings[{name!r}]")
        for name, value in bindings.items()
    }


def _names(values: Collection[str], argument: str) -> list[str]:
    checks.require_type(values, (list, tuple), argument)
    for value in values:
        checks.require_type(value, str, f"a name in {argument}")
    checks.require(values, argument, "name at least one", values)
    return list(dict.fromkeys(values))


def _read_study(
    folder: pathlib.Path,
) -> tuple[dict[str, Any], dict[tuple[str, ...], Resolved]]:
    about = plan_table.read_about(folder)
    configurations = {
        tuple(item["files"]): Resolved(item["bindings"], tuple(item["imports"]))
        for item in about.pop("configurations")
    }
    return about, configurations
