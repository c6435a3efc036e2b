"""The client against a server of a few lines, by gRPC and by REST."""

import concurrent.futures
import pickle
import re
import socket
import subprocess
import sys
import threading

import grpc
import numpy as np
import pytest
from tensorflow.core.framework import types_pb2

from tests.serving.client import fake
from tf_disentangle import checks, metrics
from tf_disentangle.datasets import ImageTable
from tf_disentangle.serving import (
    AccessError,
    Client,
    DeadlineExceededError,
    InvalidRequestError,
    ModelNotFoundError,
    ServingError,
    TooLargeError,
    UnavailableError,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (9, *fake.SHAPE), dtype=np.uint8)
CODES = np.arange(36, dtype=np.float32).reshape(9, 4) / 7


@pytest.fixture
def served():
    service = fake.Fake()
    with fake.by_grpc(service) as url:
        service.url = url
        yield service


@pytest.fixture
def rest():
    with fake.by_rest() as server:
        yield server


@pytest.fixture(params=["grpc", "grpc content", "rest"])
def client(request):
    """A client of each kind of server; what a client gives never depends on it."""
    if request.param == "rest":
        server = request.getfixturevalue("rest")
    else:
        server = request.getfixturevalue("served")
        server.as_content = request.param == "grpc content"
    with Client(server.url, "tiny") as client:
        yield client


class TestVerbs:
    def test_encode(self, client):
        codes = client.encode(IMAGES)
        np.testing.assert_array_equal(
            codes, IMAGES.astype(np.float32).mean(axis=(2, 3))
        )
        assert codes.dtype == np.float32

    def test_encode_bytes(self, client):
        files = [b"abc", b"", b"\xff" * 5]
        np.testing.assert_array_equal(client.encode_bytes(files)[:, 0], [3, 0, 5])

    def test_decode_and_reconstruct(self, client):
        expected = fake.model("decode", {"codes": CODES})["images"]
        np.testing.assert_array_equal(client.decode(CODES), expected)
        np.testing.assert_array_equal(
            client.reconstruct(IMAGES), IMAGES.astype(np.float32) / 255
        )

    def test_edit_and_traverse(self, client):
        edited = np.array(CODES)
        edited[:, 2] = -1.5
        expected = client.decode(edited)
        np.testing.assert_array_equal(client.edit(CODES, 2, -1.5), expected)
        edited = np.array(CODES)
        latents, values = [0, 1, 2, 3] * 2 + [0], np.linspace(-1, 1, 9)
        edited[np.arange(9), latents] = values
        expected = client.decode(edited)
        np.testing.assert_array_equal(client.edit(CODES, latents, values), expected)
        row = np.tile(CODES[4], (3, 1))
        row[:, 1] = -2, 0, 2
        expected = client.decode(row)
        np.testing.assert_array_equal(
            client.traverse(CODES[4], 1, [-2, 0, 2]), expected
        )

    def test_sample_gives_each_image_its_own_seed(self, client):
        images = client.sample(3, seed=5)
        seeds = [[5, 5, 0, 0], [5, 5, 1, 1], [5, 5, 2, 2]]
        np.testing.assert_array_equal(images[:, :, 0, 0], seeds)
        np.testing.assert_array_equal(client.sample(2, seed=5), images[:2])

    def test_predict_gives_all_outputs_or_some(self, client):
        both = client.predict("encode", {"images": IMAGES})
        assert sorted(both) == ["mean", "stddev"]
        np.testing.assert_array_equal(both["stddev"], np.ones((9, 4)))
        assert [*client.predict("encode", {"images": IMAGES}, ["stddev"])] == ["stddev"]

    def test_nothing_gives_nothing(self, client):
        assert client.encode(IMAGES[:0]).shape == (0, 4)
        assert client.decode(CODES[:0]).shape == (0, 4, 4, 1)
        assert client.sample(0).shape == (0, 4, 4, 1)
        assert client.encode_bytes([]).shape == (0, 4)

    def test_metadata_and_status(self, client):
        signatures = client.metadata()
        assert sorted(signatures) == sorted(fake.SIGNATURES)
        images = signatures["encode"].inputs["images"]
        assert (images.dtype, images.shape) == ("uint8", (None, 4, 4, 1))
        assert signatures["encode_bytes"].inputs["image_bytes"].dtype == "object"
        assert client.status()[3] == "AVAILABLE"

    def test_is_an_encoder_that_metrics_take(self, client):
        """The same score as of the function itself."""
        factors = np.stack(np.meshgrid(range(8), range(6)), -1).reshape(-1, 2)
        values = np.zeros((48, *fake.SHAPE), np.uint8)
        values[:, 0], values[:, 1] = factors[:, :1, None] * 9, factors[:, 1:, None] * 7
        data = ImageTable(values, factors, ["a", "b"])

        def encoder(images):
            return fake.model("encode", {"images": images})["mean"]

        served = metrics.evaluate(data, client.encode, ["mig"], num_train=200)
        own = metrics.evaluate(data, encoder, ["mig"], num_train=200)
        assert served["mig"].score == own["mig"].score > 0.5


