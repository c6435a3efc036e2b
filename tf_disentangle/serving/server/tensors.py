"""JSON to arrays and back, by a signature, under TensorFlow Serving's rules.

References:
    tensorflow_serving/util/json_tensor.cc and its test.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tf_disentangle.serving.server.errors import ServingError, invalid
from tf_disentangle.serving.server.signature import Signature, Spec, type_name

Inputs = dict[str, np.ndarray]

_JSON_TYPES = {
    bool: "Boolean",
    dict: "Object",
    float: "Number",
    int: "Number",
    list: "Array",
    str: "String",
    type(None): "Null",
}
# A string, which stays, or the short form of infinity, which Python does not read.
_STRING_OR_INF = re.compile(r'"(?:[^"\\]|\\.)*"|\bInf\b')
_LONGEST_SHOWN = 200
_MOST_DIMENSIONS = 32


def read_request(
    body: bytes, signature_of: Callable[[str], Signature]
) -> tuple[str, Inputs, bool]:
    """Reads the body of a predict request.

    Args:
        body: The JSON text.
        signature_of: Returns the signature of a name.

    Returns:
        The signature's name, its inputs, and whether the answer is in rows
        ("instances") rather than in columns ("inputs").

    Raises:
        ServingError: If it is not what the signature takes.
    """
    request = _parsed(body)
    name = request.get("signature_name", "")
    if not isinstance(name, str):
        raise _malformed(
            request,
            "not formatted correctly. 'signature_name' key must be a string value.",
        )
    name = name or "serving_default"
    specs = signature_of(name).inputs
    if not specs:
        raise invalid(f"Failed to get input map for signature: {name}")
    if "instances" in request and "inputs" in request:
        text = "Not formatted correctly expecting only one of 'inputs' or 'instances' "
        raise _malformed(request, text + "keys to exist")
    if "instances" in request:
        return name, _from_rows(request["instances"], specs), True
    if "inputs" in request:
        return name, _from_columns(request["inputs"], specs), False
    raise invalid("Missing 'inputs' or 'instances' key")


def _parsed(body: bytes) -> dict:
    """Returns the object that the text starts with; what follows it is not read."""
    try:
        text = body.decode("utf-8-sig").lstrip(" \t\r\n")
        if not text:
            raise invalid("JSON Parse error: The document is empty")
        if "Inf" in text.replace("Infinity", ""):
            text = _STRING_OR_INF.sub(
                lambda found: "Infinity" if found[0] == "Inf" else found[0], text
            )
        value, _ = _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        text = f"JSON Parse error: Invalid value. {error.msg} at offset: {error.pos}"
        raise invalid(text) from error
    except UnicodeDecodeError as error:
        text = "JSON Parse error: Invalid encoding in string, which must be UTF-8."
        raise invalid(text) from error
    except RecursionError as error:
        raise invalid("JSON Parse error: Lists are nested too deeply.") from error
    except ValueError as error:  # of a whole number of thousands of digits
        raise invalid("JSON Parse error: Number too big to be stored.") from error
    if not isinstance(value, dict):
        raise _malformed(value, "Is not object")
    return value


# Of two equal keys the first one counts.
_DECODER = json.JSONDecoder(object_pairs_hook=lambda pairs: dict(reversed(pairs)))


def _from_rows(rows: Any, specs: Mapping[str, Spec]) -> Inputs:
    """Returns the inputs of "instances": a list with one value or object a row."""
    if not isinstance(rows, list):
        raise _malformed(rows, "Excepting 'instances' to be an list/array")
    if not rows:
        raise _malformed(rows, "No values in 'instances' array")
    named = _is_named(rows[0])
    if not named and len(specs) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple "
            "input tensors required as per tensorinfo_map"
        )
    for position, row in enumerate(rows):
        if _is_named(row) != named:
            expected = "object but got list" if named else "value/list but got object"
            raise invalid(f"Expecting {expected} at item {position} of input list")
        if named and set(row) != set(specs):
            raise invalid(
                f"Failed to process element: {position} of 'instances' list. JSON "
                f"object: {_shown(row)} keys must be equal to: "
                f"{','.join(sorted(specs))}"
            )
    return {
        name: _stacked([row[name] for row in rows] if named else rows, spec)
        for name, spec in specs.items()
    }


def _stacked(rows: list, spec: Spec) -> np.ndarray:
    """Returns one array of all rows, or says which row is the first wrong one."""
    try:
        return _array(rows, spec)
    except ServingError as error:
        whole = error
    first: tuple[int, ...] | None = None
    for position, row in enumerate(rows):
        try:
            shape = _array(row, spec).shape
        except ServingError as error:
            raise invalid(
                f"Failed to process element: {position} of 'instances' list. Error: "
                f"{error.code.name}: {error.message}"
            ) from error
        first = shape if first is None else first
        if math.prod(shape) != math.prod(first):
            found = f"{math.prod(first)} but got: {math.prod(shape)}"
            raise invalid(f"Expecting tensor size: {found}") from whole
        if shape != first:
            found = f"{list(first)} but got: {list(shape)}"
            raise invalid(f"Expecting shape {found}") from whole
    raise whole


def _from_columns(value: Any, specs: Mapping[str, Spec]) -> Inputs:
    """Returns the inputs of "inputs": one value, or an object of all names."""
    if not _is_named(value):
        if len(specs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple "
                "input tensors required as per tensorinfo_map"
            )
        value = dict.fromkeys(specs, value)
    for name in specs:
        if name not in value:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
    return {name: _array(value[name], spec) for name, spec in specs.items()}


def _is_named(value: Any) -> bool:
    """Whether a value is an object of inputs by name, not one string in base64."""
    return isinstance(value, dict) and not _is_base64(value)


def _is_base64(value: dict) -> bool:
    return set(value) == {"b64"} and isinstance(value["b64"], str)


def _array(value: Any, spec: Spec) -> np.ndarray:
    """Returns nested lists of one shape as an array of the type of `spec`."""
    values: list = [value]
    shape: list[int] = []
    while values and isinstance(values[0], list):
        size = len(values[0])
        for item in values:
            if not isinstance(item, list):
                raise _wrong_level(item, len(shape))
            if len(item) != size:
                raise invalid(
                    f"Encountered list at unexpected size: {len(item)} at level: "
                    f"{len(shape)} expected size: {size}"
                )
        shape.append(size)
        if len(shape) > _MOST_DIMENSIONS:
            raise invalid(f"Lists are nested more than {_MOST_DIMENSIONS} deep.")
        values = list(itertools.chain.from_iterable(values))
    if list in set(map(type, values)):
        depth = len(shape)
        raise invalid(
            f"Encountered list at unexpected level: {depth} expected < {depth}"
        )
    return _flat(values, spec.dtype).reshape(shape)


def _wrong_level(item: Any, level: int) -> ServingError:
    return invalid(
        f"JSON Value: {_shown(item)} found at incorrect level: {level + 1} in the "
        "JSON DOM. All values must be at one level."
    )


def _flat(values: list, dtype: np.dtype) -> np.ndarray:
    """Returns plain JSON values as an array [N], without loss."""
    if dtype.kind == "O":
        return _strings(values)
    if dtype == np.bool_:
        _require_types(values, dtype, bool)
        return np.array(values, dtype)
    if np.issubdtype(dtype, np.integer):
        _require_types(values, dtype, int)
        try:
            return np.array(values, dtype)
        except OverflowError as error:
            bounds = np.iinfo(dtype)
            outside = (v for v in values if not bounds.min <= v <= bounds.max)
            raise _wrong_type(next(outside), dtype) from error
    if dtype not in (np.float32, np.float64):
        raise invalid(f"JSON has no values of the type {type_name(dtype.name)}.")
    _require_types(values, dtype, int, float)
    # Whole numbers are refused where a float has no room for all their digits.
    largest = 2 ** (np.finfo(dtype).nmant + 1) - 1
    for value in values:
        if type(value) is int and not -largest <= value <= largest:
            raise _lossy(value, dtype)
    doubles = np.array(values, np.float64)
    with np.errstate(over="ignore"):
        numbers = doubles.astype(dtype)
    lost = np.flatnonzero(np.isinf(numbers) & np.isfinite(doubles))
    if lost.size:
        raise _lossy(values[lost[0]], dtype)
    return numbers


def _strings(values: list) -> np.ndarray:
    """Returns strings, plain ones as UTF-8, as an array [N] of bytes."""
    result = np.empty(len(values), object)
    for position, value in enumerate(values):
        try:
            if isinstance(value, str):
                result[position] = value.encode("utf-8")
            elif isinstance(value, dict) and _is_base64(value):
                text = "".join(value["b64"].split()).rstrip("=")
                padded = text + "=" * (-len(text) % 4)
                result[position] = base64.b64decode(padded, validate=True)
            elif isinstance(value, dict):
                raise _malformed(value, "not formatted correctly for base64 data")
            else:
                raise _wrong_type(value, result.dtype)
        except binascii.Error as error:
            raise invalid("Unable to base64 decode") from error
        except UnicodeError as error:
            text = "JSON Parse error: Invalid encoding in string."
            raise invalid(text) from error
    return result


def _require_types(values: list, dtype: np.dtype, *accepted: type) -> None:
    if not set(map(type, values)) <= set(accepted):
        wrong = next(value for value in values if type(value) not in accepted)
        raise _wrong_type(wrong, dtype)


def _wrong_type(value: Any, dtype: np.dtype) -> ServingError:
    return invalid(
        f"JSON Value: {_shown(value)} Type: {_JSON_TYPES[type(value)]} is not of "
        f"expected type: {type_name(dtype.name)}"
    )


def _lossy(value: float, dtype: np.dtype) -> ServingError:
    kind = type_name(dtype.name)
    text = f"Cannot convert JSON value: {_shown(value)} to {kind} without loss of "
    return invalid(f"{text}precision.")


def _malformed(value: Any, problem: str) -> ServingError:
    return invalid(f"JSON Value: {_shown(value)} {problem}")


def _shown(value: Any) -> str:
    """Returns the beginning of a value as JSON, however large or deep it is."""
    parts = itertools.islice(json.JSONEncoder().iterencode(value), 20)
    text = "".join(part[: _LONGEST_SHOWN + 1] for part in parts)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def write_response(outputs: Mapping[str, np.ndarray], in_rows: bool) -> str:
    """Returns the JSON text of a predict request's answer.

    Args:
        outputs: The outputs by name, float32 [B, ...] and the like.
        in_rows: Whether the request came in rows.

    Raises:
        ServingError: If JSON has no form for them.
    """
    if not in_rows:
        columns = {name: _text(name, array) for name, array in outputs.items()}
        return f'{{"outputs": {_object(columns)}}}'
    batch = None
    for name, array in outputs.items():
        if not array.ndim:
            raise invalid(f"Tensor name: {name} has no shape information")
        batch = len(array) if batch is None else batch
        if len(array) != batch:
            raise invalid(
                f"Tensor name: {name} has inconsistent batch size: {len(array)} "
                f"expecting: {batch}"
            )
    texts = [_rows(name, array) for name, array in outputs.items()]
    rows = [
        _object(dict(zip(outputs, row, strict=True)))
        for row in zip(*texts, strict=True)
    ]
    return f'{{"predictions": [{", ".join(rows)}]}}'


def _object(texts: Mapping[str, str]) -> str:
    """Returns an object of JSON texts; a single one drops its name."""
    if len(texts) == 1:
        return next(iter(texts.values()))
    members = (f"{json.dumps(name)}: {text}" for name, text in texts.items())
    return f"{{{', '.join(members)}}}"


def _text(name: str, array: np.ndarray) -> str:
    return _rows(name, array[np.newaxis])[0]


def _rows(name: str, array: np.ndarray) -> list[str]:
    """Returns the JSON text of each row of an array [B, ...]."""
    texts = _values(name, array.ravel())
    for axis in range(array.ndim - 1, 0, -1):
        size, lists = array.shape[axis], math.prod(array.shape[:axis])
        texts = [
            f"[{', '.join(texts[i * size : (i + 1) * size])}]" for i in range(lists)
        ]
    return texts


def _values(name: str, array: np.ndarray) -> list[str]:
    """Returns the JSON text of each value of an array [N]."""
    if array.dtype in (np.float32, np.float64):
        return _decimals(array)
    if array.dtype == np.bool_:
        return ["true" if value else "false" for value in array]
    if np.issubdtype(array.dtype, np.integer):
        return list(map(str, array.tolist()))
    if array.dtype.kind != "O":
        kind = type_name(array.dtype.name)
        raise invalid(f"Failed to write JSON value for tensor type: {kind}")
    if name.endswith("_bytes"):
        encoded = (base64.b64encode(value).decode("ascii") for value in array)
        return [json.dumps({"b64": text}) for text in encoded]
    return [json.dumps(value.decode("utf-8", "replace")) for value in array]


def _decimals(array: np.ndarray) -> list[str]:
    """Returns floats as decimals: six digits where they suffice, else all it takes."""
    digits = {np.dtype(np.float32): 9, np.dtype(np.float64): 17}[array.dtype]
    numbers = array.tolist()
    texts = [f"{number:.6g}" for number in numbers]
    short = np.array(texts, "U").astype(array.dtype) == array if texts else array
    for position in np.flatnonzero(~short.astype(bool)):
        texts[position] = f"{numbers[position]:.{digits}g}"
    return list(map(_as_float, texts))


def _as_float(text: str) -> str:
    """Returns a decimal that JSON's readers take for a float, as they do 1.0."""
    if text[-1] in "nf":
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[text]
    return text if "." in text or "e" in text else f"{text}.0"
