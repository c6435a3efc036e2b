"""Which bindings had an effect: one without any is a mistake, and is told.

gin records the parameters that each call took from it (its operative configuration),
so after everything is built it is known which bindings were taken. Three cases need
thought:

- A function that is passed on and has not been called yet (a callback's, a metric's
  inner part) may still be: what is bound to it counts as used.
- So does what is bound to a user's `@gin.configurable` function, which any Python
  code may call later. Functions of the library and of `@gin.register` are reached
  through references only.
- What a file binds may belong to a part, or be a macro, that a later binding replaced:
  it is dropped, and named, but is no mistake (`_forgiven` has the rule).
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import gin

from tf_disentangle import checks
from tf_disentangle.configuration.locations import (
    MACRO,
    Key,
    described,
    origins,
    replaced,
    shown,
)

# Where what the library passes on comes from.
_INSTEAD = {
    "output": " Use --output.",
    "seed": " Bind train.seed.",
    "dtype": " Bind build_vae.precision.",
}


def drop_unused(later: Collection[str] = ()) -> list[str]:
    """Removes the bindings of defaults that nothing used; to be called after `build`.

    Args:
        later: Functions that are only called later, by name: their bindings are left.

    Returns:
        For each file that has some, their names and lines.

    Raises:
        ArgumentError: If a binding of the user's own was not used, naming all such.
    """
    unused = unused_bindings(later)
    used = [key for key in origins if key not in unused]
    mistakes = [key for key in unused if not _forgiven(key, used)]
    if mistakes:
        lines = "".join(f"\n  {_described(key)}" for key in mistakes)
        noun = "binding" if len(mistakes) == 1 else "bindings"
        raise checks.ArgumentError(
            f"every binding must be used; received {len(mistakes)} {noun} that "
            f"nothing in this run uses:{lines}"
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
    """Returns one line for each file: what it binds of `keys`, and where."""
    files: dict[str, list[Key]] = {}
    for key in sorted(keys, key=lambda key: origins[key].line):
        files.setdefault(origins[key].source.name, []).append(key)
    return [
        f"{', '.join(shown(key) for key in bound)} ({name}, "
        f"line{'s' if len(bound) > 1 else ''} "
        f"{', '.join(str(origins[key].line) for key in bound)})"
        for name, bound in files.items()
    ]


def _forgiven(key: Key, used: Iterable[Key]) -> bool:
    """Whether an unused binding is no mistake.

    The command line's always is one. What the library's files, when included, bind
    never is. In other files a binding is none if a later one, in another file or on
    the command line, replaced a value that led to it. In a run's config.gin it is none
    either while the run refers to its function: evaluation gives metrics values of its
    own.
    """
    origin = origins[key]
    if origin.source.path is None:
        return False
    if origin.source.of_the_library:
        return True
    values = [old.value for old in replaced if origin in old.earlier]
    if origin.source.of_a_run:
        values += [gin.config._CONFIG[k[:2]][k.parameter] for k in used]
    return _lead_to(key, values)


def _lead_to(key: Key, values: list[Any]) -> bool:
    """Whether functions and macros in `values`, or bound to such, would take `key`."""
    found: set[tuple[str, str]] = set()
    todo = values
    while todo:
        references = gin.config.iterate_references(todo)
        new = {reference.config_key for reference in references} - found
        found |= new
        todo = [
            bound
            for (scope, selector), bound in gin.config._CONFIG.items()
            if any(s == selector and (s != MACRO or scope == n) for n, s in new)
        ]
    if key.selector == MACRO:
        return key[:2] in found
    scopes = [f"{scope}/" for scope, _ in found]
    inside = not key.scope or any(s.startswith(f"{key.scope}/") for s in scopes)
    return inside and any(selector == key.selector for _, selector in found)


def unused_bindings(later: Collection[str] = ()) -> list[Key]:
    """Returns the bindings that no call took and none can take any more.

    Args:
        later: Functions that are only called later, by name.
    """
    used = {
        key
        for (scope, selector), values in gin.config._OPERATIVE_CONFIG.items()
        for parameter in values
        for key in _taken(scope, selector, parameter)
    }
    for (scope, selector), values in gin.config._CONFIG.items():
        if not _called(selector) and _called_from_python(selector):
            used.update(Key(scope, selector, parameter) for parameter in values)
    used.update(k for k in origins if k.selector.rsplit(".", 1)[-1] in later)
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
