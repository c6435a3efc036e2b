"""Whether a configuration goes on with a run: its bindings, with %macros put in."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import gin

from tf_disentangle import checks
from tf_disentangle.configuration import reading
from tf_disentangle.configuration.locations import Source

# Names whose change leaves a run the same run; jit changes the random draws.
_MAY_CHANGE = (
    "train.steps",
    "Intervals.",
    "Device.strategy",
    "Device.steps_per",
    "Device.resident",
)


def require_same_run(config: str | os.PathLike) -> None:
    """Checks that the present configuration goes on with the run of `config`.

    Steps, intervals and devices may change on the way; anything else would make the
    run another one under the same name. Only values count, not how they are written:
    a macro stands for its value, and its own line says nothing.

    Args:
        config: Path of the run's config.gin; nothing is checked if it is not there.

    Raises:
        ArgumentError: If other values differ, naming them, or if `config` is not gin.
    """
    path = pathlib.Path(config)
    if not path.exists():
        return
    before = _bound(path.read_text(encoding="utf-8-sig"), Source(str(path), path))
    now = _bound(gin.config_str(), Source("the configuration"))
    changed = [
        f"{name}: {before.get(name, 'not set')} -> {now.get(name, 'not set')}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name) and not name.startswith(_MAY_CHANGE)
    ]
    if changed:
        lines = "".join(f"\n  {change}" for change in changed)
        raise checks.ArgumentError(
            f"configuration must be that of the run in {path.parent}; received:{lines}"
            "\n  Choose another --output for another run."
        )


class _Name(str):
    """A @reference or %macro, which is shown without quotes."""

    __repr__ = str.__str__


class _AsWritten(gin.config_parser.ParserDelegate):
    """Keeps references and macros as names, so that nothing need be imported."""

    def configurable_reference(self, scoped_selector: str, evaluate: bool) -> _Name:
        """Returns @name or @name()."""
        return _Name(f"@{scoped_selector}()" if evaluate else f"@{scoped_selector}")

    def macro(self, macro_name: str) -> _Name:
        """Returns %name."""
        return _Name(f"%{macro_name}")


def _bound(text: str, source: Source) -> dict[str, str]:
    """Returns the values of a file that `with_defaults` or gin wrote, by name."""
    bound, macros = {}, {}
    for statement in reading.statements(text, source, _AsWritten()):
        if not isinstance(statement, gin.config_parser.BindingStatement):
            continue
        scope, selector, parameter, value, _ = statement
        name = f"{scope}/{selector}" if scope else selector
        if parameter:
            bound[f"{name}.{parameter}"] = value
        else:
            macros[f"%{name}"] = value
    return {name: repr(_resolved(value, macros)) for name, value in bound.items()}


def _resolved(value: Any, macros: Mapping[str, Any]) -> Any:
    """Returns `value` with macros put in; others, such as constants, are left."""
    if isinstance(value, _Name) and value in macros:
        # Without itself, or a macro of itself would have no end.
        others = {name: item for name, item in macros.items() if name != value}
        return _resolved(macros[value], others)
    if isinstance(value, dict):
        items = value.items()
        return {_resolved(k, macros): _resolved(v, macros) for k, v in items}
    if isinstance(value, list | tuple):
        return type(value)(_resolved(item, macros) for item in value)
    return value
