"""The grammar of TensorFlow Serving's REST addresses: what a request asks for.

    POST /v1/models/NAME[/versions/NUMBER | /labels/LABEL]:predict
    GET  /v1/models/NAME[/versions/NUMBER | /labels/LABEL][/metadata]

References:
    tensorflow_serving/model_servers/http_rest_api_util.cc.
"""

from __future__ import annotations

import re
import urllib.parse
import zlib
from dataclasses import dataclass

from grpc import StatusCode

from tf_disentangle.serving.server.errors import ServingError, invalid

_MODEL = r"/v1/models/([^/:]+)(?:/versions/([0-9]+)|/labels/([^/:]+))?"
_PREDICT = re.compile(_MODEL + ":(classify|regress|predict)", re.IGNORECASE)
_STATUS = re.compile(
    r"/v1/models(?:/([^/:]+))?(?:/versions/([0-9]+)|/labels/([^/:]+))?(?:/(metadata))?",
    re.IGNORECASE,
)
_LARGEST_VERSION = 2**63 - 1


@dataclass(frozen=True)
class ModelSpec:
    """Which model a request is for; its newest version where none is named."""

    name: str
    version: int | None = None
    label: str | None = None


@dataclass(frozen=True)
class Call:
    """What a request asks for: "predict", "status" or "metadata" of a model."""

    method: str
    model: ModelSpec


def parse_address(verb: str, address: str) -> Call:
    """Returns what a request asks for.

    Args:
        verb: GET, POST or another verb of HTTP.
        address: Path and query as they were sent, percent-encoded.

    Raises:
        ServingError: If nothing is offered there.
    """
    if not address.lower().startswith("/v1/"):
        raise ServingError(StatusCode.NOT_FOUND, f"Not found: {address}")
    pattern = {"POST": _PREDICT, "GET": _STATUS}.get(verb)
    match = pattern.fullmatch(address) if pattern else None
    if match is None:
        raise invalid(f"Malformed request: {verb} {address}")
    name, version, label, method = match.groups()
    if name is None:
        raise invalid("Missing model name in request.")
    number = None
    if version:
        digits = version.lstrip("0") or "0"
        if len(digits) > len(str(_LARGEST_VERSION)) or int(digits) > _LARGEST_VERSION:
            raise invalid(f"Failed to convert version: {version} to numeric.")
        number = int(digits)
    method = (method or "status").lower()
    if method in ("classify", "regress"):
        text = f"{method} is not offered by this server. Use predict."
        raise ServingError(StatusCode.UNIMPLEMENTED, text)
    label = urllib.parse.unquote(label) if label else None
    return Call(method, ModelSpec(urllib.parse.unquote(name), number, label))


def unpack(body: bytes, encoding: str, largest: int) -> bytes:
    """Returns the body of a request as it was before its Content-Encoding.

    Args:
        body: The body as it was sent.
        encoding: "gzip", or "" for none.
        largest: Largest number of bytes of the unpacked body.

    Raises:
        ServingError: If the encoding is another one, broken, or unpacks to too much.
    """
    if encoding.lower() in ("", "identity"):
        return body
    if encoding.lower() != "gzip":
        raise invalid(f"Unsupported Content-Encoding: {encoding}. Use gzip or none.")
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(body, largest + 1)
    except zlib.error as error:
        raise invalid("Failed to uncompress the gzipped body.") from error
    if len(unpacked) > largest:
        raise too_large(largest)
    if not unpacker.eof:
        raise invalid("Failed to uncompress the gzipped body.")
    return unpacked


def too_large(largest: int) -> ServingError:
    """Returns the error of a body of more than `largest` bytes."""
    text = f"The body of a request may have {largest} bytes. Send smaller batches."
    return ServingError(StatusCode.OUT_OF_RANGE, text, http_status=413)
