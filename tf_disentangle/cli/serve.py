r"""Serves exported models on this machine, with TensorFlow Serving's REST and gRPC.

    bin/serve runs/chyvae                # a run; exported first if it has no export
    bin/serve store:chyvae_ellipses      # a published model; always exported first
    bin/serve exports                    # a folder of models: exports/NAME/VERSION
    bin/serve --model_base_path=exports/chyvae --model_name=chyvae \
        --rest_api_port=8501 --port=8500
    bin/serve --model_config_file=models.config --model_config_file_poll_wait_seconds=10

The options are those of tensorflow_model_server and mean the same: what works here
works there. New versions are served as they appear. On Ctrl-C or SIGTERM the server
answers the requests that have arrived, then stops.

This server is for tests and local use: it is one process, and only this machine can
reach it unless --host says otherwise. docs/serving.md says how to serve many users.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from absl import flags

from tf_disentangle import checks, store
from tf_disentangle.cli import run_flags, startup
from tf_disentangle.serving import folders

if TYPE_CHECKING:
    from tf_disentangle.serving.server import Server

FLAGS = flags.FlagValues()
POSITIONAL = ("dir",)

_TEXTS = {
    "dir": (
        None,
        "An exported model, a folder of them, a run, or a published model.",
    ),
    "model_base_path": (None, "Folder of one model's versions."),
    "model_name": (
        None,
        "Name of that model; by default that of DIR; without DIR, default.",
    ),
    "model_config_file": (None, "File of a ModelServerConfig in text form."),
    "monitoring_config_file": (
        None,
        "File of a MonitoringConfig in text form; by default Prometheus's page is on.",
    ),
    "host": ("127.0.0.1", "Address to listen on; 0.0.0.0 for all addresses."),
}
_PORTS = {
    "rest_api_port": (8501, "Port of REST; 0 for no REST."),
    "port": (8500, "Port of gRPC; 0 for no gRPC."),
}
_INTEGERS = {
    "rest_api_timeout_in_ms": (30_000, "Time after which REST answers with an error."),
    "rest_api_num_threads": (0, "Requests handled at a time; 0: 4 per processor."),
    "model_config_file_poll_wait_seconds": (
        0,
        "How often to reread that file; 0: never.",
    ),
    "file_system_poll_wait_seconds": (
        1,
        "How often to look for new versions; 0: only once.",
    ),
    "max_num_load_retries": (
        5,
        "How many times to retry a version that cannot be loaded.",
    ),
    "load_retry_interval_micros": (60_000_000, "Time between two retries."),
    "tensorflow_intra_op_parallelism": (0, "Threads of one operation; 0: automatic."),
    "tensorflow_inter_op_parallelism": (0, "Operations at a time; 0: automatic."),
    "max_body_bytes": (16 * 2**20, "Largest body or message of a request."),
    "max_total_body_bytes": (256 * 2**20, "Largest size of all bodies at a time."),
    "max_batch_rows": (1024, "Largest batch of a request."),
    "max_image_pixels": (16 * 2**20, "Largest width times height of an image."),
    "max_request_pixels": (32 * 2**20, "Most pixels of a request's images together."),
    "max_concurrent_requests": (1024, "Requests at a time, including those that wait."),
}
_SWITCHES = {
    "rest_api_enable_cors_support": (False, "Let web pages of any origin use REST."),
    "enable_model_warmup": (
        True,
        "Run a version's recorded requests before it is served.",
    ),
    "allow_version_labels_for_unavailable_models": (
        False,
        "Allow labels for versions that are not loaded.",
    ),
}
# What tensorflow_model_server has too, and what it means here.
_NO_EFFECT = {
    "enable_batching": "requests are not batched across clients here",
    "batching_parameters_file": "requests are not batched across clients here",
    "enable_grpc_healthcheck_service": "gRPC's health service is always on",
    "enable_serialization_as_tensor_content": "gRPC answers always are",
    "flush_filesystem_caches": "the system manages its own caches",
    "num_load_threads": "versions are loaded one at a time",
    "num_unload_threads": "versions are dropped with their last request",
    "num_request_iterations_for_warmup": "recorded requests are run once",
    "per_process_gpu_memory_fraction": "TensorFlow takes its default share",
    "tensorflow_session_parallelism": (
        "set tensorflow_intra_op_parallelism and tensorflow_inter_op_parallelism"
    ),
    "grpc_max_threads": "rest_api_num_threads counts for both interfaces",
}

for _name, (_default, _help) in _TEXTS.items():
    flags.DEFINE_string(_name, _default, _help, flag_values=FLAGS)
for _name, (_number, _help) in _PORTS.items():
    flags.DEFINE_integer(_name, _number, _help, 0, 65535, flag_values=FLAGS)
for _name, (_number, _help) in _INTEGERS.items():
    flags.DEFINE_integer(_name, _number, _help, lower_bound=0, flag_values=FLAGS)
for _name, (_on, _help) in _SWITCHES.items():
    flags.DEFINE_bool(_name, _on, _help, flag_values=FLAGS)
run_flags.define_trust(FLAGS)
for _name, _help in _NO_EFFECT.items():
    _text = f"Without effect here: {_help}."
    if _name.startswith(("enable", "flush")):
        flags.DEFINE_bool(_name, None, _text, flag_values=FLAGS)
    else:
        flags.DEFINE_string(_name, None, _text, flag_values=FLAGS)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    with contextlib.ExitStack() as stack:
        source = values.dir
        is_bare = source and folders.is_unexported_run(source)
        if is_bare or store.is_published(source or ""):
            exported = _exported(source, values.trust)
            values["dir"].value = stack.enter_context(exported)
        return _serve(values, source)


def _serve(values: flags.FlagValues, source: str | None) -> int:
    """Serves what the options name, until a signal.

    Args:
        values: The options.
        source: DIR as the user gave it.
    """
    models, name = _models(values)
    rule = "not both be 0"
    ports = (values.rest_api_port, values.port)
    checks.require(any(ports), "--rest_api_port and --port", rule, ports)
    for option, reason in _NO_EFFECT.items():
        if values[option].value is not None:
            print(f"--{option} has no effect: {reason}.", file=sys.stderr)
    print(f"Loading {source or models}", file=sys.stderr)
    with _end_signals() as ended, _ending(_start(models, name, values)) as server:
        # The numbers of a batch of images are a million lists in JSON: looking for
        # garbage among them took eight times as long as reading them.
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)
        _describe(server, values.host)
        while not ended.wait(timeout=1.0):
            pass  # a signal that another thread received is seen only between waits
        print("Answering the last requests", file=sys.stderr)
    return 0


@contextlib.contextmanager
def _exported(model: str, trust: bool) -> Iterator[str]:
    """Yields a folder to which a run or published model is exported, and removes it.

    A process of its own exports it: TensorFlow is set up otherwise for a server.
    """
    print(f"Exporting {model}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tf_disentangle", "export", model]
        command += [f"--destination={folder}", *(["--trust"] if trust else [])]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            # After what it does; of a fault of the library the last line says it.
            told = done.stderr.strip()
            _, is_message, reason = told.rpartition("tf_disentangle export: ")
            last = told.splitlines()[-1:] or [model]
            raise checks.ArgumentError(reason if is_message else last[0])
        yield folder


@contextlib.contextmanager
def _ending(server: Server) -> Iterator[Server]:
    """Yields the server and stops it; what is still worked on then, ends with it."""
    try:
        yield server
    finally:
        try:
            status = 0 if server.stop() else 1
        except KeyboardInterrupt:
            status = 130
        if status:
            # Python would wait for the threads, which nothing can interrupt.
            print(
                "Gave up the requests that were still in progress",
                file=sys.stderr,
                flush=True,
            )
            sys.stdout.flush()
            os._exit(status)


@contextlib.contextmanager
def _end_signals() -> Iterator[threading.Event]:
    """Yields what Ctrl-C and SIGTERM set; a second Ctrl-C waits for no request."""
    ended = threading.Event()

    def end(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        ended.set()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, end) for number in numbers]
    try:
        yield ended
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _models(values: flags.FlagValues) -> tuple[str, str | None]:
    """Returns what to serve, and the model's name where the options give one."""
    given = {
        option: values[option].value
        for option in ("dir", "model_base_path", "model_config_file")
        if values[option].value
    }
    rule = "be one of DIR, --model_base_path and --model_config_file"
    received = ", ".join(given) or checks.NOTHING
    remedy = "For example: bin/serve runs/chyvae"
    checks.require(len(given) == 1, "what to serve", rule, received, remedy)
    option, path = next(iter(given.items()))
    name = values.model_name or ("default" if option == "model_base_path" else None)
    if option == "model_config_file":
        exists = pathlib.Path(path).is_file()
        checks.require(exists, "--model_config_file", "be a file", path)
    else:
        # Looked at before TensorFlow takes its seconds.
        argument = "DIR" if option == "dir" else "--model_base_path"
        found = folders.models_in(path, values.model_name, argument)
        rule, remedy = "hold one model", f"bin/serve {path} serves all of them."
        alone = option == "dir" or len(found) == 1
        checks.require(alone, argument, rule, ", ".join(found), remedy)
    return path, name


