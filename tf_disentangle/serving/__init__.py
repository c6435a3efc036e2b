"""Serving: portable models for TensorFlow Serving, and the client of a served one.

Names are imported when they are first used: the client does without TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tf_disentangle.serving.client import (
        AccessError,
        Client,
        DeadlineExceededError,
        InvalidRequestError,
        ModelNotFoundError,
        ServingError,
        TooLargeError,
        UnavailableError,
    )
    from tf_disentangle.serving.exporting import export, export_run
    from tf_disentangle.serving.folders import versions

_PLACES = {
    "AccessError": "client",
    "Client": "client",
    "DeadlineExceededError": "client",
    "InvalidRequestError": "client",
    "ModelNotFoundError": "client",
    "ServingError": "client",
    "TooLargeError": "client",
    "UnavailableError": "client",
    "export": "exporting",
    "export_run": "exporting",
    "versions": "folders",
}

__all__ = [
    "AccessError",
    "Client",
    "DeadlineExceededError",
    "InvalidRequestError",
    "ModelNotFoundError",
    "ServingError",
    "TooLargeError",
    "UnavailableError",
    "export",
    "export_run",
    "versions",
]


def __getattr__(name: str) -> Any:
    """Imports what is asked for."""
    if name in _PLACES:
        module = importlib.import_module(f"tf_disentangle.serving.{_PLACES[name]}")
        value = globals()[name] = getattr(module, name)
        return value
    raise AttributeError(f"module 'tf_disentangle.serving' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Lists the public names, imported or not."""
    return sorted({*globals(), *__all__})
