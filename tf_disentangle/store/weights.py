"""Weights as safetensors: names, types, shapes and numbers, and nothing to run."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from tf_disentangle import checks
from tf_disentangle.models import LatentModel
from tf_disentangle.store.places import PRECISIONS
from tf_disentangle.store.reading import AGAIN

_MOST_HEADER = 2**24
_LEFT_OUT = ("critic",)


def variables_of(model: LatentModel) -> dict[str, Any]:
    """Returns the variables that a model encodes and decodes with, by their names.

    A critic, which only training uses, is left out.
    """
    found: dict[str, Any] = {}
    parts = {name: p for name, p in model.parts.items() if name not in _LEFT_OUT}
    for part, layer in parts.items():
        for variable in layer.variables:
            name = base = f"{part}/{variable.path}"
            count = 1
            while name in found:  # Two layers of a user's may have one name.
                count += 1
                name = f"{base}.{count}"
            found[name] = variable
    return found


def rounded(model: LatentModel, precision: str) -> dict[str, np.ndarray]:
    """Returns the weights of a model in a precision.

    Raises:
        ArgumentError: If one is too large for float16, or not finite.
    """
    checks.one_of(precision, PRECISIONS, "precision")
    arrays = {name: np.asarray(v) for name, v in variables_of(model).items()}
    for name, array in arrays.items():
        if not np.issubdtype(array.dtype, np.floating):
            continue
        checks.require(np.isfinite(array).all(), name, "be finite", "NaN or infinite")
        with np.errstate(over="ignore"):
            arrays[name] = array.astype(precision)
        fits, remedy = np.isfinite(arrays[name]).all(), "Publish in float32."
        rule, largest = "fit into float16", float(np.abs(array).max(initial=0.0))
        checks.require(fits, name, rule, largest, remedy)
    return arrays


@contextlib.contextmanager
def holding(model: LatentModel, arrays: Mapping[str, np.ndarray]) -> Iterator[None]:
    """Gives a model other weights within the block."""
    before = {name: np.asarray(v) for name, v in variables_of(model).items()}
    try:
        assign(model, arrays)
        yield
    finally:
        assign(model, before)


def assign(model: LatentModel, arrays: Mapping[str, np.ndarray]) -> None:
    """Gives a model weights, in its own precision.

    Raises:
        ArgumentError: If they are not those of the model, each in its shape.
    """
    variables = variables_of(model)
    rule = "hold the weights of the model, no fewer and no others"
    missing = sorted(variables.keys() - arrays.keys())
    extra = sorted(arrays.keys() - variables.keys())
    received = ", ".join([*(f"no {n}" for n in missing), *extra])
    checks.require(not missing and not extra, "model.safetensors", rule, received)
    for name, variable in variables.items():
        shape, own = arrays[name].shape, tuple(variable.shape)
        checks.require(shape == own, name, f"have shape {list(own)}", list(shape))
        same_kind = arrays[name].dtype.kind == np.dtype(variable.dtype).kind
        rule = f"hold numbers as {variable.dtype} does"
        checks.require(same_kind, name, rule, arrays[name].dtype.name)
        finite = arrays[name].dtype.kind != "f" or np.isfinite(arrays[name]).all()
        checks.require(finite, name, "be finite", "NaN or infinite")
    for name, variable in variables.items():
        variable.assign(arrays[name].astype(variable.dtype))


def write(arrays: Mapping[str, np.ndarray], about: Mapping[str, str]) -> bytes:
    """Returns arrays as a safetensors file, with one text about them.

    The library would write several texts in any order.
    """
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return safetensors.numpy.save(contiguous, metadata=dict(about))


def read(content: bytes, argument: str) -> dict[str, np.ndarray]:
    """Returns the arrays of a safetensors file.

    Args:
        content: The whole file.
        argument: What errors call it.

    Raises:
        ArgumentError: If it is cut short, or its header is wrong.
    """
    size = struct.unpack("<Q", content[:8])[0] if len(content) >= 8 else 0
    rule = f"have a header that fits into its {len(content):,} bytes"
    fits = 2 <= size <= min(len(content) - 8, _MOST_HEADER)
    checks.require(fits, argument, rule, f"one of {size:,}", AGAIN)
    try:
        return safetensors.numpy.load(content)
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        rule = "be a safetensors file of numbers"
        text = checks.message(argument, rule, str(error), AGAIN)
        raise checks.ArgumentError(text) from error
