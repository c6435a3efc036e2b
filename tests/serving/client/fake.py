"""A served model of a few lines: what a client is tested against.

It speaks by tensorflow-serving-api's own messages, and remembers what it was asked. By
REST it answers as TensorFlow Serving documents it. Both can be told to misbehave.
"""

import base64
import concurrent.futures
import contextlib
import http.server
import json
import threading

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import any_pb2
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

SHAPE = (4, 4, 1)
FLOAT, BYTE, INT, STRING = "DT_FLOAT", "DT_UINT8", "DT_INT32", "DT_STRING"
SIGNATURES = {
    "encode": (
        {"images": (BYTE, (-1, *SHAPE))},
        {"mean": (FLOAT, (-1, 4)), "stddev": (FLOAT, (-1, 4))},
    ),
    "encode_bytes": ({"image_bytes": (STRING, (-1,))}, {"mean": (FLOAT, (-1, 4))}),
    "decode": ({"codes": (FLOAT, (-1, 4))}, {"images": (FLOAT, (-1, *SHAPE))}),
    "reconstruct": (
        {"images": (BYTE, (-1, *SHAPE))},
        {"reconstructions": (FLOAT, (-1, *SHAPE))},
    ),
    "edit": (
        {
            "codes": (FLOAT, (-1, 4)),
            "latent": (INT, (-1,)),
            "value": (FLOAT, (-1,)),
        },
        {"images": (FLOAT, (-1, *SHAPE))},
    ),
    "sample": (
        {"seed": (INT, (-1, 2))},
        {"images": (FLOAT, (-1, *SHAPE)), "sampled_codes": (FLOAT, (-1, 4))},
    ),
}


def model(signature, inputs):
    """The model itself: a code is the means of an image's rows."""
    if signature == "encode":
        means = inputs["images"].astype(np.float32).mean(axis=(2, 3))
        return {"mean": means, "stddev": np.ones_like(means)}
    if signature == "encode_bytes":
        sizes = [[len(b)] * 4 for b in inputs["image_bytes"].tolist()]
        return {"mean": np.array(sizes, np.float32)}
    if signature == "reconstruct":
        return {"reconstructions": inputs["images"].astype(np.float32) / 255}
    if signature == "sample":
        codes = np.repeat(inputs["seed"], 2, axis=1).astype(np.float32)
        return {**model("decode", {"codes": codes}), "sampled_codes": codes}
    codes = np.array(inputs["codes"])
    if signature == "edit":
        codes[np.arange(len(codes)), inputs["latent"]] = inputs["value"]
    images = np.repeat(codes[:, :, np.newaxis, np.newaxis], 4, axis=2)
    return {"images": images.astype(np.float32)}


