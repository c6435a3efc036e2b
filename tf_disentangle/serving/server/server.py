"""A running server: both interfaces over one store of models."""

from __future__ import annotations

import concurrent.futures
import errno
import functools
import logging
import os
import pathlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import grpc
import uvicorn
from google.protobuf import text_format
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from tf_disentangle import checks
from tf_disentangle.serving import folders
from tf_disentangle.serving.server import grpc_services, monitoring
from tf_disentangle.serving.server.errors import ServingError
from tf_disentangle.serving.server.loaded import LoadedVersion
from tf_disentangle.serving.server.rest_app import RestApp, with_cors
from tf_disentangle.serving.server.signature import Limits
from tf_disentangle.serving.server.store import ModelStore

# What closing may take once the requests are answered or given up.
_CLOSING_SECONDS = 5.0
_SERVICES = ("", "PredictionService", "ModelService")
_LARGEST_ANSWER = 2**31 - 1
_LARGEST_PORT = 2**16 - 1
_PORTS = {"port": "grpc_port", "rest_api_port": "rest_port"}  # by option
# Longer than the pauses of a client that asks now and then: if the server closes a
# connection just when the client uses it again, the request fails.
_IDLE_SECONDS = 600
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How a server serves.

    Attributes:
        host: The address that it listens at; "0.0.0.0" for every one of the machine.
        rest_port: Port of REST; 0 for any free one, None for no REST.
        grpc_port: Port of gRPC, likewise.
        limits: What requests may ask.
        num_threads: How many requests are worked on at a time, by either interface.
        timeout_seconds: Time until a request by REST is answered with an error.
        cors: Whether pages of any origin may ask by REST.
        metrics_path: Where Prometheus reads by REST; None for nowhere.
        poll_seconds: Time from one look for new versions to the next; 0 looks once.
        config_poll_seconds: Time from one look at the configuration file to the next;
            0 reads it only once.
        most_load_retries: How often a version that cannot be loaded is tried again.
        load_retry_seconds: Time from one such try to the next.
        labels_in_advance: Whether a label may name a version that is not loaded.
        warm_up: Whether a version's recorded requests are run before it serves.
    """

    host: str = "127.0.0.1"
    rest_port: int | None = 0
    grpc_port: int | None = 0
    limits: Limits = field(default_factory=Limits)
    num_threads: int = 4 * (os.cpu_count() or 1)
    timeout_seconds: float = 30.0
    cors: bool = False
    metrics_path: str | None = monitoring.DEFAULT_PATH
    poll_seconds: float = 1.0
    config_poll_seconds: float = 0.0
    most_load_retries: int = 5
    load_retry_seconds: float = 60.0
    labels_in_advance: bool = False
    warm_up: bool = True

    def __post_init__(self) -> None:
        """Checks the ports: gRPC would take a larger one modulo 65536."""
        ports = {"rest_port": self.rest_port, "grpc_port": self.grpc_port}
        for name, port in ports.items():
            fits = port is None or 0 <= port <= _LARGEST_PORT
            checks.require(fits, name, f"be 0 to {_LARGEST_PORT}", port)


class Server:
    """Serves models until `stop` is called.

    Made by `start`. In a `with` statement it stops at the end.

    Attributes:
        store: The models.
        rest_port: The port of REST, None if it is off.
        grpc_port: The port of gRPC, None if it is off.
    """

    def __init__(self, store: ModelStore, options: Options) -> None:
        self.store = store
        self._options = options
        self._monitoring = monitoring.Monitoring()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._pools: list[concurrent.futures.ThreadPoolExecutor] = []
        self.rest_port = self.grpc_port = None
        try:
            if options.grpc_port is not None:
                self._start_grpc()
            if options.rest_port is not None:
                self._start_rest()
        except BaseException:
            self.stop(0)
            raise
        if options.poll_seconds:
            self.repeat(store.poll, options.poll_seconds)

    def _start_grpc(self) -> None:
        options, limits = self._options, self._options.limits
        self._grpc = grpc.server(
            self._workers("grpc"),
            maximum_concurrent_rpcs=limits.concurrent_requests,
            options=[
                ("grpc.max_receive_message_length", limits.body_bytes),
                ("grpc.max_send_message_length", _LARGEST_ANSWER),
                ("grpc.so_reuseport", 0),  # else two servers share a port unseen
            ],
        )
        parts = (self.store, self._monitoring)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            grpc_services.PredictionService(*parts), self._grpc
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            grpc_services.ModelService(*parts), self._grpc
        )
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        for service in _SERVICES:
            self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        host = f"[{options.host}]" if ":" in options.host else options.host
        try:
            port = self._grpc.add_insecure_port(f"{host}:{options.grpc_port}")
        except RuntimeError as error:
            raise _no_port("port", options.grpc_port) from error
        self._grpc.start()
        self.grpc_port = port

    def _start_rest(self) -> None:
        options = self._options
        listening = _listening(options.host, options.rest_port, "rest_api_port")
        # Connections inherit it. Without it each answer waits 40 ms for the client's
        # acknowledgement of its head.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        app = self._app = RestApp(
            self.store,
            self._monitoring,
            options.limits,
            self._workers("rest"),
            timeout_seconds=options.timeout_seconds,
            metrics_path=options.metrics_path,
        )
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(
                with_cors(app) if options.cors else app,
                http="h11",
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=_IDLE_SECONDS,
            )
        )
        run = functools.partial(self._uvicorn.run, sockets=[listening])
        self._rest = threading.Thread(target=run, name="rest", daemon=True)
        self._rest.start()
        self.rest_port = listening.getsockname()[1]

    def repeat(self, function: Callable[[], None], seconds: float) -> None:
        """Calls `function` every few seconds, in a thread, until the server stops."""

        def run() -> None:
            last = None
            while not self._stopping.wait(seconds):
                try:
                    function()
                    last = None
                except Exception as error:
                    if last != str(error):  # not every second again
                        last = str(error)
                        fault = not isinstance(
                            error, ServingError | checks.ArgumentError
                        )
                        _logger.error("%s", error, exc_info=fault)

        thread = threading.Thread(target=run, name="polling", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _workers(self, name: str) -> concurrent.futures.ThreadPoolExecutor:
        workers = concurrent.futures.ThreadPoolExecutor(self._options.num_threads, name)
        self._pools.append(workers)
        return workers

    def stop(self, grace_seconds: float = 30.0) -> bool:
        """Takes no more requests, answers those that came, and ends.

        Args:
            grace_seconds: How long requests may take until they are given up.

        Returns:
            Whether no thread is still working. TensorFlow's operations cannot be
            interrupted, and Python waits for such a thread before it exits.
        """
        end = time.monotonic() + grace_seconds + _CLOSING_SECONDS
        self._stopping.set()
        ended = None
        if self.grpc_port is not None:
            self._health.enter_graceful_shutdown()
            ended = self._grpc.stop(grace_seconds)
        if self.rest_port is not None:
            self._uvicorn.config.timeout_graceful_shutdown = max(1, int(grace_seconds))
            self._uvicorn.should_exit = True
            self._rest.join(grace_seconds + _CLOSING_SECONDS)
        if ended is not None:
            ended.wait(max(0.0, end - time.monotonic()))
        threads = list(self._threads)
        for pool in self._pools:
            shutdown = functools.partial(pool.shutdown, cancel_futures=True)
            threads.append(threading.Thread(target=shutdown, daemon=True))
            threads[-1].start()
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def __enter__(self) -> Server:
        """Returns the server, which serves already."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Stops."""
        self.stop()


