"""A server of TensorFlow Serving's interface, for tests and local use.

`start` serves exported models by REST and by gRPC; `bin/serve` is the same from the
command line, with the flags of `tensorflow_model_server`, so that one can be replaced
by the other. It runs in one Python process and is not meant for many users.
docs/serving.md says what is.

Where it differs from TensorFlow Serving:

- It listens on localhost unless it is told another host.
- Numbers that the input's integer type cannot hold are refused; TensorFlow Serving
  wraps them (300 becomes 44 as uint8).
- Strings must be UTF-8; a number too large for a float64 is read as infinity.
- There are limits, each a clear error: the body of a request (16 MiB, HTTP 413), all
  bodies by REST at a time (256 MiB, HTTP 503), the rows of a batch (1,024), the pixels
  of an encoded image (16 million, read from its header before it is unpacked) and of
  all images of a request (32 million), requests at a time (1,024, HTTP 503,
  RESOURCE_EXHAUSTED by gRPC).
- An input named `image_bytes` must hold images as PNG or JPEG.
- Predict, GetModelMetadata, GetModelStatus, HandleReloadConfigRequest and gRPC's health
  service are there (health always, without a flag); classify, regress and
  MultiInference are UNIMPLEMENTED (HTTP 501).
- By gRPC, tensors come back as `tensor_content` always.
- Prometheus's page is on unless a monitoring configuration turns it off; its names are
  our own: `tf_disentangle_requests_total`, `tf_disentangle_request_seconds`,
  `tf_disentangle_requests_in_progress`.
- Requests are not batched across clients, which is for GPUs.
- Idle connections stay open, and are not counted among the requests.
- A path outside /v1/ is answered 404 in JSON. Errors show the first 200 characters of
  what was wrong, not all of it.
- A relative base path is taken from the current directory.
"""

from tf_disentangle.serving.server.monitoring import metrics_path
from tf_disentangle.serving.server.server import Options, Server, start
from tf_disentangle.serving.server.signature import Limits

__all__ = ["Limits", "Options", "Server", "metrics_path", "start"]