class TestRequests:
    def test_are_cut_to_the_limit_and_joined_in_order(self, served, monkeypatch):
        monkeypatch.setattr("tf_disentangle.serving.client.client._MESSAGE_BYTES", 1000)
        # 64 bytes of answer for a row, and 32 of request.
        with Client(served.url, "tiny") as client:
            codes = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32)
            expected = fake.model("decode", {"codes": codes})["images"]
            np.testing.assert_array_equal(client.decode(codes), expected)
        sizes = [r.inputs["codes"].tensor_shape.dim[0].size for r in served.requests]
        assert sizes == [15, 15, 15, 5]

    def test_have_so_many_rows_at_most(self, served):
        with Client(served.url, "tiny", batch_size=4) as client:
            assert client.encode(IMAGES).shape == (9, 4)
        sizes = [r.inputs["images"].tensor_shape.dim[0].size for r in served.requests]
        assert sizes == [4, 4, 1]

    def test_a_row_over_the_limit_goes_alone(self, served, monkeypatch):
        monkeypatch.setattr("tf_disentangle.serving.client.client._MESSAGE_BYTES", 1000)
        with Client(served.url, "tiny") as client:
            lengths = [10, 2000, 500, 400, 3000]
            codes = client.encode_bytes([b"x" * length for length in lengths])
        np.testing.assert_array_equal(codes[:, 0], lengths)
        sizes = [len(r.inputs["image_bytes"].string_val) for r in served.requests]
        assert sizes == [1, 1, 2, 1]

    def test_by_rest_their_text_is_within_the_limit(self, rest, monkeypatch):
        monkeypatch.setattr("tf_disentangle.serving.client.client._MESSAGE_BYTES", 2000)
        with Client(rest.url, "tiny") as client:
            images = np.full((100, *fake.SHAPE), 255, np.uint8)
            assert client.encode(images).shape == (100, 4)
            extreme = np.full((40, 4), -1.1754943e-38, np.float32)
            client.decode(extreme)
        sizes = [int(headers["Content-Length"]) for _, headers, _ in rest.requests]
        assert max(sizes) <= 2000
        assert len(sizes) > 5

    def test_name_what_is_wanted(self, served):
        with Client(served.url, "tiny", version=3, headers={"X-Key": "k"}) as client:
            client.encode(IMAGES)
        (request,) = served.requests
        assert list(request.output_filter) == ["mean"]
        assert request.model_spec.version.value == 3
        assert served.metadata[-1]["x-key"] == "k"

    @pytest.mark.parametrize(
        ("version", "path"),
        [(None, ""), (3, "/versions/3"), ("stable", "/labels/stable")],
    )
    def test_by_rest_go_to_the_version_s_path(self, rest, version, path):
        url = f"{rest.url}/behind/"
        with Client(url, "tiny", version=version, headers={"X-Key": "k"}) as client:
            client.encode(IMAGES)
        asked, headers, _ = rest.requests[0]
        assert asked == f"/behind/v1/models/tiny{path}:predict"
        assert headers["X-Key"] == "k"

    def test_threads_share_a_client(self, client):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            shifted = [IMAGES + np.uint8(k) for k in range(24)]
            parts = [*pool.map(client.encode, shifted)]
        for images, codes in zip(shifted, parts, strict=True):
            expected = images.astype(np.float32).mean(axis=(2, 3))
            np.testing.assert_array_equal(codes, expected)

    def test_by_rest_threads_that_end_leave_no_connection(self, rest):
        with Client(rest.url, "tiny") as client:
            for _ in range(5):
                with concurrent.futures.ThreadPoolExecutor(1) as pool:
                    pool.submit(client.encode, IMAGES).result()
        assert len(set(rest.clients)) == 1

    def test_by_rest_a_request_under_way_outlives_the_close(self, rest):
        client = Client(rest.url, "tiny")
        client.metadata()
        arrived, go = threading.Event(), threading.Event()
        rest.hold = lambda: (arrived.set(), go.wait(10))
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            codes = pool.submit(client.encode, IMAGES)
            assert arrived.wait(10)
            client.close()
            go.set()
            assert codes.result().shape == (9, 4)
        with pytest.raises(ServingError, match="closed"):
            client.encode(IMAGES)


