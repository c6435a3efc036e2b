"""What a user reads when configured values are refused: which, why, and where set.

The library's errors are written for Python. What a user of gin needs in addition is
added here: the binding that set the value, with its file and line, and how gin writes
what was meant, such as @Name() with its parentheses for an object and @name for a
function.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import gin

from tf_disentangle import checks
from tf_disentangle.configuration import names
from tf_disentangle.configuration.locations import (
    MACRO,
    Key,
    described,
    origins,
    value_of,
)

_CALL = re.compile(
    r"\n  In call to configurable '([^']+)' \(.*\)(?: in scope '([^']*)')?"
)
_MISSING = re.compile(
    r"missing \d+ required .*?arguments?: (.*)"
    r"|Required bindings for .* not provided in config: (.*)"
)
_WRONG_CALL = re.compile(r" takes .*positional arguments? but \d+ (?:was|were) given")


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
    except checks.ArgumentTypeError as error:
        raise checks.ArgumentTypeError(_with_binding(error)) from error
    except checks.ArgumentError as error:
        raise checks.ArgumentError(_with_binding(error)) from error
    except Exception as error:
        message = _in_our_words(error, name)
        if message is None:
            raise
        raise checks.ArgumentError(message) from error


def _in_our_words(error: Exception, name: str) -> str | None:
    """Returns our words for an error raised by others, None if it may be our fault."""
    text, calls = _without_calls(error)
    function = calls[0][0] if calls else name
    if isinstance(error, RecursionError):
        rule = "not refer to itself, in a macro or a reference"
        return f"the configuration must {rule}; received {name} calling itself."
    # TensorFlow, which has its own class for it, is not imported here.
    if type(error).__name__ in ("MemoryError", "ResourceExhaustedError"):
        text = re.sub(r"^\{\{.*?\}\} ", "", text).split(" and type ")[0]
        return f"what {function} makes must fit in memory; received {text}."
    message = _of_missing(text, function) or _of_wrong_function(text, function)
    if message is not None:
        return message
    # While parts are built, it is Keras that refuses a configured value.
    selectors = gin.config._REGISTRY.matching_selectors(function)
    is_keras = any(selector.startswith("keras.") for selector in selectors)
    if isinstance(error, ValueError) or (isinstance(error, TypeError) and is_keras):
        return f"{function}: {_with_binding(error)}"
    return None


def _without_calls(error: Exception) -> tuple[str, list[tuple[str, str]]]:
    """Returns a message less gin's additions, and its calls: (function, scope)."""
    text = str(error)
    calls = [(match[1], match[2] or "") for match in _CALL.finditer(text)]
    text = _CALL.sub("", text).split("\n  No values supplied by Gin")[0]
    return text.strip(), calls  # The innermost call comes first.


def _with_binding(error: Exception) -> str:
    """Returns a message, and a line that says where the argument was bound, if so."""
    text, calls = _without_calls(error)
    # Ours name the argument first; Keras writes Argument `name`.
    argument = re.match(r"(?:[\w/]+\.)?(\w+) must |.*Argument `(?=(\w+))", text)
    name = argument and (argument[1] or argument[2])
    keys = [k for k in origins if k.parameter == name]
    for function, scope in calls[:1]:
        keys = [k for k in keys if k.function == function] or keys
        keys = [k for k in keys if k.scope == scope] or keys
    if len(keys) != 1:
        return text
    return f"{text}\n  {described(keys[0])}{_as_gin_writes_it(keys[0], text)}"


def _as_gin_writes_it(key: Key, text: str) -> str:
    """Returns how gin writes what was meant, if its @, () or quotes are at fault."""
    rule, _, received = text.partition("; received ")
    takes_function = re.search(r"\b(?:function|callable)s?\b", rule)
    value = value_of(key)
    for reference in gin.config.iterate_references(value):
        name = f"@{reference.scoped_selector}"
        if reference.config_key[1] == MACRO:
            continue
        if reference.evaluate and takes_function:
            return f": write {name} without parentheses."
        is_uncalled = re.match(r"\W*(?:the|a) (?:class|function)\b", received)
        if is_uncalled and not takes_function and not re.search(r"\blist\b", rule):
            return f": write {name}() with its parentheses."
    if isinstance(value, str):
        name = {name.lower(): name for name in names.known()}.get(value.lower(), "")
        takes_function = takes_function or re.search(r"\bPass a function", received)
        call = "" if takes_function else "()"
        return f": write @{name}{call} without quotes." if name else ""
    return ""


def _references(function: str, evaluated: bool) -> list[Key]:
    """Returns the bindings to @function, or if `evaluated`, to @function()."""
    return [
        key
        for key in origins
        for reference in gin.config.iterate_references(value_of(key))
        if reference.evaluate == evaluated and reference.configurable.name == function
    ]


def _of_missing(text: str, function: str) -> str | None:
    """Returns the message for a value that is needed and not bound."""
    missing = _MISSING.search(text)
    if missing is None:
        return None
    values = (missing[1] or missing[2]).splitlines()[0].strip("[]")
    message = (
        f"{function} needs a value for {values}. Bind it in a gin file or with "
        f"--gin_param='{function}.NAME = VALUE'."
    )
    for key in _references(function, evaluated=True)[:1]:
        message += (
            f"\n  {described(key)}: if {function} itself is meant, not what it "
            f"returns, write @{function} without parentheses."
        )
    return message


def _of_wrong_function(text: str, function: str) -> str | None:
    """Returns the message for a function that is passed on where another is meant."""
    keys = _references(function, evaluated=False)
    if not keys or not _WRONG_CALL.match(text.removeprefix(f"{function}()")):
        return None
    rule = f"name a function of another kind than {function}"
    message = checks.message(keys[0].parameter, rule, text)
    return f"{message}\n  {described(keys[0])}"
