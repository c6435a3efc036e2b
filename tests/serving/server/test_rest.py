"""Addresses and bodies, without a socket."""

import gzip

import pytest
import tensorflow as tf
from grpc import StatusCode

from tf_disentangle.serving.server import errors, rest
from tf_disentangle.serving.server.errors import ServingError
from tf_disentangle.serving.server.rest import Call, ModelSpec


@pytest.mark.parametrize(
    ("verb", "address", "method", "model"),
    [
        ("POST", "/v1/models/m:predict", "predict", ModelSpec("m")),
        ("POST", "/v1/models/m/versions/007:predict", "predict", ModelSpec("m", 7)),
        ("POST", "/v1/models/m/labels/l:PREDICT", "predict", ModelSpec("m", label="l")),
        ("GET", "/v1/models/m", "status", ModelSpec("m")),
        ("GET", "/v1/models/m/versions/7", "status", ModelSpec("m", 7)),
        ("GET", "/v1/models/m/metadata", "metadata", ModelSpec("m")),
        ("GET", "/v1/models/m/versions/7/metadata", "metadata", ModelSpec("m", 7)),
        ("GET", "/v1/models/m/labels/l", "status", ModelSpec("m", label="l")),
        ("GET", "/v1/models/a%2Fb", "status", ModelSpec("a/b")),
    ],
)
def test_addresses(verb, address, method, model):
    assert rest.parse_address(verb, address) == Call(method, model)


@pytest.mark.parametrize(
    ("verb", "address", "code"),
    [
        ("GET", "/", StatusCode.NOT_FOUND),
        ("GET", "/v2/models/m", StatusCode.NOT_FOUND),
        ("POST", "/v1/models/m:classify", StatusCode.UNIMPLEMENTED),
        ("POST", "/v1/models/m/metadata", StatusCode.INVALID_ARGUMENT),
        ("HEAD", "/v1/models/m", StatusCode.INVALID_ARGUMENT),
        ("DELETE", "/v1/models/m", StatusCode.INVALID_ARGUMENT),
        ("GET", "/v1/models/m/", StatusCode.INVALID_ARGUMENT),
        ("GET", "/v1/models/m/versions/-1", StatusCode.INVALID_ARGUMENT),
        ("GET", "/v1/models/m/versions/\u0663", StatusCode.INVALID_ARGUMENT),
        ("GET", f"/v1/models/m/versions/{2**63}", StatusCode.INVALID_ARGUMENT),
        ("GET", "/v1/models/m/versions/" + "9" * 5000, StatusCode.INVALID_ARGUMENT),
    ],
)
def test_other_addresses(verb, address, code):
    with pytest.raises(ServingError) as caught:
        rest.parse_address(verb, address)
    assert caught.value.code == code


def test_the_largest_version():
    call = rest.parse_address("GET", f"/v1/models/m/versions/00{2**63 - 1}")
    assert call.model.version == 2**63 - 1


def test_gzip():
    body = b"x" * 1000
    packed = gzip.compress(body)
    assert rest.unpack(packed, "gzip", 1000) == body
    assert rest.unpack(body, "", 1000) == body
    with pytest.raises(ServingError, match="999 bytes") as caught:
        rest.unpack(packed, "gzip", 999)
    assert caught.value.http_status == 413
    for broken in (packed[:-9], b"no gzip", b""):
        with pytest.raises(ServingError, match="uncompress"):
            rest.unpack(broken, "gzip", 1000)
    with pytest.raises(ServingError, match="br"):
        rest.unpack(body, "br", 1000)


def test_codes():
    """google.rpc.Code's numbers, and TensorFlow Serving's HTTP status for each."""
    statuses = {code.value[0]: errors.HTTP_STATUS[code] for code in StatusCode}
    assert statuses == {
        0: 200, 1: 499, 2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429,
        9: 400, 10: 409, 11: 400, 12: 501, 13: 500, 14: 503, 15: 500, 16: 401,
    }  # fmt: skip


def test_messages_by_grpc_are_cut():
    assert errors.invalid("x" * 1024).grpc_message == "x" * 1024
    assert errors.invalid("x" * 1025).grpc_message == "x" * 1024 + "...TRUNCATED"


def test_what_tensorflow_says_is_kept_without_its_place_in_the_graph():
    text = (
        "Graph execution error:\n\nDetected at node map/DecodePng defined at (most "
        "recent call last):\n<stack traces unavailable>\nInvalid PNG data, size 200\n"
        "\t [[{{node map/DecodePng}}]] [Op:__inference_f_1]"
    )
    error = errors.from_exception(tf.errors.InvalidArgumentError(None, None, text))
    assert error.code == StatusCode.INVALID_ARGUMENT
    assert error.message == "Invalid PNG data, size 200"


def test_what_a_client_learns_of_a_fault(caplog):
    error = errors.from_exception(KeyError("a secret"))
    assert (error.code, error.http_status) == (StatusCode.INTERNAL, 500)
    assert "secret" not in error.json
    assert "secret" in caplog.text
