"""Where each binding of the configuration was made: its file and line."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import gin

from tf_disentangle import checks

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
    """One reading of a file, or of a binding of the command line."""

    name: str  #: What messages call it.
    path: pathlib.Path | None = None  #: None for a binding of the command line.
    parent: Origin | None = None  #: Where the file was included, if it was.
    is_library: bool = False  #: Whether the library wrote it, which has no file.

    def chain(self) -> Iterator[Source]:
        """Yields this source and those that include it, outwards."""
        yield self
        if self.parent is not None:
            yield from self.parent.source.chain()

    @property
    def is_users(self) -> bool:
        """Whether the user wrote it and asked for it by name.

        This is true of the command line and the files of --gin_file, but neither of the
        files that those include nor of what the library wrote: its own files and a
        run's config.gin.
        """
        if self.path is None or self.parent is not None:
            return self.path is None and not self.is_library
        is_of_run = self.path.name == "config.gin" and (
            self.path.with_name("run.json").exists()
        )
        return not is_of_run and not self.path.is_relative_to(gin_root())


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a statement stands."""

    source: Source
    line: int  #: From 1.
    text: str  #: The line itself.

    def __str__(self) -> str:
        if self.source.path is None:
            return self.source.name
        where = f"{self.source.name}, line {self.line}"
        parent = self.source.parent
        return where if parent is None else f"{where}, included by {parent}"

    def error(
        self, argument: str, rule: str, received: Any, remedy: str = ""
    ) -> checks.ArgumentError:
        """Returns the error about a statement here, in the form of `checks.message`."""
        message = checks.message(argument, rule, received, remedy)
        return checks.ArgumentError(f"{self}: {message}")


#: Where each binding of gin's present configuration was made.
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
    """Returns a binding and where it was made."""
    if origins[key].source.path is None:
        return str(origins[key])
    value = repr(value_of(key))
    value = value if len(value) <= 60 else f"{value[:57]}..."
    return f"{shown(key)} = {value} ({origins[key]})"
