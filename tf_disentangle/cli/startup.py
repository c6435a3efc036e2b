"""TensorFlow's import: for the right backend, quick, without notes on stderr."""

from __future__ import annotations

import contextlib
import gc
import importlib.abc
import json
import os
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from tf_disentangle import checks, determinism
from tf_disentangle.quiet import held_back_stderr

# Keras looks whether these are installed, for wrappers and plots that no command uses,
# and would import them: a sixth of the time until TensorFlow is there.
_OF_KERAS = ("IPython", "matplotlib", "pandas", "sklearn")


def import_tensorflow() -> None:
    """Imports TensorFlow, keeping its start-up notes from the terminal.

    TensorFlow 2.21 writes them to file descriptor 2 before its log levels apply
    (2 or 3 for TF_CPP_MIN_LOG_LEVEL does not hold them back). `held_back_stderr` tells
    when they are shown.

    Raises:
        ArgumentError: If Keras is set up for another backend.
    """
    require_tensorflow_backend()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with held_back_stderr(), _no_collection(), _without(*_OF_KERAS):
        import tensorflow as tf
        import tensorflow_probability  # noqa: F401

        determinism.run_operations_in_turn()
    tf.get_logger().setLevel("ERROR")


def require_tensorflow_backend() -> None:
    """Refuses another backend of Keras than TensorFlow, before Keras is imported.

    Raises:
        ArgumentError: If the environment or Keras's own settings name another.
    """
    name, backend = "KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "")
    remedy = "Unset it, or set KERAS_BACKEND=tensorflow."
    if not backend:
        home = os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras"
        file = pathlib.Path(home) / "keras.json"
        try:
            backend = json.loads(file.read_text(encoding="utf-8")).get("backend", "")
        except (OSError, ValueError, AttributeError):
            return  # Keras takes its defaults then, as we do.
        name = f'"backend" in {file}'
        remedy = "Set KERAS_BACKEND=tensorflow for this command, or change the file."
    rule = "be tensorflow, on which the models are built"
    checks.require(backend in ("", "tensorflow"), name, rule, backend, remedy)


class _Absent(importlib.abc.MetaPathFinder):
    """Answers for some packages that they are not installed."""

    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = packages

    def find_spec(self, name: str, *where: Any) -> None:
        """Raises `ModuleNotFoundError` for those packages."""
        if name.partition(".")[0] in self._packages:
            raise ModuleNotFoundError(f"{name} is not needed yet", name=name)


@contextlib.contextmanager
def _without(*packages: str) -> Iterator[None]:
    """Imports nothing of some packages meanwhile; afterwards all can be imported."""
    finder = _Absent(packages)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Collects no garbage meanwhile, and never looks again at what there is by then.

    An import makes a million objects that stay: looking for garbage among them was a
    quarter of its time. Where they are there already, nothing changes.
    """
    if "tensorflow_probability" in sys.modules:
        yield
        return
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
