"""Finds which bindings had an effect: a user's binding without any is an error.

gin records the parameters that each call took from it (its operative configuration),
so after everything is built it is known which bindings were taken. A function that is
passed on and has not been called yet (a callback's, a metric's) may still be called, so
its bindings count as used. So do the bindings of a user's `@gin.configurable` function,
which any Python code may call.

There is one rule. An unused binding is an error where the user wrote it: on the command
line, or in a file of theirs that --gin_file names. In what that file includes, and in
what the library wrote, it is dropped, and `drop_unused` returns it to be listed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

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

#: What to use for a parameter that the library passes on.
_INSTEAD = {
    "output": " Use --output.",
    "seed": " Bind train.seed.",
    "dtype": " Bind build_vae.precision.",
}


def drop_unused() -> list[str]:
    """Removes the bindings that nothing used; to be called after `build`.

    Returns:
        For each file that has some, their names.

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
    by_file: dict[str, list[str]] = {}
    for key in sorted(unused, key=lambda key: origins[key].line):
        by_file.setdefault(origins.pop(key).source.name, []).append(shown(key))
        values = gin.config._CONFIG[key[:2]]
        del values[key.parameter]
        if not values:
            del gin.config._CONFIG[key[:2]]
    return [f"{', '.join(bound)} ({file})" for file, bound in by_file.items()]


def unused_bindings() -> list[Key]:
    """Returns the bindings that no call took and none can take any more."""
    todo = [
        key
        for (scope, selector), values in gin.config._OPERATIVE_CONFIG.items()
        for parameter in values
        for key in _taken(scope, selector, parameter)
    ]
    todo += [k for k in origins if not _called(k.selector) and _is_global(k.selector)]
    used: set[Key] = set()
    while todo:
        key = todo.pop()
        if key not in used:
            used.add(key)
            todo += _passed_on(key)
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


def _is_global(selector: str) -> bool:
    """Whether Python code that calls the function gets the bindings too."""
    configurable = gin.config._REGISTRY[selector]
    module = sys.modules.get(configurable.wrapped.__module__)
    public = getattr(module, configurable.wrapped.__name__, None)
    return configurable.module != "gin" and public is configurable.wrapper


def _reason(key: Key) -> str:
    """Returns why nothing used a binding."""
    if key.selector == MACRO:
        parameters = sorted(
            shown(Key(scope, selector, key.scope))
            for (scope, selector), values in gin.config._OPERATIVE_CONFIG.items()
            if key.scope in values
        )
        remedy = f" Did you mean {' or '.join(parameters)}?" if parameters else ""
        return f"there is no %{key.scope} anywhere.{remedy}"
    name = shown(key).rsplit("/", 1)[-1].rsplit(".", 1)[0]
    references = gin.config.iterate_references(gin.config._CONFIG)
    is_referred_to = any(r.config_key[1] == key.selector for r in references)
    if key.scope and (_called(key.selector) or is_referred_to):
        return f"nothing refers to @{key.scope}/{name}."
    if _called(key.selector):
        remedy = _INSTEAD.get(key.parameter, "")
        return f"{name} gets its {key.parameter} from its caller, not from gin.{remedy}"
    return f"{name} is not part of this run, since no @{name} is in use."
