"""The client against bin/serve's server: the answers of the model itself."""

import functools

import numpy as np
import pytest

from tf_disentangle import metrics
from tf_disentangle.datasets import CorrelatedEllipses
from tf_disentangle.latents import CategoricalLatents, GaussianLatents, JointLatents
from tf_disentangle.models import build_vae
from tf_disentangle.networks import mlp_decoder, mlp_encoder
from tf_disentangle.objectives import joint_vae
from tf_disentangle.serving import (
    Client,
    InvalidRequestError,
    ModelNotFoundError,
    server,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def data():
    return CorrelatedEllipses(num_images=200)


@pytest.fixture(scope="module")
def model(data):
    return build_vae(
        data,
        latents=JointLatents(GaussianLatents(3), CategoricalLatents([4])),
        objective=joint_vae(),
        encoder=functools.partial(mlp_encoder, width=8),
        decoder=functools.partial(mlp_decoder, width=8),
    )


@pytest.fixture(scope="module")
def served(model, tmp_path_factory):
    base = tmp_path_factory.mktemp("served")
    for version in (1, 2):
        model.export(str(base / "joint" / str(version)), verbose=False)
    with server.start(base) as running:
        yield running


@pytest.fixture(params=["grpc", "http"])
def client(request, served):
    port = served.grpc_port if request.param == "grpc" else served.rest_port
    with Client(f"{request.param}://localhost:{port}", "joint") as client:
        yield client


def test_every_verb_is_the_model_s(client, model):
    close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)
    codes = client.encode(IMAGES)
    close(codes, model.encode(IMAGES))
    close(client.decode(codes), model.decode(codes))
    close(client.reconstruct(IMAGES), model.reconstruct(IMAGES))
    edited = np.array(codes)
    edited[:, 3] = [0, 1, 2, 3, 0]
    close(client.edit(codes, 3, edited[:, 3]), model.decode(edited))
    steps = np.linspace(-2, 2, 7)
    rows = np.tile(codes[0], (7, 1))
    rows[:, 1] = steps
    close(client.traverse(codes[0], 1, steps), model.decode(rows))
    outputs = client.predict("encode", {"images": IMAGES})
    close(outputs["probabilities_c0"], model.posterior(IMAGES).probabilities()["c0"])


def test_samples_depend_on_their_own_seed(client):
    images = client.sample(5, seed=3)
    np.testing.assert_allclose(client.sample(3, seed=3), images[:3], atol=1e-6)
    assert np.abs(client.sample(3, seed=4) - images[:3]).max() > 0.01
    assert 0.0 <= images.min() <= images.max() <= 1.0


def test_png_is_the_array(client):
    cv2 = pytest.importorskip("cv2")
    files = [cv2.imencode(".png", image)[1].tobytes() for image in IMAGES]
    np.testing.assert_allclose(client.encode_bytes(files), client.encode(IMAGES))


def test_a_served_model_is_scored(client, data, model):
    options = {"num_train": 300, "encode_once": True}
    served = metrics.evaluate(data, client.encode, ["mig"], **options)
    own = metrics.evaluate(data, model.encode, ["mig"], **options)
    assert served["mig"].score == pytest.approx(own["mig"].score, abs=1e-6)


def test_nothing_and_much(client, model):
    assert client.encode(IMAGES[:0]).shape == (0, 4)
    many = np.tile(IMAGES, (20, 1, 1, 1))
    np.testing.assert_allclose(client.encode(many), model.encode(many), atol=1e-6)
    codes = np.tile(client.encode(IMAGES), (20, 1))
    assert client.decode(codes).shape == (100, 64, 64, 1)


def test_what_the_server_refuses(client, served):
    with pytest.raises(InvalidRequestError, match="images"):
        client.encode(IMAGES[:, :32])
    with pytest.raises(InvalidRequestError, match="image"):
        client.encode_bytes([b"no image"])
    for version in (3, "stable"):
        with (
            Client(client.url, "joint", version=version) as other,
            pytest.raises((ModelNotFoundError, InvalidRequestError)),
        ):
            other.encode(IMAGES)
    with (
        Client(client.url, "other") as other,
        pytest.raises(ModelNotFoundError, match="other"),
    ):
        other.status()


def test_what_is_there(client):
    assert client.status() == {2: "AVAILABLE"}
    signatures = client.metadata()
    assert {"encode", "decode", "reconstruct", "edit", "sample"} <= {*signatures}
    assert signatures["decode"].outputs["images"].shape == (None, 64, 64, 1)
