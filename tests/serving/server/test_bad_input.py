"""What a client can do wrong: each a clear error, and the server goes on.

After every case the server answers as before.
"""

import base64
import concurrent.futures
import contextlib
import io
import json
import socket
import struct
import threading
import time
import zlib

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tf_disentangle.serving import server
from tf_disentangle.serving.server import monitoring


@pytest.fixture
def url(served):
    url = f"http://127.0.0.1:{served.rest_port}/v1/models"
    yield url
    assert predict(url).json() == {"predictions": [2.5, 3.0]}


@pytest.fixture(scope="module")
def session():
    with requests.Session() as session:
        yield session


def predict(url, model="half_plus_two", data='{"instances": [1.0, 2.0]}', **options):
    return requests.post(f"{url}/{model}:predict", data=data, timeout=120, **options)


def golden(url, signature, instances):
    body = {"signature_name": signature, "instances": instances}
    return predict(url, "golden", json.dumps(body))


def refused(answer, *words, status=400):
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    for word in words:
        assert word in answer.json()["error"]


def png(width=3, height=2):
    file = io.BytesIO()
    Image.new("L", (width, height)).save(file, "PNG")
    return file.getvalue()


def encoded(form, **options):
    file = io.BytesIO()
    Image.new("L", (3, 2)).save(file, form, **options)
    return file.getvalue()


def bomb(width, height):
    """A PNG whose header promises more than its few bytes hold."""

    def chunk(kind, content):
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def pictures(url, *files):
    return golden(
        url, "pictures", [{"b64": base64.b64encode(file).decode()} for file in files]
    )


def test_pictures(url):
    assert pictures(url, png(3, 2), png(5, 4)).json() == {
        "predictions": [[2, 3], [4, 5]]
    }


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (b"", ("Unknown image file format in row 1",)),
        (b"GIF, says the text", ("Unknown image file format in row 1",)),
        (encoded("GIF"), ("Unknown image file format in row 1", "PNG or JPEG")),
        (encoded("BMP"), ("Unknown image file format in row 1", "PNG or JPEG")),
        (png()[:20], ("Unknown image file format in row 1",)),
        (png(300, 200)[:-30], ("Invalid PNG data, size",)),
        (bomb(2000, 2000), ("row 1 is too large", "2000 x 2000 pixels", "1048576")),
        (bomb(20_000, 20_000), ("row 1 is too large", "1048576")),
        (bomb(2**31 - 1, 2**31 - 1), ("row 1",)),
    ],
    ids=[
        "empty",
        "text",
        "GIF",
        "BMP",
        "no-header",
        "truncated",
        "large",
        "bomb",
        "absurd",
    ],
)
def test_bad_pictures(url, file, words):
    refused(pictures(url, png(), file), *words)


def test_many_large_images(url):
    """Each is small enough; a worker would be busy with all of them for long."""
    answer = pictures(url, *[bomb(1000, 1000)] * 5)
    refused(answer, "up to row 2 have 3000000 pixels", "2097152. Send several")


def test_wrong_size(url):
    refused(
        golden(url, "pixels", [[1, 2, 3]]),
        "Shape of tensor x [1,3] is not compatible with expected shape [?,2]",
    )


def test_more_rows_than_the_limit(url):
    refused(golden(url, "pixels", [[1, 2]] * 101), "101 rows", "100")


@pytest.mark.parametrize("value", ["NaN", "1e999", "[]", "null", '"1"', "{}"])
def test_pixels_that_are_none(url, value):
    body = f'{{"signature_name": "pixels", "instances": [[1, {value}]]}}'
    refused(predict(url, "golden", body))


def test_a_body_of_100_megabytes(url):
    start = time.monotonic()
    refused(predict(url, data=b"[" * 100_000_000), "1048576 bytes", status=413)
    assert time.monotonic() - start < 15


def test_a_body_that_unpacks_to_ten_megabytes(url):
    packer = zlib.compressobj(wbits=31)
    body = packer.compress(b"[" * 10_000_000) + packer.flush()
    headers = {"Content-Encoding": "gzip"}
    refused(predict(url, data=body, headers=headers), "1048576 bytes", status=413)


