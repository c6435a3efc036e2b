"""TensorFlow Serving's gRPC services over the models of a store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tf_disentangle.serving.server.errors import from_exception, invalid
from tf_disentangle.serving.server.monitoring import Monitoring
from tf_disentangle.serving.server.rest import ModelSpec
from tf_disentangle.serving.server.store import ModelStore

Answer = TypeVar("Answer")


class _Service:
    """What both services share."""

    def __init__(self, store: ModelStore, monitoring: Monitoring) -> None:
        self._store = store
        self._monitoring = monitoring

    def _answer(
        self,
        method: str,
        request: Any,
        context: grpc.ServicerContext,
        function: Callable[[Any], Answer],
    ) -> Answer:
        """Returns `function(request)`, or ends the call with what went wrong."""
        try:
            with self._monitoring.watching("GRPC") as labels:
                labels["method"] = method
                name = request.model_spec.name if method != "reload" else ""
                if name in self._store.names():
                    labels["model"] = name
                return function(request)
        except Exception as error:
            answer = from_exception(error)
        return context.abort(answer.code, answer.grpc_message)


class PredictionService(
    _Service, prediction_service_pb2_grpc.PredictionServiceServicer
):
    """Predict and GetModelMetadata; the other methods are UNIMPLEMENTED."""

    def Predict(
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Runs a signature."""
        return self._answer("predict", request, context, self._predict)

    def GetModelMetadata(
        self,
        request: get_model_metadata_pb2.GetModelMetadataRequest,
        context: grpc.ServicerContext,
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Describes the signatures."""
        return self._answer("metadata", request, context, self._metadata)

    def _not_offered(self, request: Any, context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "Not offered here. Use Predict.")

    Classify = Regress = MultiInference = _not_offered

    def _predict(
        self, request: predict_pb2.PredictRequest
    ) -> predict_pb2.PredictResponse:
        version = self._store.find(_model(request.model_spec))
        outputs = version.predict(request)
        response = predict_pb2.PredictResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = version.number
        name = request.model_spec.signature_name or "serving_default"
        response.model_spec.signature_name = name
        for key, array in outputs.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(array))
        return response

    def _metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        if not request.metadata_field:
            text = "GetModelMetadataRequest must specify at least one metadata_field"
            raise invalid(text)
        for field in request.metadata_field:
            if field != "signature_def":
                raise invalid(f"Metadata field {field} is not supported")
        version = self._store.find(_model(request.model_spec))
        return version.metadata(request.model_spec.name)


class ModelService(_Service, model_service_pb2_grpc.ModelServiceServicer):
    """Says what is served, and switches to serving something else."""

    def GetModelStatus(
        self,
        request: get_model_status_pb2.GetModelStatusRequest,
        context: grpc.ServicerContext,
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Describes the versions of a model."""
        return self._answer("status", request, context, self._status)

    def HandleReloadConfigRequest(
        self,
        request: model_management_pb2.ReloadConfigRequest,
        context: grpc.ServicerContext,
    ) -> model_management_pb2.ReloadConfigResponse:
        """Serves the models of another configuration from now on."""
        return self._answer("reload", request, context, self._reload)

    def _status(
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        return self._store.status(_model(request.model_spec))

    def _reload(
        self, request: model_management_pb2.ReloadConfigRequest
    ) -> model_management_pb2.ReloadConfigResponse:
        self._store.configure(request.config)
        response = model_management_pb2.ReloadConfigResponse()
        response.status.SetInParent()
        return response


def _model(spec: model_pb2.ModelSpec) -> ModelSpec:
    """Returns what a request says of its model.

    Raises:
        ServingError: If it has no name.
    """
    if not spec.name:
        raise invalid("ModelSpec has no name specified.")
    version = spec.version.value if spec.HasField("version") else None
    return ModelSpec(spec.name, version, spec.version_label or None)
