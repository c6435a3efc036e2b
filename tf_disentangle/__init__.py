"""Disentangled representations on TensorFlow 2: learn, measure, inspect, serve.

    datasets -> networks/encoders -> latents (built from distributions)
             -> networks/decoders -> objectives -> models -> training -> metrics
             -> visualization -> serving

Rooms are imported when they are first used, so that `tf_disentangle.metrics`, which
needs only numpy, does not load TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os

    from tf_disentangle.loading import LoadedRun

__version__ = "0.1.0"

_ROOMS = (
    "datasets",
    "distributions",
    "latents",
    "metrics",
    "models",
    "networks",
    "objectives",
    "priors",
    "serving",
    "training",
    "visualization",
)

__all__ = ["__version__", "load", *_ROOMS]


def load(run: str | os.PathLike, checkpoint: str = "last") -> LoadedRun:
    """Loads a trained run: its model, data set and `encode`.

    Args:
        run: The run folder.
        checkpoint: "last", or "best" by validation ELBO.

    Raises:
        ArgumentError: If the folder holds no run, or the run no configuration.
    """
    from tf_disentangle.loading import load as load_run

    return load_run(run, checkpoint)


def __getattr__(name: str) -> Any:
    """Imports a room at its first use."""
    if name in _ROOMS:
        return importlib.import_module(f"tf_disentangle.{name}")
    raise AttributeError(f"module 'tf_disentangle' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Lists the rooms, imported or not."""
    return sorted({*globals(), *_ROOMS})
