"""Where each binding of the configuration stands: its file and line."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import gin

_PACKAGE = pathlib.Path(__file__).resolve().parents[1]
MACRO = "gin.macro"


class Key(NamedTuple):
    """What a binding sets: a parameter of a function, in a scope ("" for all)."""

    scope: str
    selector: str
    parameter: str

    @property
    def function(self) -> str:
        """The function's name without its module."""
        return self.selector.rsplit(".", 1)[-1]


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """One reading of a file, or of a binding of the command line.

    Attributes:
        name: What messages call it.
        path: Path of the file; None for a binding of the command line.
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
    def is_users(self) -> bool:
        """Whether the user wrote it and asked for it by name.

        So are the command line and the files of --gin_file, but neither the files that
        those include nor what the library wrote: its own files and a run's config.gin.
        """
        if self.path is None:
            return True
        of_a_run = (
            self.path.name == "config.gin" and self.path.with_name("run.json").exists()
        )
        by_library = of_a_run or self.path.is_relative_to(gin_root())
        return self.parent is None and not by_library


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


#: Where each binding of gin's present configuration stands.
origins: dict[Key, Origin] = {}


def gin_root() -> pathlib.Path:
    """Returns the folder of the library's gin files, in a wheel or a checkout."""
    installed = _PACKAGE / "gin_files"
    return installed if installed.is_dir() else _PACKAGE.parent / "gin"


def value_of(key: Key) -> Any:
    """Returns what a key is bound to, with references as they are written."""
    return gin.config._CONFIG[key[:2]][key.parameter]


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
    value = repr(value_of(key))
    value = value if len(value) <= 60 else f"{value[:57]}..."
    return f"{shown(key)} = {value} ({origins[key]})"
