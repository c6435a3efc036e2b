"""JSON to arrays and back, without a socket."""

import base64
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tf_disentangle.serving.server import tensors
from tf_disentangle.serving.server.errors import ServingError
from tf_disentangle.serving.server.signature import Limits, Signature, Spec

QUICK = settings(max_examples=60, deadline=None)
TYPES = [np.uint8, np.int8, np.int32, np.int64, np.uint64, np.float32, np.float64, bool]


def signature(dtype, name="x"):
    spec = Spec(np.dtype(dtype), None)
    return Signature({name: spec}, {"y": spec})


def read(body, dtype):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return tensors.read_request(body, lambda name: signature(dtype))


@given(st.data())
@QUICK
def test_there_and_back(data):
    """Any array, written by Python's json, comes in equal and goes out equal."""
    dtype = np.dtype(data.draw(st.sampled_from(TYPES)))
    shape = data.draw(arrays.array_shapes(min_dims=1, max_dims=4, max_side=4))
    elements = arrays.from_dtype(dtype, allow_nan=False, allow_infinity=False)
    array = data.draw(arrays.arrays(dtype, shape, elements=elements))
    for key in ("instances", "inputs"):
        name, inputs, in_rows = read({key: array.tolist()}, dtype)
        assert (name, in_rows) == ("serving_default", key == "instances")
        assert inputs["x"].dtype == dtype
        np.testing.assert_array_equal(inputs["x"], array)
        written = json.loads(tensors.write_response({"y": array}, in_rows))
        (values,) = written.values()
        np.testing.assert_array_equal(np.array(values, dtype).reshape(shape), array)


@given(st.lists(st.binary(max_size=9), min_size=1, max_size=5))
@QUICK
def test_bytes_there_and_back(texts):
    rows = [{"b64": base64.b64encode(text).decode()} for text in texts]
    _, inputs, _ = read({"instances": rows}, object)
    assert inputs["x"].tolist() == texts
    written = json.loads(tensors.write_response({"y_bytes": inputs["x"]}, True))
    assert written == {"predictions": rows}


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
@QUICK
def test_decimals(value):
    """Six digits if they say it all, else nine; never an integer's form."""
    text = tensors.write_response({"y": np.array([value], np.float32)}, True)
    number = text.removeprefix('{"predictions": [').removesuffix("]}")
    assert np.float32(number) == np.float32(value)
    assert "." in number or "e" in number
    short = np.float32(f"{value:.6g}") == np.float32(value)
    assert float(number) == float(f"{value:.{6 if short else 9}g}")


@given(st.integers(-(2**70), 2**70), st.sampled_from(TYPES[:5]))
@QUICK
def test_integers_are_never_wrapped(value, dtype):
    bounds = np.iinfo(dtype)
    if bounds.min <= value <= bounds.max:
        assert read({"inputs": value}, dtype)[1]["x"] == value
    else:
        with pytest.raises(ServingError, match="is not of expected type"):
            read({"inputs": value}, dtype)


def test_signature_name_and_scalar():
    name, inputs, in_rows = read({"signature_name": "s", "inputs": 2.5}, np.float32)
    assert (name, in_rows, inputs["x"].shape) == ("s", False, ())


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"\xff", "UTF-8"),
        (b'{"inputs": "\\ud800"}', "encoding"),
        (b"[" * 100_000, "deep"),
        (b'{"inputs": ' + b"[" * 900 + b"]" * 900 + b"}", "nested more than"),
        (b'{"inputs": [' + b'{"a": ' * 900 + b"1" + b"}" * 900 + b"]}", "of expected"),
        (b'{"inputs": ' + b"9" * 5000 + b"}", "too big"),
        (b'{"inputs": [1', "JSON Parse error"),
        (b'{"inputs": [[1], [2, 3]]}', "unexpected size: 2 at level: 1"),
        (b'{"inputs": [1, [2]]}', "unexpected level"),
        (b"null", "Is not object"),
        (b"   ", "The document is empty"),
    ],
)
def test_refused(body, problem):
    dtype = object if b"ud800" in body else np.int32
    with pytest.raises(ServingError, match=problem) as caught:
        read(body, dtype)
    assert caught.value.http_status == 400
    assert len(caught.value.message) < 500


