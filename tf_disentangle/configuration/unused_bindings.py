"""Which bindings had an effect: one of the user's without any is an error.

gin records the parameters that each call took from it (its operative configuration),
so after everything is built it is known which bindings were taken. A function that is
passed on and has not been called yet (a callback's, a metric's) may still be: what is
bound to it counts as used. So does what is bound to a user's `@gin.configurable`
function, which any Python code may call.

There is one rule. An unused binding is an error where the user wrote it: on the command
line, or in a file of theirs that --gin_file names. In what that file includes, and in
what the library wrote, it is dropped, and `drop_unused` returns it to be listed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import gin

from tf_disentangle import checks
from tf_disentangle.configuration.locations import (
    MACRO,
    Key,
    described,
    origins,
    shown,
    value_of,
)

# Where what the library passes on comes from.
_INSTEAD = {
    "output": " Use --output.",
    "seed": " Bind train.seed.",
    "dtype": " Bind build_vae.precision.",
}


def drop_unused() -> list[str]:
    """Removes the bindings that nothing used; to be called after `build`.

    Returns:
        For each file that has some, their names and lines.

    Raises:
        ArgumentError: If a binding that the user wrote was not used, naming all such.
    """
    unused = unused_bindings()
    mistakes = [key for key in unused if origins[key].source.is_users]
    if mistakes:
        text = "".join(f"\n  {described(k)}: {_reason(k)}" for k in mistakes)
        noun = "binding" if len(mistakes) == 1 else "bindings"
        raise checks.ArgumentError(
            f"every binding must be used; received {len(mistakes)} {noun} that "
            f"nothing in this run uses:{text}"
        )
    lines = _by_file(unused)
    for key in unused:
        values = gin.config._CONFIG[key[:2]]
        del values[key.parameter]
        if not values:
            del gin.config._CONFIG[key[:2]]
        del origins[key]
    return lines


def _by_file(keys: Iterable[Key]) -> list[str]:
    """Returns one text for each file: what it binds of `keys`, and where."""
    files: dict[str, list[Key]] = {}
    for key in sorted(keys, key=lambda key: origins[key].line):
        files.setdefault(origins[key].source.name, []).append(key)
    return [
        f"{', '.join(map(shown, bound))} ({name}, line{'s' if len(bound) > 1 else ''} "
        f"{', '.join(str(origins[key].line) for key in bound)})"
        for name, bound in files.items()
    ]


def unused_bindings() -> list[Key]:
    """Returns the bindings that no call took and none can take any more."""
    used = {
        key
        for (scope, selector), values in gin.config._OPERATIVE_CONFIG.items()
        for parameter in values
        for key in _taken(scope, selector, parameter)
    }
    for key in origins:
        if not _called(key.selector) and _called_from_python(key.selector):
            used.add(key)
    todo = list(used)
    while todo:
        new = set(_passed_on(todo.pop())) - used
        used |= new
        todo += new
    return sorted(key for key in origins if key not in used)


def _taken(scope: str, selector: str, parameter: str) -> Iterator[Key]:
    """Yields the binding that a call in `scope` takes: that of the innermost scope."""
    parts = scope.split("/") if scope else []
    for length in range(len(parts), -1, -1):
        key = Key("/".join(parts[:length]), selector, parameter)
        if key in origins:
            yield key
            return


def _passed_on(key: Key) -> Iterator[Key]:
    """Yields what functions in the value of `key`, not called so far, will take."""
    for reference in gin.config.iterate_references(value_of(key)):
        scope, selector = reference.config_key
        if not _called(selector, scope):
            for parameter in {k.parameter for k in origins if k.selector == selector}:
                yield from _taken(scope, selector, parameter)


def _called(selector: str, scope: str = "") -> bool:
    """Whether a function was called, in `scope` if one is named."""
    calls = gin.config._OPERATIVE_CONFIG
    return any(name == selector and scope in ("", s) for s, name in calls)


def _called_from_python(selector: str) -> bool:
    """Whether Python code that calls the function gets the bindings too."""
    configurable = gin.config._REGISTRY[selector]
    module = sys.modules.get(configurable.wrapped.__module__)
    public = getattr(module, configurable.wrapped.__name__, None)
    return configurable.module != "gin" and public is configurable.wrapper


def _reason(key: Key) -> str:
    """Returns why nothing used a binding."""
    name = shown(key).rsplit("/", 1)[-1].rsplit(".", 1)[0]
    if key.selector == MACRO:
        return f"there is no %{key.scope} anywhere.{_meant(key.scope)}"
    if key.scope and (_called(key.selector) or _referred(key.selector)):
        return f"nothing refers to @{key.scope}/{name}."
    if _called(key.selector):
        remedy = _INSTEAD.get(key.parameter, "")
        return f"{name} gets its {key.parameter} from its caller, not from gin.{remedy}"
    return f"{name} is not part of this run, for no @{name} is in use."


def _referred(selector: str) -> bool:
    references = gin.config.iterate_references(gin.config._CONFIG)
    return any(reference.config_key[1] == selector for reference in references)


def _meant(macro: str) -> str:
    """Returns the parameters in use that have the name of a macro that is not used."""
    calls = gin.config._OPERATIVE_CONFIG
    names = sorted(
        shown(Key(scope, selector, macro))
        for (scope, selector), values in calls.items()
        if macro in values
    )
    return f" Did you mean {' or '.join(names)}?" if names else ""