def test_gzip(url):
    packer = zlib.compressobj(wbits=31)
    body = packer.compress(b'{"instances": [4.0]}') + packer.flush()
    answer = predict(url, data=body, headers={"Content-Encoding": "gzip"})
    assert answer.json() == {"predictions": [4.0]}


def test_no_classification(url):
    refused(requests.post(f"{url}/golden:classify", "{}"), "predict", status=501)


def test_a_model_that_fails(served, url, monkeypatch):
    """A fault of the server's own: its kind, without what it says."""
    from tf_disentangle.serving.server import loaded

    def fail(*_):
        raise RuntimeError("a secret")

    monkeypatch.setattr(loaded.LoadedVersion, "run", fail)
    answer = predict(url)
    monkeypatch.undo()
    refused(answer, "RuntimeError", status=500)
    assert "secret" not in answer.text


def connected(served):
    return socket.create_connection(("127.0.0.1", served.rest_port), timeout=120)


HEAD = b"POST /v1/models/half_plus_two:predict HTTP/1.1\r\nHost: x\r\n"


def test_clients_that_hang_up(served, url):
    for sent in (
        b"",
        b"POST /v1/mod",
        HEAD + b"Content-Length: 24\r\n\r\n{",
        HEAD + b'Content-Length: 24\r\n\r\n{"instances": [1.0, 2.0]}',
    ):
        for _ in range(20):
            with connected(served) as client:
                client.sendall(sent)
                # Without a farewell: a reset, as of a client that was killed.
                client.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )


def test_no_http(served, url):
    with connected(served) as client:
        client.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400")


def answer_of(client):
    """Returns what comes until the end of the JSON."""
    answer = b""
    while not answer.endswith(b"}"):
        part = client.recv(1000)
        assert part, answer
        answer += part
    return answer


def test_slow_clients(golden_config):
    """They get an error in time, and others are answered meanwhile."""
    options = {"labels_in_advance": True, "timeout_seconds": 0.5, "grpc_port": None}
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(server.start(golden_config, **options))
        slow = [stack.enter_context(connected(served)) for _ in range(20)]
        for client in slow:
            client.sendall(HEAD + b"Content-Length: 24\r\n\r\n{")
        url = f"http://127.0.0.1:{served.rest_port}/v1/models"
        assert predict(url).json() == {"predictions": [2.5, 3.0]}
        for client in slow:
            answer = answer_of(client)
            assert answer.startswith(b"HTTP/1.1 504"), answer
            assert b"Timed out after 0.5 seconds." in answer
        answer = golden(url, "spin", [8000])  # Two seconds on a fast processor.
        refused(answer, "Timed out after 0.5 seconds.", status=504)


def test_too_many_at_once(golden_config):
    """Some are refused, in the usual form; those that are not are all answered."""
    limits = server.Limits(concurrent_requests=8)
    options = {"labels_in_advance": True, "limits": limits, "num_threads": 2}
    with server.start(golden_config, **options) as served:
        url = f"http://127.0.0.1:{served.rest_port}/v1/models"
        barrier = threading.Barrier(24)

        def ask(turns):
            barrier.wait()
            return golden(url, "spin", [turns])

        with concurrent.futures.ThreadPoolExecutor(24) as clients:
            answers = list(clients.map(ask, range(20, 44)))
        assert {answer.status_code for answer in answers} == {200, 503}
        for turns, answer in enumerate(answers, start=20):
            if answer.status_code == 200:
                assert answer.json() == {"predictions": [turns]}
            else:
                refused(answer, "too many requests", status=503)


def test_an_error_is_a_new_one_each_time(golden_config, monkeypatch):
    """One raised again and again would hold what each of its raises held."""
    from tf_disentangle.serving.server import rest_app

    errors = []

    def noted(error):
        errors.append(error)
        return from_exception(error)

    from_exception = rest_app.from_exception
    monkeypatch.setattr(rest_app, "from_exception", noted)
    limits = server.Limits(concurrent_requests=0)
    options = {"labels_in_advance": True, "limits": limits, "grpc_port": None}
    with server.start(golden_config, **options) as served:
        url = f"http://127.0.0.1:{served.rest_port}/v1/models"
        for _ in range(2):
            refused(predict(url), "too many requests", status=503)
    assert errors[0] is not errors[1]


