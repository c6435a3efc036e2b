"""Self-contained pages: everything about one run, and several runs compared.

Names are imported when they are first used: the parts of pages (`html`, `style`) do
without TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tf_disentangle.pages.comparison import comparison_page, write_comparison
    from tf_disentangle.pages.one_run import run_page, write_run_page

_PLACES = {
    "comparison_page": "comparison",
    "run_page": "one_run",
    "write_comparison": "comparison",
    "write_run_page": "one_run",
}

__all__ = ["comparison_page", "run_page", "write_comparison", "write_run_page"]


def __getattr__(name: str) -> Any:
    """Imports what is asked for."""
    if name in _PLACES:
        module = importlib.import_module(f"tf_disentangle.pages.{_PLACES[name]}")
        value = globals()[name] = getattr(module, name)
        return value
    raise AttributeError(f"module 'tf_disentangle.pages' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Lists the public names, imported or not."""
    return sorted({*globals(), *__all__})
