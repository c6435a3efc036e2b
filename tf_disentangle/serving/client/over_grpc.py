"""Requests over gRPC."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import numpy as np

from tf_disentangle.serving.client import messages, tensors
from tf_disentangle.serving.client.errors import error_of
from tf_disentangle.serving.client.tensors import Signature

_PREDICTION = "/tensorflow.serving.PredictionService"
_MODEL = "/tensorflow.serving.ModelService"
_PORT = 8500
# gRPC's words for a message that its receiver does not take, and for what a server of
# HTTP/1 answers.
_TOO_LARGE = "larger than max"
_NO_HTTP2 = ("Failed parsing HTTP/2", "http1.x server")


class GrpcConnection:
    """A channel to a server; threads may share it.

    gRPC itself repeats requests, within their deadline, and spreads them over all
    addresses that the host's name has.
    """

    def __init__(
        self,
        url: str,
        host: str,
        secure: bool,
        *,
        timeout: float,
        attempts: int,
        headers: Mapping[str, str],
    ) -> None:
        self._url, self._timeout = url, timeout
        self._headers = tuple((name.lower(), text) for name, text in headers.items())
        target = host if ":" in host.rpartition("]")[2] else f"{host}:{_PORT}"
        policy: dict[str, Any] = {"name": [{}]}
        if attempts > 1:  # gRPC itself allows 5 at most.
            policy["retryPolicy"] = {
                "maxAttempts": min(attempts, 5),
                "initialBackoff": "0.2s",
                "maxBackoff": "5s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
            }
        config = {
            "methodConfig": [policy],
            "loadBalancingConfig": [{"round_robin": {}}],
        }
        options = [
            ("grpc.service_config", json.dumps(config)),
            ("grpc.max_receive_message_length", -1),  # 4 MB otherwise.
            ("grpc.max_send_message_length", -1),
        ]
        if secure:
            credentials = grpc.ssl_channel_credentials()
            self._channel = grpc.secure_channel(target, credentials, options)
        else:
            self._channel = grpc.insecure_channel(target, options)
        call = self._method
        self._predict = call(f"{_PREDICTION}/Predict", messages.PredictResponse)
        self._metadata = call(
            f"{_PREDICTION}/GetModelMetadata", messages.GetModelMetadataResponse
        )
        self._status = call(f"{_MODEL}/GetModelStatus", messages.GetModelStatusResponse)

    def predict(
        self,
        spec: Any,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str],
        signature: Signature,
        request: str,
    ) -> dict[str, np.ndarray]:
        """Returns the outputs of one request; all of them if none is named."""
        message = messages.PredictRequest(model_spec=spec, output_filter=outputs)
        for name, array in inputs.items():
            message.inputs[name].CopyFrom(tensors.to_message(array))
        answer = self._call(self._predict, message, request)
        try:
            return {n: tensors.from_message(t) for n, t in answer.outputs.items()}
        except ValueError as error:
            raise self._unreadable(request, error) from error

    def signatures(self, spec: Any, request: str) -> dict[str, Signature]:
        """Returns the model's signatures."""
        message = messages.GetModelMetadataRequest(
            model_spec=spec, metadata_field=["signature_def"]
        )
        answer = self._call(self._metadata, message, request)
        packed = answer.metadata["signature_def"].value
        return tensors.signatures_of_message(
            messages.SignatureDefMap.FromString(packed)
        )

    def status(self, spec: Any, request: str) -> dict[int, str]:
        """Returns the state of each version."""
        message = messages.GetModelStatusRequest(model_spec=spec)
        answer = self._call(self._status, message, request)
        return {
            entry.version: messages.STATES.get(entry.state, "UNKNOWN")
            for entry in answer.model_version_status
        }

    def close(self) -> None:
        """Closes the channel; requests that are under way fail."""
        self._channel.close()

    def _method(self, path: str, answer: Any) -> Any:
        return self._channel.unary_unary(
            path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )

    def _call(self, method: Any, message: Any, request: str) -> Any:
        try:
            return method(message, timeout=self._timeout, metadata=self._headers)
        except grpc.RpcError as error:
            code, reason = error.code().name, error.details() or "no reason given"
            if any(words in reason for words in _NO_HTTP2):
                address = f"http{self._url.removeprefix('grpc')}"
                reason = f"the answer is not HTTP/2: use {address} if it is a REST port"
            large = _TOO_LARGE in reason
            raise error_of(self._url, request, code, reason, large) from error
        except ValueError as error:  # The channel is closed.
            raise error_of(self._url, request, "CANCELLED", str(error)) from error

    def _unreadable(self, request: str, error: Exception) -> Exception:
        return error_of(self._url, request, "INTERNAL", f"the answer has {error}")
