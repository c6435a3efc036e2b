"""Reads gin files: apart from the commands, only this package imports gin.

`parse` reads files and bindings (`reading.py`), using the names of `registry.py`
(`names.py`), and remembers where each binding was made (`locations.py`). `resolved`
returns the final bindings of files, without TensorFlow (`resolution.py`). `build` calls
a configured function and `built` builds what is bound to a parameter; both say what is
wrong with configured values (`messages.py`). `drop_unused` refuses bindings without an
effect (`unused_bindings.py`). The numerics stay free of gin: they are plain functions
and classes, and a call from Python sees no binding.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from typing import Any

import gin

from tf_disentangle import checks
from tf_disentangle.configuration import reading
from tf_disentangle.configuration.locations import gin_root as gin_root
from tf_disentangle.configuration.messages import explained as explained
from tf_disentangle.configuration.names import parameters as parameters
from tf_disentangle.configuration.reading import modules as modules
from tf_disentangle.configuration.reading import named_file as named_file
from tf_disentangle.configuration.reading import text_of as text_of
from tf_disentangle.configuration.resolution import Resolved as Resolved
from tf_disentangle.configuration.resolution import arguments as arguments
from tf_disentangle.configuration.resolution import literal as literal
from tf_disentangle.configuration.resolution import require_name as require_name
from tf_disentangle.configuration.resolution import resolved as resolved
from tf_disentangle.configuration.resolution import short_name as short_name
from tf_disentangle.configuration.unused_bindings import drop_unused as drop_unused
from tf_disentangle.configuration.unused_bindings import (
    unused_bindings as unused_bindings,
)


@functools.cache
def _register() -> None:
    """Makes all parts of the registry known to gin files. Imports TensorFlow."""
    from tf_disentangle import registry

    for kind, table in registry.PARTS.items():
        module = registry.KERAS[kind].__name__ if kind in registry.KERAS else None
        for name, part in table.items():
            gin.external_configurable(part, name, module=module)


def users_parts() -> dict[str, Callable[..., Any]]:
    """Returns what the user's modules have registered with gin so far, by name."""
    from tf_disentangle import registry

    ours = registry.names()
    return {
        item.name: item.wrapped
        for _, item in gin.config._REGISTRY.items()
        if item.module != "gin" and ours.get(item.name) is not item.wrapped
    }


def parse(
    files: Sequence[str],
    bindings: Sequence[str] = (),
    *,
    text: str = "",
    option: str = "--gin_param",
) -> None:
    """Replaces gin's state by these files and then these bindings.

    Args:
        files: Paths, or names below `gin_root()` such as "chyvae.gin".
        bindings: Such as "train.steps = 5000"; they win over the files.
        text: What the library wrote itself, read between files and bindings, such as
            `Resolved.text()`.
        option: How errors name the source of the bindings.

    Raises:
        ArgumentError: For a file that does not exist, or anything gin does not accept.
    """
    _register()
    reading.read(files, bindings, text, option)


def build(name: str, **arguments: Any) -> Any:
    """Calls the configured function `name`; `arguments` win over the bindings.

    Raises:
        ArgumentError: If a value that must be configured is not.
    """
    with explained(name):
        return gin.get_configurable(name)(**arguments)


def is_bound(parameter: str) -> bool:
    """Whether a parameter such as "train.data" has a value from gin."""
    try:
        gin.query_parameter(parameter)
    except ValueError:
        return False
    return True


def built(parameter: str) -> Any:
    """Builds what a parameter such as "train.data" is bound to, and nothing else.

    Raises:
        ArgumentError: If nothing is bound to it, or a value is missing or refused.
    """
    if not is_bound(parameter):
        message = f"{parameter} must be bound in a gin file or with --gin_param."
        raise checks.ArgumentError(message)
    value = gin.query_parameter(parameter)
    with explained(parameter.split(".")[0]):
        return copy.deepcopy(value)  # gin calls its references when they are copied.


def configured(name: str) -> Callable[..., Any]:
    """Returns what gin knows as `name`, with its bindings as defaults."""
    return gin.get_configurable(name)


def bindings(name: str) -> dict[str, Any]:
    """Returns what is bound to the parameters of `name`, which then counts as used."""
    values = gin.get_bindings(name)
    selector = gin.config._REGISTRY.get_match(name).selector
    gin.config._OPERATIVE_CONFIG.setdefault(("", selector), {}).update(values)
    return values


def with_defaults() -> str:
    """Returns the configuration as text that `parse` reads again.

    First what was bound, then, as comments, every value in use with its default.
    """
    operative = gin.operative_config_str().splitlines()
    comments = "\n".join(f"# {line}".rstrip() for line in operative)
    return (
        f"{gin.config_str()}\n"
        "# ------------------------------------------------------------------\n"
        f"# All values in use when the run began, defaults included:\n{comments}\n"
    )