def start(
    models: str | os.PathLike | config_pb2.ModelServerConfig,
    *,
    model_name: str | None = None,
    **options: object,
) -> Server:
    """Starts a server and returns once every model is ready.

        with serving.server.start("exports") as server:
            client = serving.Client(f"http://localhost:{server.rest_port}", "chyvae")

    Args:
        models: A folder (see `folders.models_in`), a file of a ModelServerConfig as
            text, or such a configuration.
        model_name: The name of a single model; by default that of its folder.
        **options: Attributes of `Options`.

    Raises:
        ArgumentError: If a model cannot be served or a port is taken.
    """
    settings = Options(**options)  # type: ignore[arg-type]
    load = functools.partial(
        LoadedVersion, limits=settings.limits, warm_up=settings.warm_up
    )
    store = ModelStore(
        load,
        most_retries=settings.most_load_retries,
        retry_seconds=settings.load_retry_seconds,
        labels_in_advance=settings.labels_in_advance,
    )
    read = functools.partial(_configuration, models, model_name)
    config = read()
    rule = "name at least one model"
    checks.require(config.model_config_list.config, "models", rule, str(models))
    # Looked at before the models take their time.
    for option, port in _PORTS.items():
        number = getattr(settings, port)
        if number is not None:
            _listening(settings.host, number, option).close()
    try:
        store.configure(config)
    except ServingError as error:
        rule, remedy = "name models that can be served", ""
        if "assign label" in error.message:
            remedy = (
                "Pass --allow_version_labels_for_unavailable_models, or "
                "labels_in_advance=True."
            )
        text = checks.message("models", rule, error.message, remedy)
        raise checks.ArgumentError(text) from error
    server = Server(store, settings)
    if settings.config_poll_seconds:
        follow = _Following(store, read, config)
        server.repeat(follow, settings.config_poll_seconds)
    return server


class _Following:
    """Configures a store again whenever a file has changed."""

    def __init__(
        self,
        store: ModelStore,
        read: Callable[[], config_pb2.ModelServerConfig],
        config: config_pb2.ModelServerConfig,
    ) -> None:
        self._store, self._read, self._last = store, read, config

    def __call__(self) -> None:
        config = self._read()
        if config != self._last:
            self._last = config
            self._store.configure(config)


def _configuration(
    models: str | os.PathLike | config_pb2.ModelServerConfig, name: str | None
) -> config_pb2.ModelServerConfig:
    """Returns what `models` stands for as a configuration."""
    if isinstance(models, config_pb2.ModelServerConfig):
        return models
    config = config_pb2.ModelServerConfig()
    path = pathlib.Path(models)
    if path.is_file():
        try:
            return text_format.Parse(path.read_text(encoding="utf-8"), config)
        except (text_format.ParseError, UnicodeDecodeError) as error:
            rule = "be the text of a ModelServerConfig"
            received = f"{path}: {error}"
            text = checks.message("model_config_file", rule, received)
            raise checks.ArgumentError(text) from error
    for model, base in folders.models_in(path, name).items():
        config.model_config_list.config.add(
            name=model, base_path=base, model_platform="tensorflow"
        )
    return config


def _listening(host: str, port: int | None, name: str) -> socket.socket:
    """Returns a socket that listens, or says which option keeps it from that."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise _no_port(name, port) from error
        if error.errno == errno.EACCES:
            rule, remedy = "be a port that you may use", "Take one from 1024 upwards."
            text = checks.message(name, rule, port, remedy)
        else:  # the name of no machine, or the address of another
            rule, remedy = "be an address of this machine", "0.0.0.0 is all of them."
            text = checks.message("host", rule, host, remedy)
        raise checks.ArgumentError(text) from error


def _no_port(name: str, port: int | None) -> checks.ArgumentError:
    remedy = f"Another program listens there: choose another --{name}."
    return checks.ArgumentError(checks.message(name, "be a free port", port, remedy))
