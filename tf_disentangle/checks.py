"""Argument and shape checks, with one format for every error of the library.

Each message names the argument, the rule, the value received and, where there is
one, the remedy:

    nu must be greater than p - 1 = 9; received 5.0. Raise nu or lower num_latents.

`ArgumentError` is a `ValueError` and `ArgumentTypeError` a `TypeError`, so that
callers catch what they expect; the command line tells the user's mistakes (exit code
2) from the library's own (exit code 1) by these two classes.
"""

from __future__ import annotations

import difflib
import inspect
import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


class _Nothing:
    """Stands for no value where some were asked for, and is shown without quotes."""

    def __repr__(self) -> str:
        return "nothing"


#: What `message` and `require` are told to have received, where that was nothing.
NOTHING = _Nothing()


class ArgumentError(ValueError):
    """An argument has a value that its rule forbids."""


class ArgumentTypeError(TypeError):
    """An argument has a type that its rule forbids."""


def message(argument: str, rule: str, received: Any, remedy: str = "") -> str:
    """Returns the one sentence form of all errors."""
    text = f"{argument} must {rule}; received {_shown(received)}."
    return f"{text} {remedy}" if remedy else text


def _shown(value: Any) -> str:
    """Returns `value` as a reader knows it: names without addresses, not too long."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if inspect.isroutine(value):
        return f"the function {value.__name__}"
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray) and value.size > 10:
        return f"an array {value.dtype.name} {list(value.shape)}"
    text = repr(value)
    if text.startswith("<") and text.endswith(">"):
        text = f"a {type(value).__name__}"
    return text if len(text) <= 300 else f"{text[:297]}..."


def see(page: str) -> str:
    """Returns the sentence that names a page of the guide, for a long remedy.

    Args:
        page: A page's file in docs/guide or docs, without .md.
    """
    return f"See tf_disentangle help {page}."


def require(
    condition: Any, argument: str, rule: str, received: Any, remedy: str = ""
) -> None:
    """Raises `ArgumentError` unless `condition` holds."""
    if not condition:
        raise ArgumentError(message(argument, rule, received, remedy))


def given(value: Any, argument: str, remedy: str) -> None:
    """Raises `ArgumentError` if an option of the command line was left out."""
    require(value, argument, "be given", NOTHING, remedy)


def require_type(
    value: Any, types: type | tuple[type, ...], argument: str, remedy: str = ""
) -> None:
    """Raises `ArgumentTypeError` unless `value` is of one of `types`.

    A bool is not taken for an int, which it is for Python.
    """
    accepted = types if isinstance(types, tuple) else (types,)
    is_bool = isinstance(value, bool) and bool not in accepted
    if is_bool or not isinstance(value, accepted):
        # numpy's own scalars are taken too, and go without saying.
        named = [t.__name__ for t in accepted if not issubclass(t, np.generic)]
        names = " or ".join(named or [t.__name__ for t in accepted])
        raise ArgumentTypeError(message(argument, f"be {names}", value, remedy))


def integer(value: Any, argument: str, *, at_least: int, remedy: str = "") -> int:
    """Returns `value` as an int that is at least `at_least`."""
    if isinstance(value, float) and value.is_integer() and not remedy:
        remedy = f"Write {int(value)}, without a point or an exponent."
    require_type(value, (int, np.integer), argument, remedy)
    require(value >= at_least, argument, f"be at least {at_least}", value, remedy)
    return int(value)


def seed(value: Any, argument: str = "seed") -> int:
    """Returns `value` as a seed of TensorFlow's draws, which are int32."""
    seed = integer(value, argument, at_least=0)
    require(seed < 2**31, argument, "be less than 2**31", seed)
    return seed


def real(
    value: Any,
    argument: str,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    remedy: str = "",
) -> float:
    """Returns `value` as a finite float inside the given bounds."""
    require_type(value, (int, float, np.integer, np.floating), argument, remedy)
    require(np.isfinite(value), argument, "be finite", value, remedy)
    largest = float(np.finfo(np.float32).max)
    require(abs(value) <= largest, argument, "be finite in float32", value, remedy)
    if at_least is not None:
        require(value >= at_least, argument, f"be at least {at_least}", value, remedy)
    if above is not None:
        require(value > above, argument, f"be greater than {above}", value, remedy)
    if at_most is not None:
        require(value <= at_most, argument, f"be at most {at_most}", value, remedy)
    return float(value)


def accepts(function: Any, *arguments: Any, **options: Any) -> bool:
    """Whether `function` takes these arguments, by its signature.

    It may need others too, which gin or a partial supplies.
    """
    try:
        inspect.signature(function).bind_partial(*arguments, **options)
    except TypeError:
        return False
    except ValueError:  # some built-in functions tell no signature
        return callable(function)
    return True


