"""One version of a model in memory: a SavedModel and what its signatures take."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from grpc import StatusCode
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import get_model_metadata_pb2 as metadata_pb2
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from tf_disentangle.serving.server.errors import ServingError
from tf_disentangle.serving.server.signature import (
    IMAGE_INPUT,
    Limits,
    Signature,
    Spec,
    check_images,
    type_name,
)

_WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
_MOST_WARMUP_RECORDS = 1000
_TAG = "serve"  # of the graph for servers


class LoadedVersion:
    """A version that answers requests until nothing refers to it any more.

    Args:
        number: The version.
        folder: The SavedModel's folder.
        limits: What one request may ask.
        warm_up: Whether to run the requests recorded in the folder, so that the first
            client does not wait for what TensorFlow does at the first call.

    Raises:
        ServingError: If a recorded request fails.
        OSError, tf.errors.OpError: If it cannot be loaded.
    """

    def __init__(
        self, number: int, folder: pathlib.Path, limits: Limits, warm_up: bool = True
    ) -> None:
        self.number = number
        self.limits = limits
        self._model = tf.saved_model.load(str(folder), tags=[_TAG])
        self._functions: dict[str, Any] = dict(self._model.signatures)
        self._signatures = {
            name: Signature(
                _specs(function.structured_input_signature[1]),
                _specs(function.structured_outputs),
            )
            for name, function in self._functions.items()
        }
        self.signature_map = _signature_map(folder)
        if warm_up:
            self._replay(folder / _WARMUP_FILE)

    def signature(self, name: str) -> Signature:
        """Returns a signature by its name.

        Raises:
            ServingError: If the model has none of that name.
        """
        if name not in self._signatures:
            text = f'Serving signature name: "{name}" not found in signature def'
            raise ServingError(StatusCode.INVALID_ARGUMENT, text)
        return self._signatures[name]

    def run(
        self, name: str, inputs: Mapping[str, np.ndarray], wanted: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        """Returns the outputs of a signature, or those that are wanted.

        Args:
            name: The signature.
            inputs: Its inputs, arrays [B, ...]; objects of bytes for strings.
            wanted: Names of outputs; () for all.

        Raises:
            ServingError: If the inputs are not what the signature takes.
            tf.errors.OpError: What the model itself says of them.
        """
        signature = self.signature(name)
        signature.check_names(inputs, wanted)
        for key, array in inputs.items():
            kind = type_name(array.dtype.name)
            signature.check_tensor(key, kind, array.shape, self.limits)
        if IMAGE_INPUT in inputs and inputs[IMAGE_INPUT].dtype == object:
            check_images(inputs[IMAGE_INPUT].ravel(), self.limits)
        tensors = {
            key: tf.constant(array, signature.inputs[key].dtype)
            for key, array in inputs.items()
        }
        results = self._functions[name](**tensors)
        return {
            key: np.asarray(results[key].numpy(), signature.outputs[key].dtype)
            for key in (wanted or signature.outputs)
        }

    def predict(self, request: predict_pb2.PredictRequest) -> dict[str, np.ndarray]:
        """Returns the outputs that a request by gRPC asks for."""
        name = request.model_spec.signature_name or "serving_default"
        if name not in self._signatures:
            text = f'Serving signature key "{name}" not found.'
            raise ServingError(StatusCode.FAILED_PRECONDITION, text)
        signature = self._signatures[name]
        wanted = list(request.output_filter)
        signature.check_names(request.inputs, wanted)
        inputs = {}
        for key, tensor in request.inputs.items():
            # Before the array is made: a few bytes can claim any shape.
            signature.check_tensor(key, *_described(tensor), self.limits)
            try:
                inputs[key] = tf.make_ndarray(tensor)
            except (TypeError, ValueError) as error:
                text = f"Invalid tensor for the input {key}: {error}"
                raise ServingError(StatusCode.INVALID_ARGUMENT, text) from error
        return self.run(name, inputs, wanted)

    def metadata(self, name: str) -> metadata_pb2.GetModelMetadataResponse:
        """Returns the description of the signatures, for a model of that name."""
        response = metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = name
        response.model_spec.version.value = self.number
        response.metadata["signature_def"].Pack(self.signature_map)
        return response

    def _replay(self, path: pathlib.Path) -> None:
        if not path.exists():
            return
        for position, record in enumerate(tf.data.TFRecordDataset(str(path))):
            if position == _MOST_WARMUP_RECORDS:
                text = f"Number of warmup records exceeds {_MOST_WARMUP_RECORDS}"
                raise ServingError(StatusCode.INVALID_ARGUMENT, text)
            log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
            if log.WhichOneof("log_type") == "predict_log":
                self.predict(log.predict_log.request)


def _specs(specs: Mapping[str, Any]) -> dict[str, Spec]:
    return {
        name: Spec(
            np.dtype(spec.dtype.as_numpy_dtype),
            None if spec.shape.rank is None else tuple(spec.shape.as_list()),
        )
        for name, spec in specs.items()
    }


def _described(tensor: Any) -> tuple[str, list[int]]:
    """Returns the name of a message's type and its shape, [-1] if that is unknown."""
    try:
        name = type_name(tf.as_dtype(tensor.dtype).name)
    except TypeError:
        name = f"type {tensor.dtype}"
    shape = tensor.tensor_shape
    return name, [-1] if shape.unknown_rank else [d.size for d in shape.dim]


def _signature_map(folder: pathlib.Path) -> metadata_pb2.SignatureDefMap:
    """Returns the signatures as the file describes them."""
    saved = saved_model_pb2.SavedModel.FromString(
        (folder / "saved_model.pb").read_bytes()
    )
    graphs = [g for g in saved.meta_graphs if _TAG in g.meta_info_def.tags]
    return metadata_pb2.SignatureDefMap(signature_def=dict(graphs[0].signature_def))
