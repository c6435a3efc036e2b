"""TensorFlow Serving's REST interface as an ASGI application."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import threading

import prometheus_client
from google.protobuf import json_format
from google.protobuf.message import Message
from grpc import StatusCode
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tf_disentangle.serving.server import rest, tensors
from tf_disentangle.serving.server.errors import ServingError, from_exception
from tf_disentangle.serving.server.loaded import LoadedVersion
from tf_disentangle.serving.server.monitoring import Monitoring
from tf_disentangle.serving.server.signature import Limits
from tf_disentangle.serving.server.store import ModelStore


class _Memory:
    """The bytes that the bodies of all requests take at a time, up to a limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Takes `size` bytes if they are free; returns whether they were."""
        with self._lock:
            is_free = self._taken + size <= self._limit
            self._taken += size if is_free else 0
            return is_free

    def give_back(self, size: int) -> None:
        with self._lock:
            self._taken -= size


class RestApp:
    """Answers requests of HTTP from the models of a store.

    Args:
        store: The models.
        monitoring: Counts what is answered.
        limits: What a request, and all together, may ask.
        workers: The threads that work on the requests, which wait for a free one.
        timeout_seconds: Time until a request is answered with an error instead.
        metrics_path: Where Prometheus reads; None for nowhere.
    """

    def __init__(
        self,
        store: ModelStore,
        monitoring: Monitoring,
        limits: Limits,
        workers: concurrent.futures.ThreadPoolExecutor,
        *,
        timeout_seconds: float,
        metrics_path: str | None,
    ) -> None:
        self._store = store
        self._monitoring = monitoring
        self._limits = limits
        self._timeout = timeout_seconds
        self._metrics_path = metrics_path
        self._num_requests = 0
        self._memory = _Memory(limits.total_body_bytes)
        self._workers = workers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        request = Request(scope, receive)
        self._num_requests += 1
        try:
            response = await self._respond(request)
        finally:
            self._num_requests -= 1
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        address = request.scope["raw_path"].decode("latin-1")
        if query := request.scope["query_string"]:
            address += f"?{query.decode('latin-1')}"
        if request.method == "GET" and address == self._metrics_path:
            content_type = prometheus_client.CONTENT_TYPE_LATEST
            return Response(self._monitoring.page(), media_type=content_type)
        try:
            with self._monitoring.watching("REST") as labels:
                content = await self._answer(request, address, labels)
        except Exception as error:
            error = from_exception(error)
            status, content = error.http_status, error.json
        else:
            status = 200
        return Response(content, status, media_type="application/json")

    async def _answer(self, request: Request, address: str, labels: dict) -> str:
        """Returns the body of the answer, in time or not at all."""
        try:
            async with asyncio.timeout(self._timeout):
                with contextlib.ExitStack() as holding:
                    body = await self._body(request)
                    holding.callback(self._memory.give_back, len(body))
                    call = rest.parse_address(request.method, address)
                    labels["method"] = call.method
                    if call.model.name in self._store.names():
                        labels["model"] = call.model.name
                    encoding = request.headers.get("content-encoding", "")
                    work = self._workers.submit(self._work, call, body, encoding)
                    # A thread keeps the body even if the client has its error already.
                    kept = holding.pop_all()
                    work.add_done_callback(lambda _: kept.close())
                return await asyncio.wrap_future(work)
        except TimeoutError as error:
            text = f"Timed out after {self._timeout:g} seconds."
            raise ServingError(StatusCode.DEADLINE_EXCEEDED, text) from error
        except asyncio.CancelledError as error:  # by uvicorn, after the grace
            text = "The server ends. Try again later."
            raise ServingError(StatusCode.UNAVAILABLE, text) from error
        except ClientDisconnect as error:
            text = "The client has gone."
            raise ServingError(StatusCode.CANCELLED, text) from error

    async def _body(self, request: Request) -> bytes:
        """Returns the body; what is not accepted is still read, but not kept.

        Otherwise, a client that is still sending would not see the answer.
        """
        is_crowded = self._num_requests > self._limits.concurrent_requests
        refusal = _crowded() if is_crowded else None
        largest, body = self._limits.body_bytes, bytearray()
        try:
            async for part in request.stream():
                if refusal is None and len(body) + len(part) > largest:
                    refusal = rest.too_large(largest)
                if refusal is None and not self._memory.take(len(part)):
                    refusal = _crowded()
                if refusal is None:
                    body += part
                else:
                    self._memory.give_back(len(body))
                    body.clear()
            if refusal is not None:
                raise refusal
        except BaseException:
            self._memory.give_back(len(body))
            raise
        return bytes(body)

    def _work(self, call: rest.Call, body: bytes, encoding: str) -> str:
        """Returns the body of the answer; what takes time runs here, in a thread."""
        if call.method == "status":
            return json.dumps(_as_json(self._store.status(call.model)))
        version = self._store.find(call.model)
        if call.method == "metadata":
            return _metadata(call.model.name, version)
        body = rest.unpack(body, encoding, self._limits.body_bytes)
        name, inputs, in_rows = tensors.read_request(body, version.signature)
        return tensors.write_response(version.run(name, inputs), in_rows)


def _crowded() -> ServingError:
    """Returns a new error: one raised again and again would grow by its traces."""
    text = "The server has too many requests at once. Try again later."
    return ServingError(StatusCode.UNAVAILABLE, text)


def with_cors(app: ASGIApp) -> ASGIApp:
    """Lets pages of any origin ask, as --rest_api_enable_cors_support does."""
    return CORSMiddleware(
        app,
        allow_origins=["*"],
        allow_methods=["POST", "GET"],
        allow_headers=["Content-Type"],
    )


def _metadata(name: str, version: LoadedVersion) -> str:
    spec = _as_json(version.metadata(name).model_spec)
    signatures = {"signature_def": _as_json(version.signature_map)}
    return json.dumps({"model_spec": spec, "metadata": signatures})


def _as_json(message: Message) -> dict:
    """Returns a message in protobuf's JSON form, with the fields' own names."""
    return json_format.MessageToDict(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
    )
