"""Requests over REST: JSON over HTTP."""

from __future__ import annotations

import contextlib
import http.client
import json
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import requests
import urllib3
from requests.adapters import HTTPAdapter

from tf_disentangle.serving.client import tensors
from tf_disentangle.serving.client.errors import code_of_status, error_of
from tf_disentangle.serving.client.tensors import Signature

_TOO_LARGE = 413
_NO_HTTP = "the answer is not HTTP, and this looks like a gRPC port"


class RestConnection:
    """HTTP connections to a server, which stay open for the next requests.

    There are as many connections as simultaneous requests. urllib3 repeats requests.
    `timeout` applies to each attempt: for connecting, and for each wait until the
    server sends something.
    """

    def __init__(
        self, url: str, *, timeout: float, attempts: int, headers: Mapping[str, str]
    ) -> None:
        self._url, self._timeout = url.rstrip("/"), timeout
        self._headers = dict(headers)
        self._retry = urllib3.Retry(
            total=attempts - 1,
            backoff_factor=0.2,
            backoff_max=5,
            status_forcelist=(429, 502, 503),
            allowed_methods=None,  # A prediction changes nothing: POST too.
            raise_on_status=False,
        )
        # requests' sessions are not safe to share: a request takes one of these, or a
        # new one, and puts it back. Threads may append to a list and pop from it.
        self._idle: list[requests.Session] = []
        self._is_closed = False

    def predict(
        self,
        spec: Any,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str],
        signature: Signature,
        request: str,
    ) -> dict[str, np.ndarray]:
        """Returns the outputs of one request; all of them if none is named."""
        body = {
            "signature_name": spec.signature_name,
            "inputs": {name: tensors.to_json(array) for name, array in inputs.items()},
        }
        answer = self._call("POST", f"{_path(spec)}:predict", request, body)
        try:
            given = answer["outputs"]
            if len(signature.outputs) == 1:  # A single one has no name.
                given = {next(iter(signature.outputs)): given}
            return {
                name: tensors.from_json(value, signature.outputs[name])
                for name, value in given.items()
                if not outputs or name in outputs
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._unreadable(request, answer, error) from error

    def signatures(self, spec: Any, request: str) -> dict[str, Signature]:
        """Returns the model's signatures."""
        answer = self._call("GET", f"{_path(spec)}/metadata", request)
        try:
            signatures = answer["metadata"]["signature_def"]["signature_def"]
            return tensors.signatures_of_json(signatures)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._unreadable(request, answer, error) from error

    def status(self, spec: Any, request: str) -> dict[int, str]:
        """Returns the state of each version."""
        answer = self._call("GET", _path(spec), request)
        try:
            states = answer["model_version_status"]
            return {int(state["version"]): state["state"] for state in states}
        except (ValueError, KeyError, TypeError) as error:
            raise self._unreadable(request, answer, error) from error

    def close(self) -> None:
        """Closes the connections for good; requests that are under way end first."""
        self._is_closed = True
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()

    @contextlib.contextmanager
    def _session(self, request: str) -> Iterator[requests.Session]:
        """Yields a session that no other thread has meanwhile."""
        if self._is_closed:
            raise error_of(self._url, request, "CANCELLED", "the client is closed")
        try:
            session = self._idle.pop()
        except IndexError:
            session = self._new_session()
        try:
            yield session
        finally:
            self._idle.append(session)
            if self._is_closed:
                self.close()

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        session.headers.update(self._headers)
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=self._retry))
        return session

    def _call(self, verb: str, path: str, request: str, body: Any = None) -> Any:
        data = (
            None if body is None else json.dumps(body, separators=(",", ":")).encode()
        )
        try:
            with self._session(request) as session:
                answer = session.request(
                    verb, f"{self._url}{path}", data=data, timeout=self._timeout
                )
        except requests.RequestException as error:
            code, reason = _code_and_reason(error)
            if reason == _NO_HTTP:
                reason += f": use grpc{self._url.removeprefix('http')}"
            raise error_of(self._url, request, code, reason) from error
        try:
            content = json.loads(answer.content)
        except ValueError:
            content = None
        if answer.status_code == 200 and isinstance(content, dict):
            return content
        told = content.get("error") if isinstance(content, dict) else None
        is_fine = answer.status_code == 200
        code = "INTERNAL" if is_fine else code_of_status(answer.status_code)
        about = f"HTTP {answer.status_code} without TensorFlow Serving's JSON"
        large = answer.status_code == _TOO_LARGE
        raise error_of(self._url, request, code, str(told or about), large)

    def _unreadable(self, request: str, answer: Any, error: Exception) -> Exception:
        reason = f"the answer is not as the signature says: {error!r}"
        return error_of(self._url, request, "INTERNAL", reason)


def _path(spec: Any) -> str:
    """Returns the path of a model, or of its version or label."""
    path = f"/v1/models/{urllib.parse.quote(spec.name, safe='')}"
    if spec.HasField("version"):
        return f"{path}/versions/{spec.version.value}"
    if spec.version_label:
        return f"{path}/labels/{urllib.parse.quote(spec.version_label, safe='')}"
    return path


def _code_and_reason(error: requests.RequestException) -> tuple[str, str]:
    """Distinguishes an answer that came too late from a server that is not there."""
    cause = error.args[0] if error.args else error
    reason = getattr(cause, "reason", None) or cause
    late = (urllib3.exceptions.ReadTimeoutError, TimeoutError)
    if isinstance(error, requests.ReadTimeout) or isinstance(reason, late):
        return "DEADLINE_EXCEEDED", "no answer in time"
    below = [item for item in getattr(reason, "args", ()) if not isinstance(item, str)]
    if any(type(item) is http.client.BadStatusLine for item in below):
        return "UNAVAILABLE", _NO_HTTP
    return "UNAVAILABLE", str(reason).rpartition(">: ")[2]
