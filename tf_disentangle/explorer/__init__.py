"""The explorer: one HTML file in which a trained model runs and can be looked at.

Names are imported when they are first used: a command checks its options before
TensorFlow is loaded.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tf_disentangle.explorer.page import Explorer, explore
    from tf_disentangle.explorer.runtime import RuntimeMissingError

_PLACES = {"Explorer": "page", "explore": "page", "RuntimeMissingError": "runtime"}

__all__ = ["Explorer", "RuntimeMissingError", "explore"]


def __getattr__(name: str) -> Any:
    """Imports what is asked for."""
    if name in _PLACES:
        module = importlib.import_module(f"tf_disentangle.explorer.{_PLACES[name]}")
        value = globals()[name] = getattr(module, name)
        return value
    raise AttributeError(f"module 'tf_disentangle.explorer' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Lists the public names, imported or not."""
    return sorted({*globals(), *__all__})
