"""Requests that a server runs before it answers with a new version.

    VERSION/assets.extra/tf_serving_warmup_requests    a TFRecord of PredictionLog

A server that replays them has allocated all it needs when the first client asks. A
record that fails keeps TF Serving from loading the version, so an export replays the
file before the version gets its name.
"""

from __future__ import annotations

import importlib.util
import os
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.models import LatentModel

_PLACE = pathlib.Path("assets.extra", "tf_serving_warmup_requests")

Inputs = dict[str, np.ndarray]


def is_available() -> bool:
    """Whether the messages of TF Serving, which the file is made of, are installed."""
    return importlib.util.find_spec("tensorflow_serving") is not None


def requests(model: LatentModel) -> dict[str, Inputs]:
    """Returns one request to each signature of a model, for one row."""
    shape, rng = (1, *model.image_shape), np.random.default_rng(0)
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    codes = np.zeros((1, model.latents.num_latents), np.float32)
    one = {
        "images": rng.normal(size=shape).astype(np.float32)
        if model.is_vector
        else images,
        "codes": codes,
        "latent": np.zeros(1, np.int32),
        "value": np.zeros(1, np.float32),
        "seed": np.zeros((1, 2), np.int32),
    }
    functions = model.signatures()
    if "encode_bytes" in functions:
        png = tf.io.encode_png(images[0]).numpy()
        one["image_bytes"] = np.array([png], object)
    return {
        name: {spec.name: one[spec.name] for spec in function.input_signature}
        for name, function in functions.items()
    }


def write(
    folder: str | os.PathLike, model_name: str, asked: Mapping[str, Inputs]
) -> pathlib.Path:
    """Writes requests into the folder of a version; returns the path of the file.

    Args:
        folder: The version's folder.
        model_name: The model's name at the server.
        asked: The inputs, by signature.

    Raises:
        ArgumentError: If the messages of TF Serving are not installed.
    """
    rule, remedy = "be installed", "pip install 'tf_disentangle[serving]'"
    checks.require(is_available(), "tensorflow-serving-api", rule, "not found", remedy)
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    path = pathlib.Path(folder, _PLACE)
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as file:
        for signature, inputs in asked.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.name = model_name
            request.model_spec.signature_name = signature
            for name, value in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictLog(request=request)
            record = prediction_log_pb2.PredictionLog(predict_log=log)
            file.write(record.SerializeToString())
    return path


def read(folder: str | os.PathLike) -> Iterator[tuple[str, Inputs]]:
    """Yields (signature, inputs) of each record of a version's folder."""
    from tensorflow_serving.apis import prediction_log_pb2

    for record in tf.data.TFRecordDataset(os.path.join(folder, _PLACE)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        inputs = {
            name: tf.make_ndarray(value) for name, value in request.inputs.items()
        }
        yield request.model_spec.signature_name, inputs


def replay(folder: str | os.PathLike, asked: Mapping[str, Inputs]) -> None:
    """Loads a SavedModel, as a server does, and asks each of its signatures.

    Args:
        folder: The version's folder.
        asked: The inputs, by signature; if the folder has its own file of them, that is
            used.

    Raises:
        ArgumentError: If an answer has numbers that are not finite.
    """
    loaded = tf.saved_model.load(os.fspath(folder))
    has_file = pathlib.Path(folder, _PLACE).exists()
    for signature, inputs in read(folder) if has_file else asked.items():
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        answer = loaded.signatures[signature](**tensors)
        wrong = [n for n, t in answer.items() if not np.isfinite(t.numpy()).all()]
        rule = "answer every request with finite numbers"
        received = f"others in {', '.join(wrong)} of {signature}"
        checks.require(not wrong, "model", rule, received, "Its training diverged.")
