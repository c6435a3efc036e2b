"""Studies: many runs of one grid, their table, analysis, figures and report.

`tf_disentangle.study` and `bin/study` make studies. What is here is imported
when it is first used: the processes that watch over runs need none of it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tf_disentangle.studies.plan import Plan, PlannedRun
    from tf_disentangle.studies.state import RunState, state_of
    from tf_disentangle.studies.study import write_report
    from tf_disentangle.studies.table import collect, read, read_curves

_MODULES = {
    "Plan": "plan",
    "PlannedRun": "plan",
    "RunState": "state",
    "collect": "table",
    "read": "table",
    "read_curves": "table",
    "state_of": "state",
    "write_report": "study",
}

__all__ = [
    "Plan",
    "PlannedRun",
    "RunState",
    "collect",
    "read",
    "read_curves",
    "state_of",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """Imports what has a name at its first use."""
    if name in _MODULES:
        module = importlib.import_module(f"{__name__}.{_MODULES[name]}")
        return getattr(module, name)
    if name in ("analysis", "figures"):
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