def known_options(
    function: Any, options: Iterable[str], name: str | None = None
) -> None:
    """Raises Python's own `TypeError` for an option of another name, with the nearest.

    Args:
        function: What the options are passed on to.
        options: Their names.
        name: What the user called; None is the function itself.
    """
    known = inspect.signature(function).parameters
    for option in options:
        if option not in known:
            text = f"{name or function.__name__}() got an unexpected keyword argument "
            raise TypeError(f"{text}'{option}'. {suggestion(option, known)}".strip())


def close_names(name: str, known: Iterable[str]) -> list[str]:
    """Returns the known names that `name` may be meant for, the nearest first."""
    known = sorted(known)
    if in_other_case := [k for k in known if k.lower() == name.lower()]:
        return in_other_case
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    # One that fits clearly better stands alone.
    likeness = [difflib.SequenceMatcher(None, c, name).ratio() for c in close]
    return [c for c, r in zip(close, likeness, strict=True) if r > likeness[0] - 0.1]


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns "Did you mean ...?", or the known names when none is near."""
    known = sorted(known)
    if close := close_names(name, known):
        return f"Did you mean {' or '.join(close)}?"
    return f"Known: {', '.join(known)}." if known else ""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Returns "Did you mean ...?", or "" when no name is near."""
    text = nearest(name, known)
    return text if text.startswith("Did") else ""


def one_of(value: Any, choices: Sequence[Any], argument: str) -> Any:
    """Returns `value` if it is one of `choices`, else suggests the nearest."""
    if value in choices:
        return value
    shown = ", ".join(repr(choice) for choice in choices)
    names = [choice for choice in choices if isinstance(choice, str)]
    remedy = suggestion(value, names) if isinstance(value, str) else ""
    raise ArgumentError(message(argument, f"be one of {shown}", value, remedy))


def image_shape(shape: Sequence[int], argument: str = "image_shape") -> tuple:
    """Returns `shape` as a tuple (H, W, C) of positive ints."""
    rule = "be three positive integers (height, width, channels)"
    ok = isinstance(shape, Sequence | np.ndarray) and len(shape) == 3
    ok = ok and all(isinstance(s, numbers.Real) and s > 0 for s in shape)
    require(ok and all(s % 1 == 0 for s in shape), argument, rule, shape)
    return tuple(int(s) for s in shape)


def channels_last(shape: Sequence[int], wanted: Sequence[int]) -> str:
    """Returns the remedy for images whose channels come first, "" for others.

    Args:
        shape: Of the images, [N, C, H, W].
        wanted: (H, W, C).
    """
    is_first = tuple(shape[1:]) == (wanted[-1], *wanted[:-1])
    return "Move the channels last: np.moveaxis(images, 1, -1)." if is_first else ""


def uint8_images(images: Any, argument: str = "images") -> np.ndarray:
    """Returns `images` as a uint8 array [B, H, W, C]."""
    images = np.asarray(images)
    remedy = ""
    if images.ndim == 3:
        remedy = "Add an axis: images[..., np.newaxis] or images[np.newaxis]."
    require(images.ndim == 4, argument, "have shape [B, H, W, C]", images.shape, remedy)
    if images.dtype != np.uint8:
        remedies = {
            "f": "Floats in [0, 1] become uint8 by np.round(255 * x).astype(np.uint8).",
            "i": "Integers in 0 to 255 become uint8 by x.astype(np.uint8).",
            "b": "True becomes white by np.uint8(255) * x.",
        }
        remedy = remedies.get(images.dtype.kind.replace("u", "i"), "")
        raise ArgumentTypeError(
            message(argument, "be of dtype uint8", images.dtype.name, remedy)
        )
    return images


def is_vector(shape: Sequence[int]) -> bool:
    """Whether data of `shape` (H, W, C) are vectors: one pixel that holds C numbers."""
    return tuple(shape[:2]) == (1, 1)


def images_or_vectors(images: Any, argument: str = "images") -> np.ndarray:
    """Returns uint8 images [B, H, W, C], or finite float32 vectors [B, 1, 1, C]."""
    images = np.asarray(images)
    if images.ndim != 4 or not is_vector(images.shape[1:]):
        return uint8_images(images, argument)
    if images.dtype != np.float32:
        remedy = "Data of one pixel are vectors, not images: x.astype(np.float32)."
        text = message(argument, "be of dtype float32", images.dtype.name, remedy)
        raise ArgumentTypeError(text)
    wrong = images[~np.isfinite(images)]
    first = wrong[0].item() if wrong.size else None
    require(not wrong.size, argument, "be finite", first)
    return images
