"""What a server answers if it cannot do what was asked: codes and their HTTP form.

References:
    google.rpc.Code, which TensorFlow and gRPC share by number; the HTTP status of each
    is TensorFlow Serving's (model_servers/http_server.cc).
"""

from __future__ import annotations

import json
import logging
import re
from typing import Any

from grpc import StatusCode

_LONGEST_GRPC_MESSAGE = 1024
_BY_NUMBER = {code.value[0]: code for code in StatusCode}
# What TensorFlow adds to a message on where in the graph it arose.
_AROUND = re.compile(
    r"^Graph execution error:.*?<stack traces unavailable>\n"
    r"|\n?\t? ?\[\[\{\{node .*?\}\}\]\]| \[Op:.*$",
    re.DOTALL,
)
_logger = logging.getLogger(__name__)

HTTP_STATUS = {
    StatusCode.OK: 200,
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.FAILED_PRECONDITION: 400,
    StatusCode.OUT_OF_RANGE: 400,
    StatusCode.UNAUTHENTICATED: 401,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.NOT_FOUND: 404,
    StatusCode.ALREADY_EXISTS: 409,
    StatusCode.ABORTED: 409,
    StatusCode.RESOURCE_EXHAUSTED: 429,
    StatusCode.CANCELLED: 499,
    StatusCode.UNKNOWN: 500,
    StatusCode.INTERNAL: 500,
    StatusCode.DATA_LOSS: 500,
    StatusCode.UNIMPLEMENTED: 501,
    StatusCode.UNAVAILABLE: 503,
    StatusCode.DEADLINE_EXCEEDED: 504,
}


class ServingError(Exception):
    """A request that is answered with an error.

    Args:
        code: What kind of error it is.
        message: What is wrong, in words for the client.
        http_status: The HTTP status where it is not the code's own.
    """

    def __init__(
        self, code: StatusCode, message: str, http_status: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.http_status = http_status or HTTP_STATUS[code]

    @property
    def json(self) -> str:
        """The body of the HTTP answer."""
        return json.dumps({"error": self.message})

    @property
    def grpc_message(self) -> str:
        """The message, no longer than gRPC's trailers are sure to carry."""
        if len(self.message) <= _LONGEST_GRPC_MESSAGE:
            return self.message
        return f"{self.message[:_LONGEST_GRPC_MESSAGE]}...TRUNCATED"


def invalid(message: str) -> ServingError:
    """Returns the commonest error: the request is wrong whatever the server's state."""
    return ServingError(StatusCode.INVALID_ARGUMENT, message)


def from_exception(error: Exception, log: bool = True) -> ServingError:
    """Returns what a client is told of any exception.

    TensorFlow's own errors keep their code and message. Everything else is a fault of
    the server: the client learns its kind, the log has the traceback.
    """
    if isinstance(error, ServingError):
        return error
    number: Any = getattr(error, "error_code", None)
    if number in _BY_NUMBER:
        message = str(getattr(error, "message", error))
        return ServingError(_BY_NUMBER[number], _AROUND.sub("", message))
    if isinstance(error, MemoryError):
        return ServingError(StatusCode.RESOURCE_EXHAUSTED, "Out of memory.")
    if log:
        _logger.error("A request failed.", exc_info=error)
    return ServingError(StatusCode.INTERNAL, f"Internal error: {type(error).__name__}.")
