"""A grid of settings: which combinations of values a study trains.

It has the form of scikit-learn's `ParameterGrid`: a dictionary of lists stands for all
combinations of their values, and a list of dictionaries for one grid after the other. A
key that is a tuple of names takes tuples of values, so that these names change
together:

    [{"method": "beta_vae.gin", "beta_vae.beta": [1.0, 4.0, 16.0]},
     {"method": "chyvae.gin",
      ("InverseWishartPrior.nu", "train.batch_size"): [(100, 50), (1000, 100)]}]

Names with a dot are gin bindings. The others are `method`, `data`, `seed` and `label`.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tf_disentangle import checks, configuration

#: What a grid can name besides bindings.
NAMES = {
    "method": "a gin file of a model, or a list of gin files that are read in turn",
    "data": "a gin file of a data set, from gin/datasets or elsewhere",
    "seed": "the seed of training, train.seed",
    "label": "what tables and figures call the method; its file's name by default",
}

#: A number, text, bool or None, or a list of such.
Value = Any

_RANGE = re.compile(r"range\(\s*(-?\d+(?:\s*,\s*-?\d+){0,2})\s*,?\s*\)")


@dataclasses.dataclass(frozen=True)
class Point:
    """One combination of a grid.

    Attributes:
        method: What the method is called.
        files: The method's gin files, and then that of its data.
        data: What the data set is called; "" if the method's files choose it.
        seed: The seed of training; None leaves that of the files.
        settings: Values of the bindings that the grid names.
        strength: The value of the one binding with a number that varies in this part
            of the grid, an axis for figures; None if there is none, or several. It does
            not say which binding that is; `settings` gives the setting of a run.
    """

    method: str
    files: tuple[str, ...]
    data: str
    seed: int | None
    settings: Mapping[str, Value]
    strength: float | None


def points(
    grid: Mapping[Any, Any] | Sequence[Mapping[Any, Any]],
    data: str | Sequence[str] | None = None,
    seeds: int | Sequence[int] | None = None,
) -> Iterator[Point]:
    """Yields the combinations of a grid.

    `data` changes slowest, then the parts of the grid, then the bindings within a part
    (a later one faster than an earlier one), and the seed fastest.

    Args:
        grid: A dictionary, or a list of dictionaries.
        data: Gin files of data sets, for the parts of the grid that name none.
        seeds: Seeds, or how many, for the parts that name none.

    Raises:
        ArgumentError: If a name is unknown or a value has no meaning.
        ArgumentTypeError: If something has another type.
    """
    parts = [grid] if isinstance(grid, Mapping) else grid
    checks.require_type(parts, (list, tuple), "grid")
    checks.require(len(parts), "grid", "have at least one part", parts)
    sets: list[Any] = list(data) if data is not None and _is_several(data) else [data]
    checks.require(sets, "data", "name at least one file", data)
    for number, one in enumerate(sets):
        for position, part in enumerate(parts):
            where = "grid" if len(parts) == 1 else f"grid[{position}]"
            checks.require_type(part, Mapping, where)
            names_data = any(
                "data" in (key if isinstance(key, tuple) else (key,)) for key in part
            )
            if not (names_data and number):
                yield from _points_of(part, None if names_data else one, seeds, where)


def parse_sweep(text: str) -> tuple[Any, list[Value]]:
    """Returns the name and the values that --sweep gives.

    Args:
        text: "NAME=VALUES", where the values are a list as in a gin file, a single
            value, or range(stop), range(start, stop) or range(start, stop, step).
            Several names, separated by commas, take a list of tuples.

    Raises:
        ArgumentError: If it has another form.
    """
    name, equals, values = text.partition("=")
    rule, argument = "be NAME=VALUES", "--sweep"
    remedy = "For example --sweep='beta_vae.beta=[1, 4, 16]'."
    is_pair = name.strip() and equals and values.strip()
    checks.require(is_pair, argument, rule, text, remedy)
    names = tuple(part.strip() for part in name.strip().strip("()").split(","))
    if numbers := _RANGE.fullmatch(values.strip()):
        limits = [int(number) for number in numbers[1].split(",")]
        is_endless = len(limits) == 3 and limits[2] == 0
        checks.require(not is_endless, argument, "have a step other than 0", text)
        found: Value = list(range(*limits))
    else:
        found = configuration.literal(values.strip(), f"--sweep={text!r}")
    key = names[0] if len(names) == 1 else names
    return key, found if isinstance(found, list) else [found]


def written(value: Value, argument: str) -> str:
    """Returns a value as a gin file has it; "@name()" and "%name" are references.

    Raises:
        ArgumentError: If gin files cannot have such a value.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return value if re.match(r"[@%][\w./]+(\(\))?$", value) else repr(value)
    if isinstance(value, dict):
        pairs = [(written(k, argument), written(v, argument)) for k, v in value.items()]
        return f"{{{', '.join(f'{k}: {v}' for k, v in pairs)}}}"
    if isinstance(value, list | tuple | np.ndarray):
        items = [written(item, argument) for item in value]
        if isinstance(value, tuple):
            return f"({', '.join(items)}{',' * (len(items) == 1)})"
        return f"[{', '.join(items)}]"
    is_plain = value is None or isinstance(value, bool | int | float)
    if isinstance(value, float):
        is_plain = math.isfinite(value)
    rule = "have values that a gin file can have"
    remedy = "A reference to a function is a text that begins with @."
    checks.require(is_plain, argument, rule, value, remedy)
    return repr(value)


