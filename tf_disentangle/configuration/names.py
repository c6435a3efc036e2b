"""The names that gin files can use: of parts, and of their parameters."""

from __future__ import annotations

import collections
import inspect
from typing import Any

import gin

from tf_disentangle import checks
from tf_disentangle.configuration.locations import Origin

_VARIABLE = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


def ambiguous() -> set[str]:
    """Returns the short names that more than one function has."""
    count = collections.Counter(item.name for _, item in gin.config._REGISTRY.items())
    return {name for name, times in count.items() if times > 1}


def find(selector: str, where: Origin) -> Any:
    """Returns what gin files call `selector`."""
    try:
        part = gin.config._parse_context().get_configurable(selector)
    except KeyError:
        several = sorted(gin.config._REGISTRY.matching_selectors(selector))
        rule = f"be one of {' or '.join(several)} in full"
        raise where.error("a name", rule, selector) from None
    except (NameError, AttributeError, ValueError) as error:
        # Under dynamic_registration: a module or a name in it is missing or taken.
        reason = str(error).splitlines()[0]
        raise checks.ArgumentError(f"{where}: {reason}") from error
    if part is None:
        rule = "be one that gin knows (tf_disentangle list)"
        remedy = checks.suggestion(selector.rsplit(".", 1)[-1], known())
        raise where.error("a name", rule, selector, remedy)
    return part


def known() -> list[str]:
    """Returns the short names that gin files can use."""
    items = (item for _, item in gin.config._REGISTRY.items())
    return sorted({item.name for item in items if item.module != "gin"})


def parameters(part: Any) -> dict[str, inspect.Parameter]:
    """Returns the parameters of a function or class by name.

    The parameters of a class with **kwargs are its own and those of the classes that it
    extends, except for Keras's classes if it is not itself one of Keras's.
    """
    functions = [inspect.unwrap(part)]
    if isinstance(part, type):
        own = part.__module__.partition(".")[0]
        functions = [
            vars(base)["__init__"]
            for base in part.__mro__[:-1]
            if "__init__" in vars(base)
            and (own == "keras" or not base.__module__.startswith("keras."))
        ]
    result: dict[str, inspect.Parameter] = {}
    for function in functions:
        signature = inspect.signature(function).parameters
        variable = {p.kind for p in signature.values()} & _VARIABLE
        for name, parameter in signature.items():
            if name != "self" and parameter.kind not in variable:
                result.setdefault(name, parameter)
        if inspect.Parameter.VAR_KEYWORD not in variable:
            break
    return result


def check_parameter(
    configurable: Any, selector: str, parameter: str, where: Origin
) -> None:
    """Refuses a parameter that a function does not have, with the nearest names.

    A **kwargs takes any name, except in Keras's own classes: it is for their bases.
    """
    part, known = configurable.wrapped, parameters(configurable.wrapped)
    takes_any = gin.config._might_have_parameter(configurable.wrapper, parameter)
    if part.__module__.startswith("keras."):
        takes_any = False
    if parameter not in known and not takes_any:
        rule = f"name a parameter of {selector}"
        remedy = checks.nearest(parameter, known)
        raise where.error(f"{selector}.{parameter}", rule, parameter, remedy)
