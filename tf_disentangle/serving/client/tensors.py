"""Arrays to TensorFlow Serving's tensors and back: its messages and its JSON."""

from __future__ import annotations

import base64
import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_disentangle import checks
from tf_disentangle.serving.client import messages

# TensorFlow's number and name of a type, numpy's, and the field of its values.
_TYPES = (
    (1, "DT_FLOAT", "float32", "float_val"),
    (2, "DT_DOUBLE", "float64", "double_val"),
    (3, "DT_INT32", "int32", "int_val"),
    (4, "DT_UINT8", "uint8", "int_val"),
    (5, "DT_INT16", "int16", "int_val"),
    (6, "DT_INT8", "int8", "int_val"),
    (7, "DT_STRING", "object", "string_val"),
    (9, "DT_INT64", "int64", "int64_val"),
    (10, "DT_BOOL", "bool", "bool_val"),
    (17, "DT_UINT16", "uint16", "int_val"),
    (19, "DT_HALF", "float16", "half_val"),
    (22, "DT_UINT32", "uint32", "uint32_val"),
    (23, "DT_UINT64", "uint64", "uint64_val"),
)
_BY_NUMBER = {number: (dtype, field) for number, _, dtype, field in _TYPES}
_BY_DTYPE = {dtype: (number, field) for number, _, dtype, field in _TYPES}
_DTYPE_OF_NAME = {name: dtype for _, name, dtype, _ in _TYPES}
# __saved_model_init_op is among the signatures, but cannot be called.
_INTERNAL = "__"
# Characters of a value in JSON, at most; a float32 is written as the double it is.
_DIGITS = {"u1": 3, "b1": 5}


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """What a signature says of one input or output.

    Attributes:
        dtype: numpy's name of its type; "object" for bytes; "" for any other.
        shape: Its sizes, None for a free one; None if nothing is known.
    """

    dtype: str
    shape: tuple[int | None, ...] | None

    def num_bytes(self) -> int:
        """Returns the size of one row, 0 where it is not known."""
        if not self.shape or None in self.shape[1:] or self.dtype in ("", "object"):
            return 0
        return int(np.prod(self.shape[1:])) * np.dtype(self.dtype).itemsize

    def empty(self) -> np.ndarray:
        """Returns an array of no rows."""
        shape = (self.shape or (None,))[1:]
        return np.zeros((0, *(size or 0 for size in shape)), self.dtype or "object")


@dataclasses.dataclass(frozen=True)
class Signature:
    """Names and types of what a signature takes and gives.

    Attributes:
        inputs: By name.
        outputs: By name.
    """

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


def to_message(array: np.ndarray) -> Any:
    """Returns an array as a message; objects are bytes."""
    rule = f"have one of the types {', '.join(_BY_DTYPE)}"
    known = array.dtype.name in _BY_DTYPE
    checks.require(known, "each input", rule, array.dtype.name)
    number, _ = _BY_DTYPE[array.dtype.name]
    tensor = messages.Tensor(dtype=number)
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    if array.dtype == object:
        tensor.string_val.extend(array.reshape(-1).tolist())
    else:
        little = array.dtype.newbyteorder("<")
        tensor.tensor_content = np.ascontiguousarray(array, little).tobytes()
    return tensor


def from_message(tensor: Any) -> np.ndarray:
    """Returns a message's array, from the bytes or from the typed field.

    A typed field may hold fewer values than the shape: its last value is then repeated.

    Raises:
        ValueError: If the type is not known, or the values do not fit the shape.
    """
    if tensor.dtype not in _BY_NUMBER:
        raise ValueError(f"a tensor of type number {tensor.dtype}, which is not known")
    dtype, field = _BY_NUMBER[tensor.dtype]
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    count = int(np.prod(shape, dtype=np.int64))
    if tensor.tensor_content:
        little = np.dtype(dtype).newbyteorder("<")
        flat = np.frombuffer(tensor.tensor_content, little).astype(dtype)
    elif dtype == "float16":  # Its bits, as integers.
        flat = np.array(tensor.half_val, np.uint16).view(np.float16)
    else:
        flat = np.array(getattr(tensor, field), dtype)
    if len(flat) < count and not tensor.tensor_content:
        last = flat[-1:] if len(flat) else np.array([b""] if dtype == "object" else [0])
        missing = np.repeat(last.astype(dtype), count - len(flat))
        flat = np.concatenate([flat, missing])
    return flat.reshape(shape)


def to_json(array: np.ndarray) -> Any:
    """Returns an array as what `json` writes; bytes become {"b64": text}."""
    if array.dtype != object:
        return array.tolist()
    return [{"b64": base64.b64encode(item).decode()} for item in array]


def from_json(value: Any, spec: TensorSpec) -> np.ndarray:
    """Returns the array of an output in JSON, of the type that the signature says.

    Raises:
        ValueError: If it is not made of numbers, or rows differ in shape.
    """
    if spec.dtype != "object":
        return np.array(value, spec.dtype or None)
    flat = np.empty(len(value), object)
    for k, item in enumerate(value):
        is_bytes = isinstance(item, dict)
        flat[k] = base64.b64decode(item["b64"]) if is_bytes else item.encode()
    return flat


def row_bytes(array: np.ndarray, as_json: bool) -> np.ndarray:
    """Returns how many bytes each row takes in a message, or at most in JSON."""
    if array.dtype == object:
        sizes = np.array([len(item) for item in array], np.int64)
        return sizes * 4 // 3 + 16 if as_json else sizes + 8
    shape = array.shape[1:]
    size = math.prod(shape) * array.dtype.itemsize
    if as_json:  # Digits and a comma; brackets and a comma for each list.
        size = math.prod(shape) * (_DIGITS.get(array.dtype.str[1:], 24) + 1)
        size += 3 * sum(math.prod(shape[:k]) for k in range(len(shape)))
    return np.full(len(array), size, np.int64)


def signatures_of_message(map_of_signatures: Any) -> dict[str, Signature]:
    """Returns the signatures of a SignatureDefMap."""

    def specs(tensors: Any) -> dict[str, TensorSpec]:
        made = {}
        for name, info in tensors.items():
            dtype, _ = _BY_NUMBER.get(info.dtype, ("", ""))
            shape = _shape(dim.size for dim in info.tensor_shape.dim)
            unknown = info.tensor_shape.unknown_rank
            made[name] = TensorSpec(dtype, None if unknown else shape)
        return made

    return {
        name: Signature(specs(signature.inputs), specs(signature.outputs))
        for name, signature in map_of_signatures.signature_def.items()
        if not name.startswith(_INTERNAL)
    }


def signatures_of_json(signatures: Mapping[str, Any]) -> dict[str, Signature]:
    """Returns the signatures of the metadata in JSON, by name."""

    def specs(tensors: Mapping[str, Any]) -> dict[str, TensorSpec]:
        made = {}
        for name, info in tensors.items():
            dtype = _DTYPE_OF_NAME.get(info["dtype"], "")
            shape = info["tensor_shape"]
            sizes = _shape(int(dim["size"]) for dim in shape.get("dim", ()))
            made[name] = TensorSpec(dtype, None if shape["unknown_rank"] else sizes)
        return made

    return {
        name: Signature(specs(signature["inputs"]), specs(signature["outputs"]))
        for name, signature in signatures.items()
        if not name.startswith(_INTERNAL)
    }


def _shape(sizes: Any) -> tuple[int | None, ...]:
    """Returns sizes, those that are free (-1) as None."""
    return tuple(None if size < 0 else int(size) for size in sizes)
