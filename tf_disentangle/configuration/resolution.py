"""The final bindings of gin files, found without TensorFlow.

    resolved(["chyvae.gin"]).bindings
        -> {"train.model": "@build_vae", "InverseWishartPrior.nu": "200", ...}

Includes are followed, later bindings win, and macros are replaced by their values: the
result does not depend on how the bindings are spread over files. Names are kept as they
are written: `parse` says whether they mean anything.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import gin

from tf_disentangle import checks
from tf_disentangle.configuration.locations import Source
from tf_disentangle.configuration.reading import (
    included,
    named_file,
    statements,
    text_of,
)


class _Written:
    """A reference or macro, which prints as it was written."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def __hash__(self) -> int:  # gin allows them as keys of dictionaries.
        return hash(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Written) and other.text == self.text


class _Delegate(gin.config_parser.ParserDelegate):
    """Keeps references and macros as they are written."""

    def configurable_reference(self, scoped_selector: str, evaluate: bool) -> _Written:
        """Returns the text of @name or @name()."""
        return _Written(f"@{scoped_selector}{'()' if evaluate else ''}")

    def macro(self, name: str) -> _Written:
        """Returns the text of %name."""
        return _Written(f"%{name}")


@dataclasses.dataclass(frozen=True)
class Resolved:
    """The final bindings of some files.

    Attributes:
        bindings: Text of each value, by the name that is bound.
        imports: The import statements.
    """

    bindings: Mapping[str, str]
    imports: tuple[str, ...] = ()

    def text(self) -> str:
        """Returns a gin file with the same meaning, without includes."""
        lines = [f"{name} = {value}" for name, value in self.bindings.items()]
        return "".join(f"{line}\n" for line in [*self.imports, *lines])

    def changed(self, settings: Mapping[str, str]) -> Resolved:
        """Returns these bindings with others on top of them."""
        bindings = dict(self.bindings)
        for name, value in settings.items():
            bindings[_same(name, bindings)] = value
        return dataclasses.replace(self, bindings=bindings)

    def differences(self, new: Resolved) -> list[str]:
        """Returns a line for each binding that differs in `new`."""
        old, names = self.bindings, {*self.bindings, *new.bindings}
        return [
            f"{name}: was {old.get(name)}, is {new.bindings.get(name)}"
            for name in sorted(names)
            if old.get(name) != new.bindings.get(name)
        ]

    def checksum(self, without: Collection[str] = ()) -> str:
        """Returns 12 hexadecimal digits of SHA-256 of the bindings, in any order.

        Args:
            without: Names of functions or bindings that do not count, without modules.
        """
        lines = list(self.imports)
        for name, value in self.bindings.items():
            short = short_name(name)
            if short not in without and short.split(".")[0] not in without:
                lines.append(f"{short} = {value}")
        text = "\n".join(sorted(lines))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def resolved(files: Sequence[str]) -> Resolved:
    """Returns the final bindings of gin files; later files win.

    Args:
        files: Paths, or names below `gin_root()` such as "chyvae.gin".

    Raises:
        ArgumentError: For a file that is not there, or a mistake in its syntax.
    """
    values: dict[str, Any] = {}
    imports: dict[str, None] = {}
    for file in files:
        source = named_file(file)
        _read(text_of(source), source, values, imports)
    bindings = {
        name: repr(_without_macros(value, values))
        for name, value in values.items()
        if "." in name.rsplit("/", 1)[-1]
    }
    return Resolved(bindings, tuple(imports))


def literal(text: str, argument: str) -> Any:
    """Returns the value that a text has in a gin file; references are strings.

    Args:
        text: Such as "[1, 4, 16]", "'full'" or "@beta_vae()".
        argument: What the text is given for, for errors.

    Raises:
        ArgumentError: If it is not a value.
    """
    source = Source(argument)
    found = [s for s, _ in statements(f"value = {text}", source, _Delegate())]
    checks.require(len(found) == 1, argument, "hold one value", text)
    return _map(lambda written: written.text, found[0].value)


@functools.lru_cache(maxsize=4096)
def short_name(name: str) -> str:
    """Returns "scope/function.parameter" of a binding, without the module."""
    scope, slash, selector = name.rpartition("/")
    return scope + slash + ".".join(selector.split(".")[-2:])


def require_name(name: str, argument: str) -> None:
    """Raises `ArgumentError` unless `name` has the form of a binding's name."""
    rule = "be named FUNCTION.PARAMETER, such as beta_vae.beta"
    form = r"(?:[A-Za-z_][\w.]*/)*[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+"
    checks.require(re.fullmatch(form, name), argument, rule, name)


def _read(
    text: str, source: Source, values: dict[str, Any], imports: dict[str, None]
) -> None:
    for statement, where in statements(text, source, _Delegate()):
        if isinstance(statement, gin.config_parser.BindingStatement):
            scope, selector, parameter, value, _ = statement
            name = ".".join(filter(None, [selector, parameter]))
            name = _same(f"{scope}/{name}" if scope else name, values)
            values[name] = value
        elif isinstance(statement, gin.config_parser.IncludeStatement):
            inner: Source = included(statement.filename, where)
            _read(text_of(inner), inner, values, imports)
        elif isinstance(statement, gin.config_parser.ImportStatement):
            imports[statement.format()] = None


def _same(name: str, known: Mapping[str, Any]) -> str:
    """Returns the name under which the same binding is known, or `name` itself.

    A function may be written with more or less of its module's path.
    """
    if name in known:
        return name
    short, scope = short_name(name), name.rpartition("/")[0]
    for other in known:
        if short_name(other) == short and other.rpartition("/")[0] == scope:
            one, two = sorted((name, other), key=len)
            if two.endswith(f".{one.rpartition('/')[2]}"):
                return other
    return name


def _without_macros(value: Any, values: Mapping[str, Any], depth: int = 0) -> Any:
    """Returns a value with the values of its macros in their place."""

    def replaced(written: _Written) -> Any:
        name = written.text[1:]
        if written.text[0] != "%" or name not in values or depth > 50:
            return written
        return _without_macros(values[name], values, depth + 1)

    return _map(replaced, value)


def _map(function: Any, value: Any) -> Any:
    """Returns a value with each reference and macro in it replaced."""
    if isinstance(value, _Written):
        return function(value)
    if isinstance(value, list | tuple):
        return type(value)(_map(function, item) for item in value)
    if isinstance(value, dict):
        return {_map(function, k): _map(function, v) for k, v in value.items()}
    return value


def arguments(file: str, function: str, known: Collection[str]) -> dict[str, Any]:
    """Returns what a gin file binds to the parameters of one function.

    Args:
        file: A path, or a name below `gin_root()`.
        function: Its name.
        known: Its parameters.

    Returns:
        Values by parameter, with references as strings; empty if the file binds none.

    Raises:
        ArgumentError: If the file binds a parameter that the function does not have, or
            one of this function and something else too.
    """
    values: dict[str, Any] = {}
    source = named_file(file)
    _read(text_of(source), source, values, {})
    own = {n: n.split(".", 1)[1] for n in values if n.startswith(f"{function}.")}
    found = {}
    for name, value in values.items() if own else ():
        argument = f"{name} in {file}"
        if "." not in name:
            continue  # A macro.
        rule = f"be a binding of {function}, which holds those of the runs"
        checks.require(name in own, argument, rule, name)
        rule = f"name a parameter of {function}"
        remedy = checks.nearest(own[name], known)
        checks.require(own[name] in known, argument, rule, own[name], remedy)
        plain = _without_macros(value, values)
        found[own[name]] = _map(lambda written: written.text, plain)
    return found