class Fake(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    """Serves `model` as "tiny" by gRPC.

    Attributes:
        requests: The predict requests that came.
        failures: Codes to fail with, one request after the other.
        as_content: Whether answers carry bytes instead of typed values.
        wait: An event to wait for before each answer.
        spoil: Called with each answer before it is sent.
    """

    def __init__(self):
        self.requests, self.failures = [], []
        self.as_content, self.wait = False, None
        self.spoil = lambda answer: None
        self.metadata = []  # What came with the requests.

    def Predict(self, request, context):
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        self._check(request, context)
        name = request.model_spec.signature_name
        arrays = {n: tf.make_ndarray(t) for n, t in request.inputs.items()}
        for key, (_, shape) in SIGNATURES[name][0].items():
            if arrays[key].shape[1:] != shape[1:]:
                text = f"Shape of tensor {key} {list(arrays[key].shape)} is wrong"
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, text)
        answer = predict_pb2.PredictResponse()
        for key, array in model(name, arrays).items():
            if request.output_filter and key not in request.output_filter:
                continue
            tensor = answer.outputs[key]
            if self.as_content:
                tensor.CopyFrom(tf.make_tensor_proto(array))
            else:
                tensor.dtype = types_pb2.DT_FLOAT
                for size in array.shape:
                    tensor.tensor_shape.dim.add(size=size)
                tensor.float_val.extend(array.reshape(-1).tolist())
        self.spoil(answer)
        return answer

    def GetModelMetadata(self, request, context):
        self._check(request, context)
        known = get_model_metadata_pb2.SignatureDefMap()
        for name, (inputs, outputs) in SIGNATURES.items():
            signature = meta_graph_pb2.SignatureDef()
            for tensors, infos in (
                (inputs, signature.inputs),
                (outputs, signature.outputs),
            ):
                for key, (dtype, shape) in tensors.items():
                    infos[key].dtype = types_pb2.DataType.Value(dtype)
                    for size in shape:
                        infos[key].tensor_shape.dim.add(size=size)
            known.signature_def[name].CopyFrom(signature)
        known.signature_def["__saved_model_init_op"].SetInParent()
        packed = any_pb2.Any()
        packed.Pack(known)
        answer = get_model_metadata_pb2.GetModelMetadataResponse()
        answer.metadata["signature_def"].CopyFrom(packed)
        return answer

    def GetModelStatus(self, request, context):
        self._check(request, context)
        answer = get_model_status_pb2.GetModelStatusResponse()
        answer.model_version_status.add(version=3, state="AVAILABLE")
        answer.model_version_status.add(version=2, state="END")
        return answer

    def _check(self, request, context):
        if self.wait is not None:
            self.wait.wait(10)
        if self.failures:
            failure = self.failures.pop(0)
            code, words = failure if isinstance(failure, tuple) else (failure, None)
            context.abort(code, words or "told to fail")
        if request.model_spec.name != "tiny":
            text = f"Servable not found for request: Latest({request.model_spec.name})"
            context.abort(grpc.StatusCode.NOT_FOUND, text)


@contextlib.contextmanager
def by_grpc(fake):
    """Serves it; yields the URL."""
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(fake, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(fake, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"grpc://127.0.0.1:{port}"
    finally:
        server.stop(None)


class Rest(http.server.BaseHTTPRequestHandler):
    """The same by REST; the server's `answers` come first, one after the other."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self._told():
            return
        if self.path.endswith("/metadata"):
            signatures = {
                name: {
                    **{"inputs": _specs(inputs), "outputs": _specs(outputs)},
                    "method_name": "tensorflow/serving/predict",
                }
                for name, (inputs, outputs) in SIGNATURES.items()
            }
            signatures["__saved_model_init_op"] = {"inputs": {}, "outputs": {}}
            self._send(
                200, {"metadata": {"signature_def": {"signature_def": signatures}}}
            )
        else:
            state = {"error_code": "OK", "error_message": ""}
            version = {"version": "3", "state": "AVAILABLE", "status": state}
            self._send(200, {"model_version_status": [version]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, dict(self.headers), body))
        self.server.clients.append(self.client_address)
        self.server.hold()
        if self._told():
            return
        name = body["signature_name"]
        dtypes = {FLOAT: np.float32, BYTE: np.uint8, INT: np.int32}
        arrays = {}
        for key, (dtype, _) in SIGNATURES[name][0].items():
            value = body["inputs"][key]
            if dtype == STRING:
                value = [base64.b64decode(item["b64"], validate=True) for item in value]
            arrays[key] = np.array(value, dtypes.get(dtype, object))
        outputs = {k: v.tolist() for k, v in model(name, arrays).items()}
        (only, *others) = outputs.values()
        self._send(200, {"outputs": outputs if others else only})

    def _told(self):
        if self.server.answers:
            status, content = self.server.answers.pop(0)
            self._send(status, content)
            return True
        return False

    def _send(self, status, content):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        pass


def _specs(tensors):
    return {
        key: {
            "dtype": dtype,
            "tensor_shape": {
                "dim": [{"size": str(size), "name": ""} for size in shape],
                "unknown_rank": False,
            },
            "name": f"{key}:0",
        }
        for key, (dtype, shape) in tensors.items()
    }


@contextlib.contextmanager
def by_rest():
    """Serves it; yields the server, with `url`, `requests` and `answers`.

    It has the `clients`, host and port, of the requests too, and calls `hold` before
    each answer.
    """
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Rest)
    server.daemon_threads = True
    server.requests, server.answers, server.clients = [], [], []
    server.hold = lambda: None
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
