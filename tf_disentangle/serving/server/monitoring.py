"""What can be monitored on a running server, in Prometheus's text form.

The names are our own, since TensorFlow Serving's (`:tensorflow:serving:...`) are not
what prometheus_client writes. The path is the same.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import time
from collections.abc import Iterator

import prometheus_client
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
)

from tf_disentangle import checks
from tf_disentangle.serving.server.errors import from_exception

DEFAULT_PATH = "/monitoring/prometheus/metrics"
_LABELS = ("model", "method", "entrypoint")
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)

# tensorflow_serving/config/monitoring_config.proto, for which the package has no class.
_MONITORING_CONFIG = """
name: "monitoring_config.proto" package: "tensorflow.serving" syntax: "proto3"
message_type { name: "PrometheusConfig"
  field { name: "enable" number: 1 type: TYPE_BOOL label: LABEL_OPTIONAL }
  field { name: "path" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL } }
message_type { name: "MonitoringConfig"
  field { name: "prometheus_config" number: 1 type: TYPE_MESSAGE label: LABEL_OPTIONAL
    type_name: ".tensorflow.serving.PrometheusConfig" } }
"""


class Monitoring:
    """Counts and times of requests.

    `requests` counts them by model, method (predict, status, metadata), entrypoint
    (REST, GRPC) and status; `seconds` is how long each took: by REST, including its
    JSON and the wait for a thread; by gRPC, from when a thread took it up.
    `in_progress` is how many there are now, by gRPC without those that wait.
    """

    def __init__(self) -> None:
        self.registry = prometheus_client.CollectorRegistry()
        self.requests = prometheus_client.Counter(
            "tf_disentangle_requests",
            "Requests answered.",
            (*_LABELS, "status"),
            registry=self.registry,
        )
        self.seconds = prometheus_client.Histogram(
            "tf_disentangle_request_seconds",
            "Time to the answer, from the arrival (REST) or a thread's start (GRPC).",
            _LABELS,
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.in_progress = prometheus_client.Gauge(
            "tf_disentangle_requests_in_progress",
            "Requests not answered yet; by GRPC those that a thread works on.",
            ("entrypoint",),
            registry=self.registry,
        )

    @contextlib.contextmanager
    def watching(self, entrypoint: str) -> Iterator[dict[str, str]]:
        """Counts and times the block, which fills in "model" and "method" if known.

        Only names of models that are served may be put there: a client could send any
        number of others.
        """
        labels, status = {"model": "", "method": ""}, "OK"
        start = time.monotonic()
        with self.in_progress.labels(entrypoint).track_inprogress():
            try:
                yield labels
            except Exception as error:
                status = from_exception(error, log=False).code.name
                raise
            finally:
                values = (labels["model"], labels["method"], entrypoint)
                self.requests.labels(*values, status).inc()
                self.seconds.labels(*values).observe(time.monotonic() - start)

    def page(self) -> bytes:
        """Returns the page that Prometheus reads."""
        return prometheus_client.generate_latest(self.registry)


def metrics_path(file: str | os.PathLike) -> str | None:
    """Returns the path that a monitoring configuration asks for; None if it has none.

    Args:
        file: Holds the text of a MonitoringConfig, such as
            `prometheus_config { enable: true path: "/metrics" }`.

    Raises:
        ArgumentError: If it cannot be read.
    """
    messages = text_format.Parse(
        _MONITORING_CONFIG, descriptor_pb2.FileDescriptorProto()
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(messages)
    name = "tensorflow.serving.MonitoringConfig"
    config = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))()
    try:
        text_format.Parse(pathlib.Path(file).read_text(encoding="utf-8"), config)
    except (OSError, ValueError, text_format.ParseError) as error:
        rule = "be the text of a MonitoringConfig"
        text = checks.message("monitoring_config_file", rule, f"{file}: {error}")
        raise checks.ArgumentError(text) from error
    prometheus = config.prometheus_config
    return (prometheus.path or DEFAULT_PATH) if prometheus.enable else None
