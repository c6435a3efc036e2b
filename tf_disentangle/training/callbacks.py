"""What happens at the end of each logging interval, one callback for each purpose.

An epoch of `fit` is a logging interval. The order of the callbacks matters, and
`loop.py` keeps it: nothing is recorded or saved from an interval in which a term was
not finite, and what a checkpoint holds agrees with the rows.

`logs`, which the user's callbacks read, has the same names at every epoch, each with a
number: between two validations it repeats the values of the last one. Rows hold values
of a validation only at the steps where they were measured.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.training.checkpoints import Checkpoints, step_of

Row = dict[str, Any]


_FULL_DISK = ("No space left", "File too large", "Disk quota exceeded")


class NonFiniteError(ArithmeticError):
    """A loss term became NaN or infinite."""


class OutOfMemoryError(checks.ArgumentError):
    """The device has not enough memory for a step of this size."""


@contextlib.contextmanager
def explaining_exhaustion(batch_size: int, output: object) -> Iterator[None]:
    """Turns TensorFlow's error for a full disk or memory into an `ArgumentError`.

    Args:
        batch_size: Images per step, for the message.
        output: Where the run writes, for the message.
    """
    try:
        with explaining_full_disk(output):
            yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        reason = str(error).strip().splitlines()[:1]
        rule = "leave room for a step in the device's memory"
        remedy = "Lower batch_size or the networks' width."
        raise OutOfMemoryError(
            checks.message("batch_size", rule, batch_size, f"{remedy} {reason}")
        ) from error


@contextlib.contextmanager
def explaining_full_disk(output: object) -> Iterator[None]:
    """Turns TensorFlow's error for a full disk into an `ArgumentError`.

    Args:
        output: Where the run writes, for the message.
    """
    try:
        yield
    except tf.errors.OpError as error:
        signs = [sign for sign in _FULL_DISK if sign in str(error)]
        if not signs:
            raise
        received = f"{output}: {signs[0]}"
        remedy = "Free some space or choose another folder."
        message = checks.message("output", "be writable", received, remedy)
        raise checks.ArgumentError(message) from error


class Position(keras.callbacks.Callback):
    """Counts the steps; comes first among the callbacks, which share it.

    It counts batches, since an optimiser's `iterations` count updates of the weights:
    fewer, if it accumulates gradients or skips a step.

    Args:
        step: Steps that are done already.
        total: Steps of the run in all.

    Attributes:
        step: Steps done so far.
        begin: Steps that were done when the interval began.
        row: What the interval's row will hold in addition to `logs`.
    """

    async_safe = True  # Otherwise Keras would wait for every step's terms.

    def __init__(self, step: int, total: int) -> None:
        super().__init__()
        self.step = self.begin = step
        self.total = total
        self.row: Row = {}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts an interval."""
        self.begin, self.row = self.step, {}

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Counts; `batch` is the number of the last step of a call, from 0."""
        self.step = max(self.step, self.begin + batch + 1)


class Action(keras.callbacks.Callback):
    """A callback that acts every `every` steps and at the end of the run.

    Args:
        position: The run's position.
        every: Steps between two actions; 0 means never.
    """

    def __init__(self, position: Position, every: int = 1) -> None:
        super().__init__()
        self.position = position
        self.every = every

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        """Calls `act` if it is due."""
        if self.is_due():
            self.act(self.position.step, logs)

    def is_due(self) -> bool:
        """Whether to act at the end of this interval."""
        step = self.position.step
        is_last = step >= self.position.total
        return bool(self.every) and (step % self.every == 0 or is_last)

    def act(self, step: int, logs: dict[str, Any]) -> None:
        """Acts; may add to `logs`, which the next callbacks see."""
        raise NotImplementedError


class FiniteGuard(Action):
    """Stops the run when a term was not finite, before any of it is saved."""

    def __init__(self, position: Position, checkpoints: Checkpoints | None) -> None:
        super().__init__(position)
        self._checkpoints = checkpoints

    def act(self, step: int, logs: dict[str, Any]) -> None:
        """Raises `NonFiniteError` naming step, term and last good checkpoint."""
        begin = self.position.begin
        bad = self._first_bad(step - begin)
        if bad is None:
            return
        number, names = bad
        last = self._checkpoints and self._checkpoints.latest
        good = f"Last good checkpoint: {last} (step {step_of(last)})." if last else ""
        raise NonFiniteError(
            f"{', '.join(names)} not finite at step {begin + number}. "
            f"{good or 'There is no checkpoint yet.'} Remedies: a lower learning "
            "rate, an optimizer with global_clipnorm, float32."
        )

    def _first_bad(self, num_steps: int) -> tuple[int, tuple[str, ...]] | None:
        """Returns the first bad step of the interval and what was bad there."""
        bad = self.model.statistics.first_nonfinite(num_steps)
        if bad is not None:
            return bad
        # A step's terms precede its update: only here does the last update show.
        weights = self.model.trainable_variables
        if all(bool(tf.reduce_all(tf.math.is_finite(w.value))) for w in weights):
            return None
        return num_steps, ("weights after the update",)


class Validate(Action):
    """Adds the terms on held-out images, and keeps the best checkpoint by one of them.

    The first interval ends with a validation too, so that every epoch's `logs` have
    these names.

    Args:
        position: The run's position.
        every: Steps between two validations.
        validate: Returns (scalars by name, a number for each latent).
        checkpoints: Where the best is kept; None keeps none.
        values: The last validation of a resumed run, by name in `logs`.
        best: Best value of the model's `checkpoint_metric`, of a resumed run.

    Attributes:
        values: The last validation's values, by name in `logs`.
        best: Best value of the model's `checkpoint_metric` so far.
    """

    def __init__(
        self,
        position: Position,
        every: int,
        validate: Callable[[], tuple[dict[str, float], Iterable[float]]],
        checkpoints: Checkpoints | None = None,
        values: dict[str, float] | None = None,
        best: float | None = None,
    ) -> None:
        super().__init__(position, every)
        self._validate = validate
        self._checkpoints = checkpoints
        self.values = dict(values or {})
        self.best = -math.inf if best is None else best

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        """Validates if it is due; `logs` get the last validation's values."""
        if self.is_due() or not self.values:
            self.act(self.position.step, logs)
        logs.update(self.values)

    def act(self, step: int, logs: dict[str, Any]) -> None:
        """Validates, and saves if this is the best so far."""
        terms, per_latent = self._validate()
        # The names of the first validation stay: a diagnostic may not be finite later.
        names = self.values or {f"val_{name}": 0.0 for name in terms}
        values = {f"val_{name}": float(value) for name, value in terms.items()}
        self.values = {name: values.get(name, math.nan) for name in names}
        self.position.row = {k: v for k, v in self.values.items() if math.isfinite(v)}
        numbers = [float(value) for value in per_latent]
        self.position.row[f"{self.model.per_latent}_per_latent"] = numbers
        value = self.values.get(f"val_{self.model.checkpoint_metric}", -math.inf)
        if value > self.best:
            self.best = value
            if self._checkpoints is not None:
                self._checkpoints.save(step, best=True)


