"""What a user reads when configured values are refused: which, why, set where."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import gin

from tf_disentangle import checks
from tf_disentangle.configuration import reading
from tf_disentangle.configuration.locations import Key, described, origins

_MEMORY = "ResourceExhaustedError"
_CALL = re.compile(r"\n  In call to configurable '([^']+)' \((.*)\)(?: in scope .*)?")
_MISSING = re.compile(r"missing \d+ required .*?arguments?: (.*)")
_NO_KEYWORD = re.compile(r"(?:unexpected keyword argument|not recognized: \{)'?(\w+)")


@contextlib.contextmanager
def explained(name: str) -> Iterator[None]:
    """Turns what a configured call raises for its values into one clear message.

    Args:
        name: The function that is called in the block.

    Raises:
        ArgumentError: If a value is missing, or refused by whatever takes it.
        ArgumentTypeError: If a value has another type.
    """
    try:
        yield
    except (checks.ArgumentError, checks.ArgumentTypeError) as error:
        text, functions = _without_calls(str(error))
        kind = checks.ArgumentTypeError if isinstance(error, TypeError) else None
        kind = kind or checks.ArgumentError
        raise kind(text + _set_where(text, functions)) from error
    except Exception as error:
        message = _in_our_words(error, name)
        if message is None:
            raise
        raise checks.ArgumentError(message) from error


def _in_our_words(error: Exception, name: str) -> str | None:
    """Returns what a user reads of an error of others, None if it may be our fault."""
    text, functions = _without_calls(str(error))
    function = functions[0] if functions else name
    if isinstance(error, RecursionError):
        rule = "not refer to itself, in a macro or a reference"
        return f"the configuration must {rule}; received {name} calling itself."
    # TensorFlow, which has its own class for it, is not imported here.
    if isinstance(error, MemoryError) or type(error).__name__ == _MEMORY:
        text = re.sub(r"^\{\{.*?\}\} ", "", text).split(" and type ")[0]
        return f"what {function} makes must fit in memory; received {text}."
    known = _of_missing(text, function) or _of_keyword(text, function)
    if known is not None:
        return known
    if isinstance(error, ValueError) or (
        isinstance(error, TypeError) and _is_keras(function)
    ):
        # While parts are built, it is Keras that refuses a configured value.
        return f"{function}: {text}{_set_where(text, functions)}"
    return None


def _without_calls(text: str) -> tuple[str, list[str]]:
    """Returns a message less gin's additions, and the calls they name, inner first."""
    functions = [match[1] for match in _CALL.finditer(text)]
    text = _CALL.sub("", text).split("\n  No values supplied by Gin")[0]
    return text.strip(), functions


def _set_where(text: str, functions: list[str]) -> str:
    """Returns a line that says where the refused argument was bound, if it was."""
    # Ours name the argument first; Keras writes Argument `name`.
    argument = re.match(r"(?:[\w/]+\.)?(\w+) must |.*Argument `(?=(\w+))", text)
    name = argument and (argument[1] or argument[2])
    keys = [k for k in origins if k.parameter == name]
    inside = [k for k in keys if k.selector.rsplit(".", 1)[-1] in functions[:1]]
    keys = inside or keys
    if len(keys) != 1:
        return ""
    return f"\n  {described(keys[0])}"


def _of_missing(text: str, function: str) -> str | None:
    """Returns the message for a value that is needed and not bound."""
    required = re.search(r"Required bindings for .* not provided in config: (.*)", text)
    missing = required or _MISSING.search(text)
    if missing is None:
        return None
    names = missing[1].splitlines()[0].strip("[]")
    message = (
        f"{function} needs a value for {names}. Bind it in a gin file or with "
        f"--gin_param='{function}.NAME = VALUE'."
    )
    called_by = [k for k in origins if _calls(k, function)]
    if not called_by:
        return message
    return (
        f"{message}\n  {described(called_by[0])}: if {function} itself is "
        f"wanted, not what it returns, write @{function} without parentheses."
    )


def _calls(key: Key, function: str) -> bool:
    """Whether the value of `key` calls `function`, as @function() does."""
    value = gin.config._CONFIG[key[:2]][key.parameter]
    return any(
        reference.evaluate and reference.configurable.name == function
        for reference in gin.config.iterate_references(value)
    )


def _of_keyword(text: str, function: str) -> str | None:
    """Returns the message for a parameter that a class with **kwargs does not know."""
    unknown = _NO_KEYWORD.search(text)
    if unknown is None:
        return None
    known = _parameters_of_all_bases(function)
    keys = [k for k in origins if k.parameter == unknown[1]]
    where = f"{origins[keys[0]]}: " if keys else ""
    name, rule = f"{function}.{unknown[1]}", f"name a parameter of {function}"
    remedy = checks.nearest(unknown[1], known)
    return where + checks.message(name, rule, unknown[1], remedy)


def _parameters_of_all_bases(function: str) -> list[str]:
    """Returns the parameters that a class and those it extends name."""
    configurable = gin.config._REGISTRY.get_match(function)
    wrapped = configurable.wrapped
    if not isinstance(wrapped, type):
        return reading.parameters(wrapped)
    bases = [base for base in wrapped.__mro__ if "__init__" in vars(base)]
    names = {name for base in bases[:-1] for name in reading.parameters(base.__init__)}
    return sorted(names - {"self", "args", "kwargs"})


def _is_keras(function: str) -> bool:
    matching = gin.config._REGISTRY.matching_selectors(function)
    return any(selector.startswith("keras.") for selector in matching)