def _start(models: str, name: str | None, values: flags.FlagValues) -> Server:
    """Starts the server that the options describe."""
    _import_tensorflow(values)
    try:
        from tf_disentangle.serving import server
    except ImportError as error:
        rule, remedy = "be installed", "pip install 'tf_disentangle[serving]'"
        text = checks.message("the server", rule, f"no {error.name}", remedy)
        raise checks.ArgumentError(text) from error
    options = {
        "host": values.host,
        "rest_port": values.rest_api_port or None,
        "grpc_port": values.port or None,
        "limits": server.Limits(
            body_bytes=values.max_body_bytes,
            total_body_bytes=values.max_total_body_bytes,
            rows=values.max_batch_rows,
            image_pixels=values.max_image_pixels,
            request_pixels=values.max_request_pixels,
            concurrent_requests=values.max_concurrent_requests,
        ),
        "num_threads": values.rest_api_num_threads or 4 * (os.cpu_count() or 1),
        "timeout_seconds": values.rest_api_timeout_in_ms / 1000,
        "cors": values.rest_api_enable_cors_support,
        "poll_seconds": values.file_system_poll_wait_seconds,
        "config_poll_seconds": values.model_config_file_poll_wait_seconds,
        "most_load_retries": values.max_num_load_retries,
        "load_retry_seconds": values.load_retry_interval_micros / 1e6,
        "labels_in_advance": values.allow_version_labels_for_unavailable_models,
        "warm_up": values.enable_model_warmup,
    }
    if values.monitoring_config_file:
        options["metrics_path"] = server.metrics_path(values.monitoring_config_file)
    logging.getLogger("tf_disentangle").setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    return server.start(models, model_name=name, **options)


def _import_tensorflow(values: flags.FlagValues) -> None:
    """Imports TensorFlow, its operations free to run side by side, unlike in training.

    A server needs the same answer to seven digits, and all processors.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with startup.held_back_stderr():
        import tensorflow as tf
    threads = tf.config.threading
    if number := values.tensorflow_intra_op_parallelism:
        threads.set_intra_op_parallelism_threads(number)
    if number := values.tensorflow_inter_op_parallelism:
        threads.set_inter_op_parallelism_threads(number)
    tf.get_logger().setLevel("ERROR")


def _describe(server: Server, host: str) -> None:
    """Prints where the models are, and one line to try the first of them with."""
    if server.grpc_port:
        print(f"gRPC at {host}:{server.grpc_port}")
    names = server.store.names()
    if not server.rest_port:
        print(f"Models: {', '.join(names)}")
        return
    if host not in ("127.0.0.1", "::1", "localhost"):
        print(
            "Anyone who can reach this machine can send requests: there is no password."
        )
    base = f"http://{host}:{server.rest_port}/v1/models"
    for name in names:
        print(f"{base}/{name}")
    print(f"Try: curl {base}/{names[0]}/metadata")
    print("Press Ctrl-C to stop it.", flush=True)