def test_bodies_that_take_too_much_memory_together(golden_config):
    """What clients are still sending counts, until it is answered or they go."""
    size = len(b'{"instances": [1.0, 2.0]}')
    limits = server.Limits(total_body_bytes=2 * size)
    options = {"labels_in_advance": True, "limits": limits, "timeout_seconds": 5}
    with server.start(golden_config, grpc_port=None, **options) as served:
        url = f"http://127.0.0.1:{served.rest_port}/v1/models"
        head = HEAD + b"Content-Length: %d\r\n\r\n" % (2 * size)
        with connected(served) as client:
            client.sendall(head + b"[" * (size + 1))
            page = f"http://127.0.0.1:{served.rest_port}{monitoring.DEFAULT_PATH}"
            while 'in_progress{entrypoint="REST"} 1.0' not in requests.get(page).text:
                time.sleep(0.01)
            time.sleep(0.1)
            refused(predict(url), "too many requests", status=503)
        # It has gone, and its memory is free again; so is that of what was answered.
        end = time.monotonic() + 10
        while predict(url).status_code == 503:
            assert time.monotonic() < end
        for _ in range(5):
            assert predict(url).json() == {"predictions": [2.5, 3.0]}
        for _ in range(3):
            refused(predict(url, data="[" * (2 * size)), "JSON Parse error")
        refused(predict(url, data="[" * (2 * size + 1)), "too many", status=503)
        assert predict(url).status_code == 200


def ask_at_once(served, number):
    """Many clients at a time; each answer is that of its own request."""
    url = f"http://127.0.0.1:{served.rest_port}/v1/models"
    channel = grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}")
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    barrier = threading.Barrier(number)

    def ask(i):
        barrier.wait()
        if i % 2:
            return predict(url, data=f'{{"instances": [{2 * i}]}}').json() == {
                "predictions": [i + 2.0]
            }
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "half_plus_two"
        request.inputs["x"].CopyFrom(tf.make_tensor_proto([2.0 * i]))
        return tf.make_ndarray(stub.Predict(request).outputs["y"]) == [i + 2.0]

    with channel, concurrent.futures.ThreadPoolExecutor(number) as clients:
        assert all(clients.map(ask, range(number)))


def test_a_hundred_requests_at_once(served, url):
    ask_at_once(served, 100)


@pytest.mark.slow
def test_a_thousand_requests_at_once(served, url):
    ask_at_once(served, 1000)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.builds(lambda b: {"b64": base64.b64encode(b).decode()}, st.binary(max_size=9)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["x", "a", "b", "b64", "?"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)
NAMES = ["serving_default", "floats", "booleans", "strings", "bytes", "halves", "two"]
NAMES += ["pixels", "pictures", "", "none"]
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "signature_name": st.sampled_from(NAMES) | VALUES,
        "instances": st.lists(VALUES, max_size=4) | VALUES,
        "inputs": VALUES,
    },
).map(lambda body: json.dumps(body).encode())


def damaged(body, where, what):
    where = int(where * len(body))
    return body[:where] + what + body[where + 1 :]


FUZZ = BODIES | st.builds(damaged, BODIES, st.floats(0, 1), st.binary(max_size=3))


def check_answer(url, session, body):
    """A result, or an error of the client's; never a fault of the server."""
    answer = session.post(f"{url}/golden:predict", data=body, timeout=120)
    assert answer.status_code in (200, 400), (body, answer.text)
    (key,) = json.loads(answer.text)
    if answer.status_code == 200:
        assert key in ("predictions", "outputs")
    else:
        assert key == "error"
        assert answer.json()["error"]


@given(body=FUZZ)
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
def test_fuzz(served, session, body):
    check_answer(f"http://127.0.0.1:{served.rest_port}/v1/models", session, body)