def test_inf_in_a_string_stays():
    body = b'{"instances": ["Inf \\" Inf", "x"], "n": Inf}'
    assert read(body, object)[1]["x"].tolist() == [b'Inf " Inf', b"x"]


def test_a_byte_order_mark_is_no_content():
    assert read(b'\xef\xbb\xbf {"inputs": [1]}', np.int32)[1]["x"].tolist() == [1]


def test_base64_without_padding_and_with_spaces():
    assert read({"inputs": {"b64": "aGVs bG8"}}, object)[1]["x"] == b"hello"


def test_empty_lists():
    assert read({"inputs": []}, np.float32)[1]["x"].shape == (0,)
    assert read({"inputs": [[], []]}, np.float32)[1]["x"].shape == (2, 0)
    zero = np.zeros((2, 0, 3), np.float32)
    assert json.loads(tensors.write_response({"y": zero}, True)) == {
        "predictions": [[], []]
    }
    nothing = tensors.write_response({"y": zero[:0]}, True)
    assert json.loads(nothing) == {"predictions": []}


def test_rows_need_one_batch():
    for arrays_, problem in [
        ({"y": np.float32(1)}, "has no shape information"),
        ({"a": np.zeros(2), "b": np.zeros(3)}, "inconsistent batch size: 3"),
    ]:
        arrays_ = {name: np.asarray(array) for name, array in arrays_.items()}
        with pytest.raises(ServingError, match=problem):
            tensors.write_response(arrays_, True)
    text = tensors.write_response({"a": np.zeros(2), "b": np.zeros(3)}, False)
    assert json.loads(text)["outputs"] == {"a": [0.0] * 2, "b": [0.0] * 3}


def test_types_without_a_form():
    with pytest.raises(ServingError, match="tensor type: half"):
        tensors.write_response({"y": np.zeros(2, np.float16)}, True)
    with pytest.raises(ServingError, match="half"):
        read({"inputs": [1.0]}, np.float16)


def test_names_and_shapes():
    spec = Spec(np.dtype(np.uint8), (None, 2))
    taken = Signature({"a": spec, "b": spec}, {"y": spec, "z": spec})
    with pytest.raises(ServingError) as caught:
        taken.check_names({"a", "c"})
    assert caught.value.message == (
        "input size does not match signature: 2!=2 len({a,c}) != len({a,b}). "
        "Sent extra: {c}. Missing but required: {b}."
    )
    with pytest.raises(ServingError, match=r"not found in signature: w .* \{y,z\}"):
        taken.check_names({"a", "b"}, ["w"])
    with pytest.raises(ServingError, match="duplicate output tensor alias: y"):
        taken.check_names({"a", "b"}, ["y", "y"])
    limits = Limits(rows=5, body_bytes=100)
    taken.check_tensor("a", "uint8", (5, 2), limits)
    for dtype, shape, problem in [
        ("int32", (5, 2), r"arg\[0\] to be uint8 but int32"),
        ("uint8", (5, 3), r"\[5,3\] is not compatible with expected shape \[\?,2\]"),
        ("uint8", (5,), "not compatible"),
        ("uint8", (-1, 2), "not compatible"),
        ("uint8", (6, 2), "6 rows"),
    ]:
        with pytest.raises(ServingError, match=problem):
            taken.check_tensor("a", dtype, shape, limits)
    free = Signature({"x": Spec(np.dtype(np.uint8), None)}, {})
    with pytest.raises(ServingError, match="too many"):
        free.check_tensor("x", "uint8", (5, math.prod((10, 10, 10))), limits)
