"""The server that a page asks: its address, and whether it answers pages."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.parse
import urllib.request

from tf_disentangle import checks

_SECONDS = 5.0


def parse(server: str, argument: str = "server") -> tuple[str, str]:
    """Returns the address of a server, and the name of a model if it has one.

    Args:
        server: The address as it was given.
        argument: How errors name it.

    Raises:
        ArgumentError: If it is not an address.
    """
    base, _, name = server.rstrip("/").partition("/v1/models/")
    parts = urllib.parse.urlsplit(base)
    good = parts.scheme in ("http", "https") and parts.netloc
    # It goes into the page's policy, whose grammar uses blanks, commas and semicolons.
    plain = not (parts.query or parts.fragment) and not set(server) & set(" ;,'\"<>")
    rule = "be an address such as http://localhost:8501"
    remedy = "The page uses REST; no web page can use gRPC."
    valid = good and plain and "/" not in name
    checks.require(valid, argument, rule, server, remedy)
    return base, name


def trouble(base: str, name: str) -> str:
    """Returns why a page could not ask a server for a model; "" if it could.

    Args:
        base: The address of the server.
        name: The name of the model.
    """
    url = f"{base}/v1/models/{urllib.parse.quote(name)}"
    # A page that is opened as a file has this origin.
    request = urllib.request.Request(url, headers={"Origin": "null"})
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            allowed = answer.headers.get("Access-Control-Allow-Origin")
    except urllib.error.HTTPError as error:
        return f"{url} answers {error.code} {error.reason}: does it serve this model?"
    except (OSError, http.client.HTTPException) as error:
        return f"No answer from {url} ({getattr(error, 'reason', error)})."
    if allowed in ("*", "null"):
        return ""
    option = "--rest_api_enable_cors_support"
    return f"{base} refuses requests from web pages: restart the server with {option}."