def _points_of(
    part: Mapping[Any, Any], data: str | None, seeds: Any, where: str
) -> Iterator[Point]:
    """Yields the combinations of one dictionary."""
    axes = [_axis(key, values, where) for key, values in part.items()]
    known = [name for names, _ in axes for name in names]
    twice = sorted({name for name in known if known.count(name) > 1})
    checks.require(not twice, where, "name each binding once", ", ".join(twice))
    rule, remedy = "name a method", "For example {'method': 'beta_vae.gin', ...}."
    checks.require("method" in known, where, rule, sorted(map(str, part)), remedy)
    if data is not None:
        axes.append((("data",), [(data,)]))
    if seeds is not None and "seed" not in known:
        axes.append((("seed",), [(seed,) for seed in _seeds(seeds)]))
    # The seed changes fastest, wherever it stands.
    axes.sort(key=lambda axis: "seed" in axis[0])
    varied = _varied_number(axes)
    for combination in itertools.product(*(rows for _, rows in axes)):
        chosen: dict[str, Value] = {}
        for (names, _), row in zip(axes, combination, strict=True):
            chosen |= zip(names, row, strict=True)
        yield _point(chosen, varied, where)


def _axis(
    key: Any, values: Any, where: str
) -> tuple[tuple[str, ...], list[tuple[Value, ...]]]:
    """Returns the names of a key, and the rows of values that they take in turn."""
    names = key if isinstance(key, tuple) else (key,)
    names = tuple(_name(name, where) for name in names)
    argument = f"{where}[{key!r}]"
    if names == ("seed",):
        return names, [(seed,) for seed in _seeds(values, argument, is_count=False)]
    rows = list(values) if _is_several(values) else [values]
    checks.require(rows, argument, "have at least one value", values)
    if not isinstance(key, tuple):
        return names, [(value,) for value in rows]
    rule = f"have tuples of {len(names)} values, as it names {len(names)}"
    for row in rows:
        fits = isinstance(row, list | tuple) and len(row) == len(names)
        checks.require(fits, argument, rule, row)
    return names, [tuple(row) for row in rows]


