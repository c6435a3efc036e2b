"""What a user reads when configured values are refused: which, why, set where.

The library's errors speak Python. What a user of gin needs beside them is added here:
the binding that set the value, with its file and line, and how gin writes what was
meant, as @Name() with its parentheses for an object and @name for a function.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import NamedTuple

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
_MISSING = re.compile(r"missing \d+ required .*?arguments?: (.*)")
_REQUIRED = re.compile(r"Required bindings for .* not provided in config: (.*)")
_WRONG_CALL = re.compile(r" takes .*positional arguments? but \d+ (?:was|were) given")
_NO_KEYWORD = re.compile(r"(?:unexpected keyword argument|not recognized: \{)'?(\w+)")


class _Call(NamedTuple):
    """A call of gin's that an error passed through."""

    function: str
    scope: str


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
        text, calls = _without_calls(str(error))
        kind = (
            checks.ArgumentTypeError
            if isinstance(error, checks.ArgumentTypeError)
            else checks.ArgumentError
        )
        raise kind(text + _binding(text, calls)) from error
    except Exception as error:
        message = _in_our_words(error, name)
        if message is None:
            raise
        raise checks.ArgumentError(message) from error


def _in_our_words(error: Exception, name: str) -> str | None:
    """Returns what a user reads of an error of others, None if it may be our fault."""
    text, calls = _without_calls(str(error))
    function = calls[0].function if calls else name
    if isinstance(error, RecursionError):
        rule = "not refer to itself, in a macro or a reference"
        return f"the configuration must {rule}; received {name} calling itself."
    # TensorFlow, which has its own class for it, is not imported here.
    if isinstance(error, MemoryError) or type(error).__name__ == (
        "ResourceExhaustedError"
    ):
        text = re.sub(r"^\{\{.*?\}\} ", "", text).split(" and type ")[0]
        return f"what {function} makes must fit in memory; received {text}."
    known = (
        _of_missing(text, function)
        or _of_keyword(text, function)
        or _of_wrong_function(text, function)
    )
    if known is not None:
        return known
    if isinstance(error, ValueError) or (
        isinstance(error, TypeError) and _is_keras(function)
    ):
        # While parts are built, it is Keras that refuses a configured value.
        return f"{function}: {text}{_binding(text, calls)}"
    return None


def _without_calls(text: str) -> tuple[str, list[_Call]]:
    """Returns a message less gin's additions, and the calls they name, inner first."""
    calls = [_Call(match[1], match[2] or "") for match in _CALL.finditer(text)]
    text = _CALL.sub("", text).split("\n  No values supplied by Gin")[0]
    return text.strip(), calls


def _binding(text: str, calls: list[_Call]) -> str:
    """Returns a line that says where the refused argument was bound, if it was."""
    # Ours name the argument first; Keras writes Argument `name`.
    argument = re.match(r"(?:[\w/]+\.)?(\w+) must |.*Argument `(?=(\w+))", text)
    name = argument and (argument[1] or argument[2])
    keys = [k for k in origins if k.parameter == name]
    for call in calls[:1]:
        keys = [k for k in keys if k.function == call.function] or keys
        keys = [k for k in keys if k.scope == call.scope] or keys
    if len(keys) != 1:
        return ""
    return f"\n  {described(keys[0])}{_as_gin_writes_it(keys[0], text)}"


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
        known = {name.lower(): name for name in names.known()}
        name = known.get(value.lower(), "")
        takes_function = takes_function or re.search(r"\bPass a function", received)
        call = "" if takes_function else "()"
        return f": write @{name}{call} without quotes." if name else ""
    return ""


def _of_missing(text: str, function: str) -> str | None:
    """Returns the message for a value that is needed and not bound."""
    missing = _REQUIRED.search(text) or _MISSING.search(text)
    if missing is None:
        return None
    values = missing[1].splitlines()[0].strip("[]")
    message = (
        f"{function} needs a value for {values}. Bind it in a gin file or with "
        f"--gin_param='{function}.NAME = VALUE'."
    )
    called_by = [k for k in origins if _refers(k, function, evaluate=True)]
    if not called_by:
        return message
    return (
        f"{message}\n  {described(called_by[0])}: if {function} itself is "
        f"meant, not what it returns, write @{function} without parentheses."
    )


def _refers(key: Key, function: str, evaluate: bool) -> bool:
    """Whether the value of `key` has @function, or if `evaluate`, @function()."""
    return any(
        reference.evaluate == evaluate and reference.configurable.name == function
        for reference in gin.config.iterate_references(value_of(key))
    )


def _of_keyword(text: str, function: str) -> str | None:
    """Returns the message for a parameter that a class with **kwargs does not know."""
    unknown = _NO_KEYWORD.search(text)
    if unknown is None:
        return None
    keys = [k for k in origins if k.parameter == unknown[1]]
    where = f"{origins[keys[0]]}: " if keys else ""
    name, rule = f"{function}.{unknown[1]}", f"name a parameter of {function}"
    part = gin.config._REGISTRY.get_match(function).wrapped
    remedy = checks.nearest(unknown[1], names.parameters(part))
    return where + checks.message(name, rule, unknown[1], remedy)


def _of_wrong_function(text: str, function: str) -> str | None:
    """Returns the message for a function that is passed on where another is meant."""
    passed_on = [k for k in origins if _refers(k, function, evaluate=False)]
    if not passed_on or not _WRONG_CALL.match(text.removeprefix(f"{function}()")):
        return None
    rule = f"name a function of another kind than {function}"
    message = checks.message(passed_on[0].parameter, rule, text)
    return f"{message}\n  {described(passed_on[0])}"


def _is_keras(function: str) -> bool:
    matching = gin.config._REGISTRY.matching_selectors(function)
    return any(selector.startswith("keras.") for selector in matching)
