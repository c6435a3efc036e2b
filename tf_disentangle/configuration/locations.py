"""Where each binding of the configuration stands: its file and line."""

from __future__ import annotations

import dataclasses
import importlib.util
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import gin

_PACKAGE = pathlib.Path(importlib.util.find_spec("tf_disentangle").origin).parent
MACRO = "gin.macro"


class Key(NamedTuple):
    """What a binding sets: a parameter of a function, in a scope ("" for all)."""

    scope: str
    selector: str
    parameter: str


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """One reading of a file, or of a binding of the command line.

    Attributes:
        name: What messages call it.
        path: Of the file; None for a binding of the command line.
        parent: Where the file was included, if it was.
    """

    name: str
    path: pathlib.Path | None = None
    parent: Origin | None = None

    def chain(self) -> Iterator[Source]:
        """Yields this source and those that include it, outwards."""
        yield self
        if self.parent is not None:
            yield from self.parent.source.chain()

    @property
    def of_the_library(self) -> bool:
        """Whether it is a set of the library's defaults that another file includes."""
        included = self.path is not None and self.parent is not None
        return included and self.path.is_relative_to(gin_root())

    @property
    def of_a_run(self) -> bool:
        """Whether it is the configuration of a run that goes on or is looked at."""
        named_so = self.path is not None and self.path.name == "config.gin"
        return named_so and self.path.with_name("run.json").exists()


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a statement stands.

    Attributes:
        source: The file or binding.
        line: Its line, from 1.
        text: The line.
    """

    source: Source
    line: int
    text: str

    def __str__(self) -> str:
        if self.source.path is None:
            return self.source.name
        where = f"{self.source.name}, line {self.line}"
        parent = self.source.parent
        return where if parent is None else f"{where}, included by {parent}"


class Replaced(NamedTuple):
    """A value that a later binding replaced.

    Attributes:
        value: The value before.
        earlier: What was bound by then, less what stands in the file of the later.
    """

    value: Any
    earlier: frozenset[Origin]


#: Where each binding of gin's present configuration stands.
origins: dict[Key, Origin] = {}
#: What it replaced on the way.
replaced: list[Replaced] = []


def gin_root() -> pathlib.Path:
    """Returns the folder of the library's gin files, in a wheel or a checkout."""
    installed = _PACKAGE / "gin_files"
    return installed if installed.is_dir() else _PACKAGE.parent / "gin"


def shown(key: Key) -> str:
    """Returns a key as gin files write it."""
    scope, selector, parameter = key
    if selector == MACRO:
        return scope
    name = gin.config._REGISTRY.minimal_selector(selector)
    return f"{scope}/{name}.{parameter}" if scope else f"{name}.{parameter}"


def described(key: Key) -> str:
    """Returns a binding and where it stands."""
    if origins[key].source.path is None:
        return str(origins[key])
    value = repr(gin.config._CONFIG[key[:2]][key.parameter])
    value = value if len(value) <= 60 else f"{value[:57]}..."
    return f"{shown(key)} = {value} ({origins[key]})"
