"""Which bindings had an effect: one without any is a mistake, and is told.

gin records the parameters that each call took from it (its operative configuration),
so after everything is built it is known which bindings were taken. Three cases need
thought:

- A function that is passed on and has not been called yet (a callback's, a metric's
  inner part) may still be: what is bound to it counts as used.
- So does what is bound to a user's `@gin.configurable` function, which any Python
  code may call later. Functions of the library and of `@gin.register` are reached
  through references only.
- What a file of defaults binds (the library's, or a run's config.gin) may belong to a
  part that a later binding replaced: it is dropped, and named, but is no mistake.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from typing import Any

import gin

from tf_disentangle import checks
from tf_disentangle.configuration.origins import (
    MACRO,
    Key,
    described,
    origins,
    shown,
)

# Where what the library passes on comes from.
_INSTEAD = {
    "output": " Use --output.",
    "seed": " Bind train.seed.",
    "dtype": " Bind vae.precision.",
}


def drop_unused(later: Collection[str] = ()) -> list[str]:
    """Removes the bindings of defaults that nothing used; to be called after `build`.

    Args:
        later: Functions that are only called later, by name: their bindings are left.

    Returns:
        A description of each of them.

    Raises:
        ArgumentError: If a binding of the user's own was not used, naming all such.
    """
    names = set(later)
    unused = unused_bindings()
    unused = [k for k in unused if k.selector.rsplit(".", 1)[-1] not in names]
    mistakes = [k for k in unused if not origins[k].source.inherited]
    if mistakes:
        lines = "".join(f"\n  {_described(key)}" for key in mistakes)
        noun = "binding" if len(mistakes) == 1 else "bindings"
        raise checks.ArgumentError(
            f"every binding must be used; received {len(mistakes)} {noun} that "
            f"nothing in this run uses:{lines}"
        )
    for key in unused:
        values = gin.config._CONFIG[key[:2]]
        del values[key.parameter]
        if not values:
            del gin.config._CONFIG[key[:2]]
    return [f"{shown(k)} ({origins.pop(k)})" for k in unused]


def unused_bindings() -> list[Key]:
    """Returns the bindings that no call took and none can take any more."""
    used = {
        key
        for (scope, selector), values in gin.config._OPERATIVE_CONFIG.items()
        for parameter in values
        for key in _taken(scope, selector, parameter)
    }
    for (scope, selector), values in gin.config._CONFIG.items():
        if not _called(selector) and _called_from_python(selector):
            used.update(Key(scope, selector, parameter) for parameter in values)
    todo = list(used)
    while todo:
        for key in _passed_on(todo.pop()):
            if key not in used:
                used.add(key)
                todo.append(key)
    return sorted(key for key in origins if key not in used)


def _taken(scope: str, selector: str, parameter: str) -> Iterator[Key]:
    """Yields the binding that a call in `scope` takes: that of the innermost scope."""
    parts = scope.split("/") if scope else []
    for length in range(len(parts), -1, -1):
        key = Key("/".join(parts[:length]), selector, parameter)
        if parameter in gin.config._CONFIG.get(key[:2], {}):
            yield key
            return


def _passed_on(key: Key) -> Iterator[Key]:
    """Yields what functions in the value of `key`, not called so far, will take."""
    value = gin.config._CONFIG[key[:2]][key.parameter]
    for reference in gin.config.iterate_references(value):
        scope, selector = reference.config_key
        if _called(selector, scope):
            continue
        bound = {p for s, p in _bound_parameters() if s == selector}
        for parameter in sorted(bound):
            yield from _taken(scope, selector, parameter)


def _bound_parameters() -> Iterator[tuple[str, str]]:
    for (_, selector), values in gin.config._CONFIG.items():
        yield from ((selector, parameter) for parameter in values)


def _called(selector: str, scope: str = "") -> bool:
    """Whether a function was called, in `scope` if one is given."""
    calls = gin.config._OPERATIVE_CONFIG
    return any(name == selector and scope in ("", s) for s, name in calls)


def _called_from_python(selector: str) -> bool:
    """Whether Python code that calls the function gets the bindings too."""
    configurable = gin.config._REGISTRY[selector]
    module = sys.modules.get(configurable.wrapped.__module__)
    public = getattr(module, configurable.wrapped.__name__, None)
    return configurable.module != "gin" and public is configurable.wrapper


def _described(key: Key) -> str:
    """Returns a binding, where it stands and why nothing used it."""
    return f"{described(key)}: {_reason(key)}"


def _reason(key: Key) -> str:
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
    """Returns the parameters in use that are called like a macro that is not."""
    calls: dict[tuple[str, str], dict[str, Any]] = gin.config._OPERATIVE_CONFIG
    found = sorted(
        shown(Key(scope, selector, macro))
        for (scope, selector), values in calls.items()
        if macro in values
    )
    return f" Did you mean {' or '.join(found)}?" if found else ""