def _name(name: Any, where: str) -> str:
    """Returns a checked name; "train.seed" is the same as "seed"."""
    checks.require_type(name, str, f"a name in {where}")
    if "." not in name:
        remedy = checks.suggestion(name, NAMES)
        remedy = remedy or "Bindings are named FUNCTION.PARAMETER."
        rule = f"be a binding or one of {', '.join(NAMES)}"
        checks.require(name in NAMES, f"a name in {where}", rule, name, remedy)
        return name
    configuration.require_name(name, f"a name in {where}")
    if configuration.short_name(name) == "train.seed":
        return "seed"
    by_study = {
        "train.output": "its folders",
        "train.dry_run": "dry_run",
        "train.metrics": "metrics",
    }
    rule = "be left out, for the study chooses " + by_study.get(name, "")
    checks.require(name not in by_study, name, rule, name)
    return name


def _is_several(values: Any) -> bool:
    return isinstance(values, list | tuple | range | np.ndarray)


def _seeds(values: Any, argument: str = "seeds", *, is_count: bool = True) -> list[int]:
    """Returns seeds; where `is_count`, a single number says how many."""
    if not _is_several(values):
        least = 1 if is_count else 0
        number = checks.integer(values, argument, at_least=least)
        return list(range(number)) if is_count else [checks.seed(number, argument)]
    checks.require(len(values), argument, "have at least one value", values)
    return [checks.seed(seed, argument) for seed in values]


def _varied_number(axes: Any) -> str | None:
    """Returns the one binding of a part that takes several values, all numbers.

    Among names that change together, it is the first with a different number in each
    row.
    """
    varied = []
    for names, rows in axes:
        columns = dict(zip(names, zip(*rows, strict=True), strict=True))
        columns = {name: v for name, v in columns.items() if name not in NAMES}
        num = len({repr(values) for values in zip(*columns.values(), strict=True)})
        if num > 1:
            right = (
                name
                for name, values in columns.items()
                if all(map(_is_number, values)) and len(set(values)) == num
            )
            varied.append(next(right, None))
    return varied[0] if len(varied) == 1 else None


def _is_number(value: Any) -> bool:
    kinds = (int, float, np.integer, np.floating)
    return isinstance(value, kinds) and not isinstance(value, bool)


def _point(chosen: dict[str, Value], varied: str | None, where: str) -> Point:
    strength = None if varied is None else float(chosen[varied])
    settings = {k: v for k, v in chosen.items() if k not in NAMES}
    method = chosen["method"]
    files = list(method) if _is_several(method) else [method]
    for file in [*files, chosen.get("data", "")]:
        checks.require_type(file, str, f"a gin file in {where}")
    label = chosen.get("label", "+".join(pathlib.Path(file).stem for file in files))
    checks.require_type(label, str, f"{where}['label']")
    data = chosen.get("data")
    if data is not None:
        files.append(_data_file(data))
    return Point(
        method=label,
        files=tuple(files),
        data=pathlib.Path(data or "").stem,
        seed=chosen.get("seed"),
        settings=settings,
        strength=strength,
    )


def require_told_apart(runs: Iterable[Any]) -> None:
    """Checks that tables and figures would not mistake two runs for one.

    Args:
        runs: With method, data, seed, values and files; no run twice.

    Raises:
        ArgumentError: If two runs differ in nothing but their gin files.
    """
    called: dict[tuple[Any, ...], Any] = {}
    for run in runs:
        key = (run.method, run.data, run.seed, repr(sorted(run.values.items())))
        other = called.setdefault(key, run)
        rule = f"tell its runs apart; two are called {run.method}"
        files = f"{', '.join(other.files)} and {', '.join(run.files)}"
        remedy = "Give each method a 'label', and each data set its own file name."
        checks.require(other is run, "grid", rule, files, remedy)


def _data_file(name: str) -> str:
    """Returns a data set's gin file: as it is, or one of gin/datasets."""
    root = configuration.gin_root()
    if pathlib.Path(name).exists() or (root / name).exists():
        return name
    inside = pathlib.Path("datasets") / name
    if (root / inside).exists():
        return str(inside)
    names = [path.name for path in (root / "datasets").glob("*.gin")]
    rule = f"be a file, or a name in {root / 'datasets'}"
    message = checks.message("data", rule, name, checks.nearest(name, names))
    raise checks.ArgumentError(message)