class Save(Action):
    """Writes a checkpoint at its intervals and, however `fit` ends, at the end.

    The last checkpoint is written when the training ends, since the user's callbacks,
    which come before this one, may still change the weights then.
    """

    def __init__(
        self, position: Position, every: int, checkpoints: Checkpoints
    ) -> None:
        super().__init__(position, every)
        self._checkpoints = checkpoints

    def is_due(self) -> bool:
        """Whether to save now; the end of the run is left to `on_train_end`."""
        is_last = self.position.step >= self.position.total
        return super().is_due() and not (is_last or self.model.stop_training)

    def act(self, step: int, logs: dict[str, Any]) -> None:
        """Saves."""
        self._checkpoints.save(step)

    def on_train_end(self, logs: Any = None) -> None:
        """Saves what the training ends with."""
        self._checkpoints.save(self.position.step)


class Every(Action):
    """Calls a function at every multiple of `every` steps.

    Args:
        position: The run's position.
        every: Steps between two calls; 0 means never.
        function: Called with the step.
        at_end: Whether to call it, too, where the run ends at such a multiple.
    """

    def __init__(
        self,
        position: Position,
        every: int,
        function: Callable[[int], Any],
        at_end: bool = True,
    ) -> None:
        super().__init__(position, every)
        self._function = function
        self._at_end = at_end

    def is_due(self) -> bool:
        """Whether to act now; an end of the run that is no multiple does not count."""
        step, total = self.position.step, self.position.total
        is_multiple = bool(self.every) and step % self.every == 0
        return is_multiple and (self._at_end or step < total)

    def act(self, step: int, logs: dict[str, Any]) -> None:
        """Calls the function."""
        self._function(step)


class StopOnSignal(Action):
    """Ctrl-C and SIGTERM end the run after the interval, with a checkpoint.

    A second signal interrupts at once: the run can then be resumed from its last
    checkpoint. This is a context manager that handles the two signals where Python
    allows it: in the main thread.

    Args:
        position: The run's position.
        is_saved: Whether the run has a folder, from which it can be resumed.

    Attributes:
        received: The signal's number, None if none came.
    """

    def __init__(self, position: Position, is_saved: bool = True) -> None:
        super().__init__(position)
        self._is_saved = is_saved
        self.received: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopOnSignal:
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._previous[number] = signal.signal(number, self._handle)
            except ValueError:
                break
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def act(self, step: int, logs: dict[str, Any]) -> None:
        """Asks `fit` to stop."""
        if self.received is not None:
            self.model.stop_training = True

    def _handle(self, number: int, frame: Any) -> None:
        if self.received is not None:
            self.__exit__()
            signal.raise_signal(number)
            return
        self.received = number
        text = (
            "\nStopping after this interval, with a checkpoint. Interrupt again to end "
            "at once, without one. Started again, the run resumes.\n"
            if self._is_saved
            else "\nStopping after this interval: the run will be what was trained so "
            "far. Interrupt again to end at once.\n"
        )
        os.write(2, text.encode())  # A print may interrupt another one.


class OneTraining(keras.callbacks.CallbackList):
    """The callbacks of a training that takes several calls of `fit`.

    A first or last interval of another length needs its own call of `fit`, but the
    callbacks see one beginning and one end. Otherwise `EarlyStopping` would start to
    wait anew, and `CSVLogger` would start its file again.

    Args:
        callbacks: In the order in which they act.
        **options: Options of `keras.callbacks.CallbackList`: `model`, and what
            callbacks see as `params`.

    Attributes:
        is_last: Whether the next end of `fit` is the end of the training.
    """

    def __init__(
        self, callbacks: Sequence[keras.callbacks.Callback], **options: Any
    ) -> None:
        super().__init__(list(callbacks), add_history=True, **options)
        self.is_last = False
        self._begun = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Passes on the first beginning."""
        if not self._begun:
            self._begun = True
            super().on_train_begin(logs)

    def on_train_end(self, logs: Any = None) -> None:
        """Passes on the last end."""
        if self.is_last or self.callbacks[0].model.stop_training:
            super().on_train_end(logs)
