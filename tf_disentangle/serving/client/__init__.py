"""The client of a served model, which does not need TensorFlow.

    with Client("grpc://localhost:8500", model="chyvae") as client:
        codes = client.encode(images)
        images = client.traverse(codes[0], latent=2, values=[-2.0, 0.0, 2.0])
        table = metrics.evaluate(data, client.encode, ["mig"])

It needs grpcio, protobuf, requests and numpy: pip install 'tf_disentangle[client]'.
"""

from tf_disentangle.serving.client.client import Client
from tf_disentangle.serving.client.errors import (
    AccessError,
    DeadlineExceededError,
    InvalidRequestError,
    ModelNotFoundError,
    ServingError,
    TooLargeError,
    UnavailableError,
)
from tf_disentangle.serving.client.tensors import Signature, TensorSpec

__all__ = [
    "AccessError",
    "Client",
    "DeadlineExceededError",
    "InvalidRequestError",
    "ModelNotFoundError",
    "ServingError",
    "Signature",
    "TensorSpec",
    "TooLargeError",
    "UnavailableError",
]
