"""The errors that come from a server, or the way to it, instead of a result."""

from __future__ import annotations

from tf_disentangle.serving.client.messages import CODES


class ServingError(RuntimeError):
    """A request got no result.

    Attributes:
        server: The URL of the server.
        request: What was asked, such as "encode of model 'chyvae'".
        code: gRPC's name of the kind of failure, such as "NOT_FOUND"; for a REST
            answer, the code to which TensorFlow Serving gives that HTTP status.
        reason: The server's own words, or those of the connection.
    """

    #: What to do about it.
    remedy = ""

    def __init__(self, server: str, request: str, code: str, reason: str) -> None:
        self.server, self.request, self.code, self.reason = (
            server,
            request,
            code,
            reason,
        )
        shown = " ".join(reason.split())
        shown = shown if len(shown) <= 500 else f"{shown[:497]}..."
        text = f"{request} at {server} failed: {code}, {shown.rstrip('.')}."
        super().__init__(f"{text} {self.remedy}".strip())

    def __reduce__(self) -> tuple[type, tuple[str, str, str, str]]:
        """Lets one process hand it to another."""
        return type(self), (self.server, self.request, self.code, self.reason)


class InvalidRequestError(ServingError):
    """The server refused what was sent; sending it again gives the same answer."""

    remedy = "client.metadata() shows what the model takes."

    def __init__(self, server: str, request: str, code: str, reason: str) -> None:
        if request.startswith("encode_bytes ") and type(self) is InvalidRequestError:
            self.remedy = "Each item must be the whole content of a PNG or JPEG file."
        super().__init__(server, request, code, reason)


class TooLargeError(InvalidRequestError):
    """The request has more bytes than the server, or a proxy before it, takes."""

    remedy = "Send less at a time, or start bin/serve with a larger --max_body_bytes."


class ModelNotFoundError(ServingError):
    """The server has no model of that name, or no such version or label of it."""

    remedy = (
        "Check the name of the model; if it is right, check the version: "
        "Client(url, model).status(), without a version, lists them."
    )


class AccessError(ServingError):
    """The server requires authentication, or denies access."""

    remedy = "Pass headers={'authorization': ...} as the server expects them."


class UnavailableError(ServingError):
    """Nothing answered, or the server has too much to do; all attempts were used up."""

    remedy = "Check that the server runs and that the URL is its own; then try again."


class DeadlineExceededError(ServingError, TimeoutError):
    """No answer came in time."""

    remedy = "Raise timeout, or lower batch_size."


_KINDS = {
    "INVALID_ARGUMENT": InvalidRequestError,
    "FAILED_PRECONDITION": InvalidRequestError,
    "OUT_OF_RANGE": InvalidRequestError,
    "UNIMPLEMENTED": InvalidRequestError,
    "NOT_FOUND": ModelNotFoundError,
    "UNAUTHENTICATED": AccessError,
    "PERMISSION_DENIED": AccessError,
    "UNAVAILABLE": UnavailableError,
    "RESOURCE_EXHAUSTED": UnavailableError,
    "DEADLINE_EXCEEDED": DeadlineExceededError,
}
# TensorFlow Serving answers so to a label that it does not know: INVALID_ARGUMENT.
_NO_LABEL = "Unrecognized servable version label"
_OF_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def error_of(
    server: str, request: str, code: str, reason: str, too_large: bool = False
) -> ServingError:
    """Returns the error for a code; one without its own class is a `ServingError`.

    Args:
        server: The URL of the server.
        request: What was asked.
        code: The kind of failure.
        reason: In the server's words.
        too_large: Whether the size of the request is the reason, for which there is no
            code.
    """
    kind = _KINDS.get(code if code in CODES else "UNKNOWN", ServingError)
    if too_large:
        kind = TooLargeError
    if _NO_LABEL in reason:
        kind = ModelNotFoundError
    return kind(server, request, code, reason)


def code_of_status(status: int) -> str:
    """Returns the code for which a REST answer has this HTTP status."""
    return _OF_STATUS.get(status, "UNKNOWN")
