"""Servers in processes of their own, for benchmarks/serving.py.

Run by itself it is one without a model: it answers zeros by the libraries of bin/serve,
grpc.server, and Starlette on uvicorn.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import socket
import subprocess
import sys
import time
from concurrent import futures

import numpy as np

from tf_disentangle import serving
from tf_disentangle.serving.client import messages, tensors

ROOT = pathlib.Path(__file__).resolve().parents[1]
NAME = "benchmark"


def free_ports():
    """Returns two ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def server(command, one_image, signatures=None):
    """Runs a server; yields its clients, its process and seconds to its first answer.

    Args:
        command: What starts it, but for the ports.
        one_image: To ask for until it is ready, [1, H, W, C].
        signatures: What the clients need not ask of it.
    """
    grpc_port, rest_port = free_ports()
    ports = [f"--port={grpc_port}", f"--rest_api_port={rest_port}"]
    started = time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([*command, *ports], cwd=ROOT, **quiet)
    clients = {}
    try:
        for name, port in (("grpc", grpc_port), ("http", rest_port)):
            clients[name] = serving.Client(f"{name}://127.0.0.1:{port}", NAME)
            clients[name]._signatures = signatures
            wait_for(clients[name], process, one_image)
        yield clients, process, time.perf_counter() - started
    finally:
        for client in clients.values():
            client.close()
        process.terminate()
        process.wait(60)


def wait_for(client, process, one_image):
    """Waits for a server's first answer."""
    until = time.monotonic() + 120
    while True:
        try:
            client.encode(one_image)
            return
        except serving.ServingError as error:
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"the server is not ready: {error}") from error
        time.sleep(0.1)


def real(base, one_image):
    """Runs bin/serve over a folder of versions."""
    command = [sys.executable, "-m", "tf_disentangle", "serve"]
    flags = [f"--model_base_path={base}", f"--model_name={NAME}"]
    return server([*command, *flags], one_image)


def without_model(output, width, one_image, signatures):
    """Runs a server that answers `output` with zeros [B, width]."""
    command = [sys.executable, __file__, output, str(width)]
    return server(command, one_image, signatures)


def memory(process_id="self"):
    """Returns the memory of a process in MB."""
    status = pathlib.Path(f"/proc/{process_id}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1e3


def serve_nothing(grpc_port, rest_port, output, width):
    """Answers an output of zeros [B, width] by the libraries of bin/serve, no model."""
    import grpc
    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    def predict(request, context):
        del context
        (images,) = request.inputs.values()
        shape = images.tensor_shape.dim[0].size, width
        zeros = tensors.to_message(np.zeros(shape, np.float32))
        return messages.PredictResponse(outputs={output: zeros})

    method = grpc.unary_unary_rpc_method_handler(
        predict,
        messages.PredictRequest.FromString,
        messages.PredictResponse.SerializeToString,
    )
    service = "tensorflow.serving.PredictionService"
    handler = grpc.method_handlers_generic_handler(service, {"Predict": method})
    served = grpc.server(
        futures.ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", -1)]
    )
    served.add_generic_rpc_handlers((handler,))
    served.add_insecure_port(f"127.0.0.1:{grpc_port}")
    served.start()

    async def rest(request):
        (rows,) = json.loads(await request.body())["inputs"].values()
        if not isinstance(rows[0], dict):
            rows = np.asarray(rows, np.uint8)
        answer = {"outputs": {output: np.zeros((len(rows), width)).tolist()}}
        return Response(json.dumps(answer), media_type="application/json")

    routes = [Route("/{path:path}", rest, methods=["POST"])]
    uvicorn.run(Starlette(routes=routes), port=int(rest_port), log_level="error")


if __name__ == "__main__":
    output, width, *ports = sys.argv[1:]
    serve_nothing(*(p.split("=")[1] for p in ports), output, int(width))