class TestFailures:
    def test_overload_is_waited_out(self, served):
        served.failures = [grpc.StatusCode.UNAVAILABLE] * 2
        with Client(served.url, "tiny") as client:
            assert client.encode(IMAGES).shape == (9, 4)
        assert served.failures == []

    def test_so_it_is_by_rest(self, rest):
        with Client(rest.url, "tiny") as client:
            client.metadata()
            rest.answers += [(503, {"error": "busy"}), (429, b"")]
            assert client.encode(IMAGES).shape == (9, 4)
        assert rest.answers == []

    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            ("INVALID_ARGUMENT", InvalidRequestError),
            ("FAILED_PRECONDITION", InvalidRequestError),
            ("UNIMPLEMENTED", InvalidRequestError),
            ("NOT_FOUND", ModelNotFoundError),
            ("UNAUTHENTICATED", AccessError),
            ("PERMISSION_DENIED", AccessError),
            ("UNAVAILABLE", UnavailableError),
            ("RESOURCE_EXHAUSTED", UnavailableError),
            ("INTERNAL", ServingError),
        ],
    )
    def test_have_a_type_and_tell_server_request_and_reason(self, served, code, kind):
        served.failures = [grpc.StatusCode[code]]
        with (
            Client(served.url, "tiny", retries=0) as client,
            pytest.raises(ServingError) as caught,
        ):
            client.status()
        error = caught.value
        assert type(error) is kind
        assert (error.code, error.server) == (code, served.url)
        assert str(error).startswith(
            f"status of model 'tiny' at {served.url} failed: {code}, told to fail."
        )
        assert str(error).endswith(kind.remedy)
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (type(error), str(error))

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, InvalidRequestError),
            (404, ModelNotFoundError),
            (413, TooLargeError),
            (403, AccessError),
            (503, UnavailableError),
            (504, DeadlineExceededError),
            (500, ServingError),
        ],
    )
    def test_by_rest_too(self, rest, status, kind):
        rest.answers = [(status, {"error": "its reason"})]
        with (
            Client(rest.url, "tiny", retries=0) as client,
            pytest.raises(ServingError, match="its reason") as caught,
        ):
            client.encode(IMAGES)
        assert type(caught.value) is kind

    @pytest.mark.parametrize(
        "content", [b"<html>", b"[1]", {"outputs": [[1.0], [2.0, 3.0]]}, {"x": 1}, b"{"]
    )
    def test_an_answer_that_is_none_is_told(self, rest, content):
        with Client(rest.url, "tiny") as client:
            client.metadata()
            client.encode(IMAGES)
            rest.answers = [(200, content)]
            with pytest.raises(ServingError, match="INTERNAL") as caught:
                client.decode(CODES)
        assert type(caught.value) is ServingError

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda tensor: tensor.ClearField("tensor_shape"),
            lambda tensor: setattr(tensor, "tensor_content", b"12345"),
            lambda tensor: setattr(tensor, "dtype", types_pb2.DT_BFLOAT16),
        ],
    )
    def test_so_is_one_by_grpc(self, served, spoil):
        served.spoil = lambda answer: spoil(answer.outputs["mean"])
        with (
            Client(served.url, "tiny") as client,
            pytest.raises(ServingError, match="INTERNAL, the answer has"),
        ):
            client.encode(IMAGES)

    def test_the_server_s_words_are_passed_on(self, served):
        with (
            Client(served.url, "tiny") as client,
            pytest.raises(InvalidRequestError, match=r"images \[2, 5, 5, 1\]"),
        ):
            client.encode(np.zeros((2, 5, 5, 1), np.uint8))
        with (
            Client(served.url, "other") as client,
            pytest.raises(ModelNotFoundError, match=r"Latest\(other\)"),
        ):
            client.encode(IMAGES)

    @pytest.mark.parametrize("scheme", ["grpc", "http"])
    def test_a_server_that_is_not_there(self, scheme):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            url = f"{scheme}://127.0.0.1:{probe.getsockname()[1]}"
        with (
            Client(url, retries=1) as client,
            pytest.raises(UnavailableError, match="refused"),
        ):
            client.status()

    def test_of_another_protocol_name_it(self, served, rest):
        url = served.url.replace("grpc://", "http://")
        with (
            Client(url, "tiny", retries=1) as client,
            pytest.raises(UnavailableError, match=f"gRPC port: use {served.url}"),
        ):
            client.status()
        with (
            Client(rest.url.replace("http://", "grpc://"), retries=0) as client,
            pytest.raises(UnavailableError, match=f"use {rest.url} if"),
        ):
            client.status()

    def test_an_unknown_label_is_a_model_that_is_not_there(self, served, rest):
        words = "Unrecognized servable version label: canary"
        served.failures = [(grpc.StatusCode.INVALID_ARGUMENT, words)]
        rest.answers = [(400, {"error": words})]
        for url in (served.url, rest.url):
            with (
                Client(url, "tiny", version="canary") as client,
                pytest.raises(ModelNotFoundError, match="check the version"),
            ):
                client.encode(IMAGES)

    def test_of_files_speak_of_files(self, served):
        with Client(served.url, "tiny") as client:
            client.encode_bytes([b"an image"])
            served.failures = [grpc.StatusCode.INVALID_ARGUMENT]
            with pytest.raises(InvalidRequestError, match="content of a PNG or JPEG"):
                client.encode_bytes([b"no image"])

    def test_deadlines(self, served):
        served.wait = threading.Event()
        with (
            Client(served.url, "tiny", timeout=0.2) as client,
            pytest.raises(DeadlineExceededError) as caught,
        ):
            client.status()
        assert isinstance(caught.value, TimeoutError)
        served.wait.set()

    def test_by_rest_a_silent_server_is_told_from_one_that_is_not_there(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            with (
                Client(url, timeout=0.1, retries=1) as client,
                pytest.raises(DeadlineExceededError, match="Raise timeout"),
            ):
                client.status()

    @pytest.mark.parametrize("kind", ["served", "rest"])
    def test_a_closed_client(self, kind, request):
        client = Client(request.getfixturevalue(kind).url, "tiny")
        client.status()
        client.close()
        with pytest.raises(ServingError, match="closed") as caught:
            client.status()
        assert caught.value.code == "CANCELLED"


class TestArguments:
    @pytest.mark.parametrize(
        "url", ["localhost:8500", "ftp://x", "grpc://", "grpc://host:1/v1", ""]
    )
    def test_urls(self, url):
        with pytest.raises(checks.ArgumentError, match="url must"):
            Client(url)

    @pytest.mark.parametrize(
        ("arguments", "name"),
        [
            ({"model": "a/b"}, "model"),
            ({"model": ""}, "model"),
            ({"version": -1}, "version"),
            ({"version": "a-b"}, "version"),
            ({"timeout": 0}, "timeout"),
            ({"retries": -1}, "retries"),
            ({"batch_size": 0}, "batch_size"),
        ],
    )
    def test_values(self, arguments, name):
        with pytest.raises(checks.ArgumentError, match=f"{name} must"):
            Client("grpc://localhost", **arguments)

    @pytest.mark.parametrize(
        ("call", "name"),
        [
            (lambda c: c.encode(IMAGES[0]), "images"),
            (lambda c: c.encode(IMAGES / 255), "images"),
            (lambda c: c.encode_bytes(["path.png"]), r"files\[0\]"),
            (lambda c: c.encode(["photos/a.png"]), "images"),
            (lambda c: c.reconstruct([b"content"]), "images"),
            (lambda c: c.decode(CODES[0]), "codes"),
            (lambda c: c.decode(CODES * np.nan), "codes"),
            (lambda c: c.decode(CODES.astype(float) * 1e300), "codes"),
            (lambda c: c.edit(CODES, 0, np.inf), "value"),
            (lambda c: c.traverse(CODES[0], 0, [0.0, np.nan]), "value"),
            (lambda c: c.decode([["a"]]), "codes"),
            (lambda c: c.edit(CODES, 4, 0.0), "latent"),
            (lambda c: c.edit(CODES, -1, 0.0), "latent"),
            (lambda c: c.edit(CODES, 1.0, 0.0), "latent"),
            (lambda c: c.edit(CODES, 1, [0.0, 1.0]), "value"),
            (lambda c: c.traverse(CODES, 1, [0.0]), "code"),
            (lambda c: c.sample(-1), "n"),
            (lambda c: c.sample(1, 2**31), "seed"),
            (lambda c: c.predict("classify", {"images": IMAGES}), "signature"),
            (lambda c: c.predict("encode", {"images": IMAGES}, ["means"]), "outputs"),
            (lambda c: c.predict("encode", {}), "inputs"),
        ],
    )
    def test_of_verbs_are_refused_before_they_are_sent(self, served, call, name):
        with (
            Client(served.url, "tiny") as client,
            pytest.raises((ValueError, TypeError), match=f"{name} must"),
        ):
            call(client)
        assert served.requests == []

    @pytest.mark.parametrize(
        ("images", "remedy"),
        [
            (IMAGES / 255, "Floats in [0, 1] become uint8 by np.round(255 * x)"),
            (IMAGES.astype(int), "Integers in 0 to 255 become uint8 by x.astype"),
            (IMAGES.astype(np.uint16), "Integers in 0 to 255 become uint8 by x.astype"),
            (IMAGES > 9, "True becomes white by np.uint8(255) * x"),
            (["photos/a.png"], "client.encode_bytes takes the contents of files"),
        ],
    )
    def test_of_another_type_are_told_what_fits_them(self, served, images, remedy):
        with (
            Client(served.url, "tiny") as client,
            pytest.raises(checks.ArgumentTypeError, match=re.escape(remedy)),
        ):
            client.encode(images)

    def test_signatures_are_listed_without_internal_ones(self, client):
        with pytest.raises(checks.ArgumentError) as caught:
            client.predict("enc", {"images": IMAGES})
        assert "'encode'" in str(caught.value)
        assert "__" not in str(caught.value)


def test_needs_no_tensorflow():
    """In a process that refuses it, and all that a client's installation lacks."""
    code = """
import sys
class Refuse:
    def find_spec(self, name, *rest):
        if name.split(".")[0] in {"tensorflow", "keras", "tensorflow_serving", "gin",
                                  "scipy", "sklearn", "absl", "PIL", "tqdm", "filelock",
                                  "tensorflow_probability", "h5py", "cv2", "numba"}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import tf_disentangle
client = tf_disentangle.serving.Client(sys.argv[1], "tiny")
import numpy as np
print(client.encode(np.full((1, 4, 4, 1), 7, np.uint8)).tolist(), client.status()[3])
"""
    with fake.by_grpc(fake.Fake()) as url, fake.by_rest() as rest:
        for server in (url, rest.url):
            done = subprocess.run(
                [sys.executable, "-c", code, server], capture_output=True, text=True
            )
            assert done.stdout == "[[7.0, 7.0, 7.0, 7.0]] AVAILABLE\n", done.stderr
