"""Disentangled representations on TensorFlow 2: learn, measure, inspect, serve.

    run = tf_disentangle.train(model, data, steps=5000)     tf_disentangle.load(folder)
    table = tf_disentangle.study(grid, output=folder)       many runs

    datasets -> networks (encoders) -> latents (built from distributions)
             -> networks (decoders) -> objectives -> models -> training -> Run
             -> metrics, visualization, explorer, serving

Subpackages are imported when they are first used, so that `tf_disentangle.metrics`,
which needs only numpy, does not load TensorFlow.

Example:
    >>> import tf_disentangle as td
    >>> data = td.datasets.CorrelatedEllipses(num_images=100)
    >>> model = td.models.build_vae(data, objective=td.objectives.beta_vae(beta=4.0))
    >>> run = td.train(model, data, steps=2, batch_size=8, output="runs/example")
    >>> run.encode(data.images()[:3]).shape
    (3, 10)
    >>> td.load("runs/example").step
    2
"""

from __future__ import annotations

import importlib
import os
import platform
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tf_disentangle.run import Run, load, train
    from tf_disentangle.studies.study import study

__version__ = "0.2.0"

# TensorFlow has two sets of kernels for a CPU, and reads this when it is imported. On a
# processor without AVX512-VNNI and the like it would take those of half the speed.
if platform.machine().lower() in ("x86_64", "amd64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

_SUBPACKAGES = (
    "datasets",
    "distributions",
    "explorer",
    "latents",
    "metrics",
    "models",
    "networks",
    "objectives",
    "pages",
    "priors",
    "serving",
    "store",
    "studies",
    "training",
    "visualization",
)

_OF_RUN = ("Run", "load", "train")

_WITH_TENSORFLOW = {
    *_OF_RUN,
    *("distributions", "latents", "models", "networks", "objectives", "priors"),
    "training",
}

__all__ = ["Run", "__version__", "load", "study", "train", *_SUBPACKAGES]


def __getattr__(name: str) -> Any:
    """Imports a subpackage, or a function from one, at its first use."""
    if name in _WITH_TENSORFLOW:
        importlib.import_module("tf_disentangle.quiet").import_tensorflow()
    if name in _SUBPACKAGES:
        return importlib.import_module(f"tf_disentangle.{name}")
    if name in _OF_RUN:
        return getattr(importlib.import_module("tf_disentangle.run"), name)
    if name == "study":
        return importlib.import_module("tf_disentangle.studies.study").study
    from tf_disentangle.checks import nearest

    hint = nearest(name, __all__) if not name.startswith("_") else ""
    raise AttributeError(f"module 'tf_disentangle' has no attribute {name!r}. {hint}")


def __dir__() -> list[str]:
    """Lists the public names, imported or not."""
    return sorted({*globals(), *_OF_RUN, "study", *_SUBPACKAGES})