@pytest.mark.slow
def test_fuzz_for_ten_minutes(served, session):
    end, rounds = time.monotonic() + 600, 0
    url = f"http://127.0.0.1:{served.rest_port}/v1/models"

    @given(body=FUZZ)
    @settings(max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck))
    def fuzz(body):
        check_answer(url, session, body)

    while time.monotonic() < end:
        fuzz()
        rounds += 1
    print(f"{rounds} rounds of 2,000 bodies")


@pytest.fixture(scope="module")
def stub(served):
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}", options) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


class TestGrpc:
    @pytest.fixture(autouse=True)
    def still_alive(self, stub):
        yield
        outputs = self.ask(stub, "serving_default", "half_plus_two", x=np.float32([2]))
        assert outputs == {"y": [3.0]}

    def ask(self, stub, signature, model="golden", **inputs):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = model
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            is_proto = isinstance(value, tensor_pb2.TensorProto)
            proto = value if is_proto else tf.make_tensor_proto(value)
            request.inputs[name].CopyFrom(proto)
        outputs = stub.Predict(request).outputs
        return {name: tf.make_ndarray(outputs[name]).tolist() for name in outputs}

    def refused(self, stub, code, words, *arguments, **inputs):
        with pytest.raises(grpc.RpcError) as caught:
            self.ask(stub, *arguments, **inputs)
        assert caught.value.code() == code, caught.value.details()
        assert words in caught.value.details()

    def test_messages(self, stub):
        invalid = grpc.StatusCode.INVALID_ARGUMENT
        pixels = np.zeros((2, 2), np.uint8)
        for code, words, arguments, inputs in [
            (grpc.StatusCode.NOT_FOUND, "Latest(none)", ("", "none"), {}),
            (
                grpc.StatusCode.FAILED_PRECONDITION,
                'Serving signature key "none" not found.',
                ("none",),
                {},
            ),
            (invalid, "Missing but required: {x}", ("pixels",), {"y": pixels}),
            (invalid, "uint8 but float", ("pixels",), {"x": np.float32([[1, 2]])}),
            (invalid, "[2,1] is not", ("pixels",), {"x": pixels[:, :1]}),
            (invalid, "101 rows", ("pixels",), {"x": np.zeros((101, 2), np.uint8)}),
            (invalid, "Unknown image", ("pictures",), {"image_bytes": [b"", b""]}),
            (invalid, "too large", ("pictures",), {"image_bytes": [bomb(9999, 9999)]}),
            (invalid, "no name", ("", ""), {}),
        ]:
            self.refused(stub, code, words, *arguments, **inputs)

    def test_tensors_that_are_none(self, stub):
        proto, invalid = tensor_pb2.TensorProto, grpc.StatusCode.INVALID_ARGUMENT
        shape = tf.TensorShape([1, 2]).as_proto()
        huge = tf.TensorShape([10**9, 10**9]).as_proto()
        unknown = tf.TensorShape(None).as_proto()
        for tensor, words in [
            (proto(), "uint8 but type 0"),
            (proto(dtype=99), "uint8 but type 99"),
            (proto(dtype=tf.variant.as_datatype_enum), "uint8 but"),
            (proto(dtype=4, tensor_shape=unknown), "not compatible"),
            (proto(dtype=4, tensor_shape=huge, int_val=[1]), "not compatible"),
            (proto(dtype=4, tensor_shape=shape, tensor_content=b"123"), "Invalid"),
        ]:
            self.refused(stub, invalid, words, "pixels", x=tensor)

    def test_a_few_bytes_that_tell_of_a_terabyte(self, stub):
        huge = tf.TensorShape([10, 10**11]).as_proto()
        tensor = tensor_pb2.TensorProto(dtype=1, tensor_shape=huge, float_val=[1])
        invalid = grpc.StatusCode.INVALID_ARGUMENT
        self.refused(stub, invalid, "values", "floats", x=tensor)

    def test_a_message_that_is_too_large(self, stub):
        code = grpc.StatusCode.RESOURCE_EXHAUSTED
        self.refused(stub, code, "larger than max", "floats", x=np.zeros((9, 99_999)))

    def test_no_protobuf(self, served):
        with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
            call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
            with pytest.raises(grpc.RpcError) as caught:
                call(b"\xff\xff\xff no protobuf")
            assert caught.value.code() == grpc.StatusCode.INTERNAL
