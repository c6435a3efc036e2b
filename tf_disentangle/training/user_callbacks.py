"""The user's Keras callbacks: checked before the first step, resumed with the run."""

from __future__ import annotations

import csv
import inspect
import pathlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tf_disentangle import checks, files
from tf_disentangle.interfaces import Dataset
from tf_disentangle.models import LatentModel
from tf_disentangle.training.input_pipeline import Batches, images_at
from tf_disentangle.training.options import Intervals

#: How many held-out images diagnostics use: what they estimate depends on the number.
NUM_DIAGNOSED = 250

State = list[dict[str, Any]]

# What a run cannot have, and why.
_REFUSED = {
    keras.callbacks.BackupAndRestore: (
        "not be BackupAndRestore, which restores weights and epoch but not the "
        "position in the data",
        "A run with an output folder resumes from its own checkpoints.",
    ),
    keras.callbacks.SwapEMAWeights: (
        "not be SwapEMAWeights, for an optimizer with use_ema, which a run refuses",
        "",
    ),
}
# Their state is in the files that they write.
_STATELESS = (keras.callbacks.CSVLogger, keras.callbacks.TensorBoard)


def check_callbacks(callbacks: Any, has_folder: bool) -> None:
    """Checks what each of the user's callbacks is.

    Args:
        callbacks: A list of Keras callbacks.
        has_folder: Whether the run writes checkpoints.

    Raises:
        ArgumentError: If a callback cannot work in a run.
        ArgumentTypeError: If there is something else among them.
    """
    remedy = "Put it in a list: [...]"
    checks.require_type(callbacks, (list, tuple), "callbacks", remedy)
    for callback in callbacks:
        is_class = isinstance(callback, type)
        remedy = f"Pass an object: {callback.__name__}()." if is_class else ""
        checks.require_type(callback, keras.callbacks.Callback, "callbacks", remedy)
        for kind, (rule, remedy) in _REFUSED.items():
            fits = not isinstance(callback, kind)
            checks.require(fits, "callbacks", rule, type(callback).__name__, remedy)
        is_early_stopping = isinstance(callback, keras.callbacks.EarlyStopping)
        if is_early_stopping and has_folder:
            checks.require(
                not callback.restore_best_weights,
                "EarlyStopping.restore_best_weights",
                "be False in a run with an output folder, whose checkpoints do not "
                "hold the best weights of a callback",
                True,
                "The run keeps the best checkpoint: load(folder, checkpoint='best').",
            )


def check_monitors(
    callbacks: Sequence[keras.callbacks.Callback],
    model: LatentModel,
    data: Dataset,
    batches: Batches,
    intervals: Intervals,
) -> None:
    """Checks that what callbacks monitor is recorded, and which way is better is known.

    A callback that monitors the ELBO without a mode gets mode "max".

    Raises:
        ArgumentError: For a name that is not recorded, or of which neither higher nor
            lower is known to be better.
    """
    monitors = {c: m for c in callbacks if (m := _monitor(c)) is not None}
    names = [*model.row_names, "images_per_second", "learning_rate"]
    remedy = "Hold images out by validation_size for those with val_."
    if len(batches.held_out) and intervals.evaluate:
        remedy = ""
        names += [f"val_{name}" for name in model.row_names]
        if not set(monitors.values()) <= set(names):  # It may be a diagnostic.
            images = images_at(data.images(), batches.held_out[:NUM_DIAGNOSED])
            names += [f"val_{name}" for name in model.diagnostics(images, batches.seed)]
    for callback, monitor in monitors.items():
        argument = f"{type(callback).__name__}.monitor"
        nearest = f"{checks.nearest(monitor, names)} {remedy}".strip()
        rule = "be a number that this run records"
        checks.require(monitor in names, argument, rule, monitor, nearest)
        if getattr(callback, "mode", None) != "auto":
            continue
        if monitor.removeprefix("val_") == "elbo":
            callback.mode = "max"
        elif monitor.removeprefix("val_") != "loss":
            argument = f"{type(callback).__name__}.mode"
            rule = f"say whether {monitor} is better lower ('min') or higher ('max')"
            raise checks.ArgumentError(checks.message(argument, rule, callback.mode))


def _monitor(callback: keras.callbacks.Callback) -> str | None:
    """Returns the name that a callback reads in `logs`, None if it reads none."""
    is_checkpoint = isinstance(callback, keras.callbacks.ModelCheckpoint)
    if is_checkpoint and not callback.save_best_only:
        return None
    monitor = getattr(callback, "monitor", None)
    return monitor if isinstance(monitor, str) else None


def state_of(callbacks: Sequence[keras.callbacks.Callback]) -> State:
    """Returns the plain attributes of each callback, as JSON can hold them.

    Numbers, text and None are kept. Anything else that a callback holds is not, nor are
    the arguments of its constructor, which are settings.
    """
    return [
        {
            "of": _identity(callback),
            "values": {}
            if isinstance(callback, _STATELESS)
            else _plain_attributes(callback),
        }
        for callback in callbacks
    ]


class CallbackState(keras.callbacks.Callback):
    """Gives callbacks back the state that `fit` cleared; must come after them.

    Keras clears it at the start of every `fit`: a resumed `EarlyStopping` would start
    to wait anew, and the run would end at another step.

    Args:
        callbacks: The callbacks whose state to keep.
        state: Their state in an earlier process, as `state_of` returned it.
    """

    def __init__(
        self, callbacks: Sequence[keras.callbacks.Callback], state: State
    ) -> None:
        super().__init__()
        self._callbacks, self._state = callbacks, state

    def on_train_begin(self, logs: Any = None) -> None:
        """Restores it."""
        for callback, state in zip(self._callbacks, self._state, strict=False):
            if state["of"] == _identity(callback):  # Callbacks may change on resume.
                vars(callback).update(state["values"])


def continue_files(
    callbacks: Sequence[keras.callbacks.Callback], num_epochs: int
) -> None:
    """Makes the `CSVLogger`s of a resumed run continue their files.

    Args:
        callbacks: The run's callbacks.
        num_epochs: Epochs that the run has done; rows of later ones are dropped.
    """
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.CSVLogger):
            continue
        path = pathlib.Path(callback.filename)
        callback.append = True
        if not path.exists():
            continue
        with path.open(newline="") as file:
            rows = list(csv.reader(file, delimiter=callback.sep))
        done = [r for r in rows[1:] if r and r[0].isdigit() and int(r[0]) < num_epochs]
        with (
            files.replacing(path) as temporary,
            temporary.open("w", newline="") as file,
        ):
            csv.writer(file, delimiter=callback.sep).writerows([*rows[:1], *done])


def _identity(callback: keras.callbacks.Callback) -> str:
    """Names a callback, so that no other callback resumes from its state."""
    return f"{type(callback).__name__} of {vars(callback).get('monitor')}"


def _plain_attributes(callback: keras.callbacks.Callback) -> dict[str, Any]:
    settings = {
        name
        for base in type(callback).__mro__
        if "__init__" in vars(base)
        for name in inspect.signature(vars(base)["__init__"]).parameters
    }
    return {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in vars(callback).items()
        if name not in settings
        and (value is None or isinstance(value, (bool, int, float, str, np.generic)))
    }
